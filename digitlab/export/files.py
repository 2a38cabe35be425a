"""Trained systems written in the formats of other runtimes."""

import io
import logging
import os
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import numpy as np

from digitlab.environment import replacing, require, why
from digitlab.export.cards import card
from digitlab.export.graphs import computation
from digitlab.recognisers import Recogniser, in_framework, refuse_place

FORMATS = {"onnx": ".onnx", "keras": ".keras", "torch": ".pt2"}
OPSET = 20  # of ONNX


def write(recogniser: Recogniser, file: Path, to: str = "onnx") -> None:
    """Write a recogniser as one graph that needs no digitlab, and a model card beside it.

    The graph takes ``samples``, float32 of shape (n_clips, n_samples) at the recogniser's rate,
    with any number of samples from 1 on; what exceeds the length of a clip is cut off at its end.
    It returns ``probabilities`` of shape (n_clips, n_classes). Padding, peak normalisation,
    features and network are inside; resampling, mixing channels and finding a word in a long
    recording are not. Taught in chapter 17.

    Parameters
    ----------
    recogniser : Recogniser
        Trained in either framework.
    file : pathlib.Path
        Nothing may be there yet, nor at the card's place: the same name with ``.md`` behind it.
    to : {"onnx", "keras", "torch"}
        For ONNX Runtime; for Keras, in any of its backends; or a program of ``torch.export``. By
        custom the names end in ``.onnx``, ``.keras``, which Keras asks for, and ``.pt2``.

    Raises
    ------
    FileExistsError
        If something is there.
    OSError
        If nothing can be written there.
    ValueError
        If there is no such format, the name does not fit it, or the features of the recogniser
        cannot be computed in a graph.
    ImportError
        If a library that writes the format is not installed.

    Examples
    --------
    >>> import tempfile
    >>> from digitlab import pretrained
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = Path(folder, "b2.onnx")
    ...     write(pretrained.load(), file)
    ...     sorted(path.name for path in Path(folder).iterdir())
    ['b2.onnx', 'b2.onnx.md']
    """
    file = Path(file)
    if to not in FORMATS:
        raise ValueError(f"there is no format {to!r}; there are {', '.join(FORMATS)}")
    if file.suffix != FORMATS[to]:
        raise ValueError(f"{file}: the name of a file for {to} must end in {FORMATS[to]}")
    card_file = file.with_name(f"{file.name}.md")
    for place in (file, card_file):
        refuse_place(place)
    compute = computation(recogniser)
    same = in_framework(recogniser, "keras" if to == "keras" else "torch")
    with tempfile.TemporaryDirectory() as folder:
        written = Path(folder, file.name)
        try:
            with quiet():
                WRITERS[to](compute, same, written)
        except OSError as error:
            raise OSError(
                f"the temporary folder {folder} cannot be written: {why(error)}; or set TMPDIR to "
                "another folder"
            ) from error
        with replacing(file) as out, replacing(card_file, "w") as card_out:  # both or none
            card_out.write(card(recogniser, written, to))
            out.write(written.read_bytes())


def _to_onnx(compute: Callable, recogniser: Recogniser, file: Path) -> None:
    for module in ("onnx", "onnxscript"):
        require(module, extra="onnx")
    import torch
    from onnx_ir.passes import common

    graph, example, sizes = _in_torch(compute, recogniser)
    program = torch.onnx.export(
        graph,
        (example,),
        input_names=["samples"],
        output_names=["probabilities"],
        dynamic_shapes=(sizes,),
        opset_version=OPSET,
        dynamo=True,
        verbose=False,
    )
    assert program is not None
    common.DeduplicateInitializersPass(size_limit=2**30)(program.model)
    common.ClearMetadataAndDocStringPass()(program.model)  # paths on this machine
    program.save(file)


def _to_torch(compute: Callable, recogniser: Recogniser, file: Path) -> None:
    import torch

    graph, example, sizes = _in_torch(compute, recogniser)
    program = torch.export.export(graph, (example,), dynamic_shapes=(sizes,))
    for node in program.graph.nodes:
        node.meta.pop("stack_trace", None)  # paths on this machine
    content = io.BytesIO()  # on a full disk, PyTorch would end the process
    torch.export.save(program, content)
    file.write_bytes(content.getvalue())


def _to_keras(compute: Callable, recogniser: Recogniser, file: Path) -> None:
    from digitlab.export import with_keras

    with_keras.graph(compute, recogniser.model).save(file)


WRITERS = {"onnx": _to_onnx, "keras": _to_keras, "torch": _to_torch}


def _in_torch(compute: Callable, recogniser: Recogniser) -> tuple[Any, Any, dict]:
    """Return the module, an example of its input, and which sizes of that are free."""
    import torch

    from digitlab.export import with_torch

    n_samples = recogniser.preparation.n_samples
    noise = np.random.default_rng(0).normal(size=(2, n_samples // 2 + 1)).astype(np.float32)
    sizes = {axis: torch.export.Dim(name) for axis, name in enumerate(("n_clips", "n_samples"))}
    return with_torch.graph(compute, recogniser.model), torch.from_numpy(noise), sizes


@contextmanager
def quiet() -> Iterator[None]:
    """Keep to themselves what exporters print about their own progress."""
    level = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with open(os.devnull, "w") as nowhere, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with redirect_stdout(nowhere), redirect_stderr(nowhere):
                yield
    finally:
        logging.disable(level)
