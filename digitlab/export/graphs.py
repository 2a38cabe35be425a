"""The computation that a file holds, from samples to probabilities, for any framework."""

from collections.abc import Callable
from functools import partial
from types import ModuleType

import numpy as np

from digitlab.export.front_ends import FRONT_ENDS, at_peak_1, fitted
from digitlab.layouts import OTHER
from digitlab.recognisers import Recogniser


def computation(recogniser: Recogniser) -> Callable:
    """Return what a recogniser computes, as a function of samples, network and library.

    Raises
    ------
    ValueError
        If its features cannot be computed in a graph.
    """
    if recogniser.features not in FRONT_ENDS:
        raise ValueError(
            f"{recogniser.recipe} cannot be exported, its features are {recogniser.features}; "
            f"these features can be: {', '.join(FRONT_ENDS)}"
        )
    return partial(_probabilities, recogniser)


def _probabilities(recogniser: Recogniser, sounds, network: Callable, lib: ModuleType):
    """Do what :meth:`Recogniser.probabilities` does, and what its preparation ends with."""
    preparation = recogniser.preparation
    clips = fitted(sounds, preparation.n_samples, preparation.align, lib)
    clips = at_peak_1(clips, lib) if preparation.normalize else clips
    x = FRONT_ENDS[recogniser.features](clips, preparation.rate, lib)
    if recogniser.mean is not None and recogniser.spread is not None:
        x = (x - lib.constant(recogniser.mean)) / lib.constant(recogniser.spread)
    probabilities = network(x)
    if OTHER not in recogniser.classes:
        return probabilities
    is_other = np.array([name == OTHER for name in recogniser.classes])
    sounding = lib.max(lib.abs(clips), 1) > 0
    return lib.where(sounding, probabilities, lib.constant(is_other)[np.newaxis])
