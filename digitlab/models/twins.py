"""The numbers of a trained network, laid out for its twin in the other framework."""

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import keras
    import torch


def to_keras(trained: "torch.nn.Module", twin: "keras.Model") -> None:
    """Give a network in Keras the numbers of its twin in PyTorch.

    Parameters
    ----------
    trained : torch.nn.Module
        From a builder of :mod:`digitlab.models.torch`.
    twin : keras.Model
        From the builder of the same name and settings; changed in place.

    Raises
    ------
    ValueError
        If they are no twins.

    Notes
    -----
    Keras has the inputs and outputs of a kernel as its last axes, and PyTorch as its first, the
    other way round.

    Examples
    --------
    >>> from digitlab.models import keras, torch
    >>> trained, twin = torch.logistic_regression(4, 2, seed=1), keras.logistic_regression(4, 2)
    >>> to_keras(trained, twin)
    >>> bool(np.all(twin.get_weights()[0].T == trained[0].weight.detach().numpy()))
    True
    """
    values = [np.moveaxis(v, (1, 0), (-2, -1)) if v.ndim > 1 else v for v in _numbers(trained)]
    own = [weight.shape for weight in twin.weights]
    _refuse_strangers(own, values)
    pairs = zip(twin.weights, values, strict=True)
    twin.set_weights([np.reshape(value, weight.shape) for weight, value in pairs])


def to_torch(trained: "keras.Model", twin: "torch.nn.Module") -> None:
    """Give a network in PyTorch the numbers of its twin in Keras.

    Parameters
    ----------
    trained : keras.Model
        From a builder of :mod:`digitlab.models.keras`.
    twin : torch.nn.Module
        From the builder of the same name and settings; changed in place.

    Raises
    ------
    ValueError
        If they are no twins.

    Examples
    --------
    >>> from digitlab.models import keras, torch
    >>> trained, twin = keras.logistic_regression(4, 2, seed=1), torch.logistic_regression(4, 2)
    >>> to_torch(trained, twin)
    >>> bool(np.all(trained.get_weights()[0].T == twin[0].weight.detach().numpy()))
    True
    """
    values, own = trained.get_weights(), _numbers(twin)
    _refuse_strangers([value.shape for value in values], own)
    for target, value in zip(own, values, strict=True):
        shape = (*target.shape[2:], target.shape[1], target.shape[0]) if target.ndim > 1 else None
        target[...] = (
            value if shape is None else np.moveaxis(value.reshape(shape), (-2, -1), (1, 0))
        )


def _numbers(model: "torch.nn.Module") -> list[np.ndarray]:
    """Return what a network's twin has, too, in the same order; changes to it change the network.

    Keras has one bias for an LSTM, and does not count the batches that it has seen.
    """
    return [
        value.detach().cpu().numpy()
        for name, value in model.state_dict().items()
        if value.is_floating_point() and "bias_hh" not in name
    ]


def _refuse_strangers(shapes: list, values: list[np.ndarray]) -> None:
    if [np.prod(shape) for shape in shapes] != [value.size for value in values]:
        raise ValueError("these are no twins: build both with the same builder and settings")
