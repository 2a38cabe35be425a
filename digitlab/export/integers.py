"""Weights of exported networks as integers of 8 bits."""

import tempfile
from pathlib import Path

import numpy as np

from digitlab.environment import replacing, require
from digitlab.export.files import quiet
from digitlab.recognisers import refuse_place

LAYERS = ("Conv", "Gemm")  # a product alone (MatMul) belongs to a spectrogram, also in a network
AT_ONCE = 2  # clips of a calibration: all that is computed of them is in memory


def quantise(file: Path, to: Path, clips: np.ndarray) -> None:
    """Write an exported ONNX file again, the weights of its network as integers of 8 bits.

    Dense layers and convolutions compute with integers, too: the range of each layer's inputs is
    taken from clips. The inputs of an LSTM are rounded when they are there, since ONNX Runtime has
    no other LSTM of integers. Features stay in float32, also where the spectrogram is a stage of
    the network. Taught in chapter 17.

    Parameters
    ----------
    file : pathlib.Path
        What :func:`write` made for ONNX Runtime.
    to : pathlib.Path
        The new file; nothing may be there yet.
    clips : array of shape (n_clips, n_samples), float32
        Some of the training clips, never those of the test. A hundred are plenty.

    Raises
    ------
    FileExistsError
        If something is there.
    ImportError
        If ONNX Runtime is not installed.

    See Also
    --------
    digitlab.export.write : It writes the file.

    Notes
    -----
    Weights are scaled channel by channel, inputs as a whole. The method is that of B. Jacob et al.,
    "Quantization and training of neural networks for efficient integer-arithmetic-only inference",
    CVPR 2018.
    """
    refuse_place(to)
    onnx = require("onnx", extra="onnx")
    quantization = require("onnxruntime.quantization", extra="onnx")
    nodes = onnx.load(file).graph.node
    layers = [
        node.name
        for node in nodes
        if node.op_type in LAYERS and any(name.startswith("network.") for name in node.input)
    ]
    with tempfile.TemporaryDirectory() as folder:
        small, rounded = Path(folder, "small.onnx"), Path(folder, "rounded.onnx")
        with quiet():
            quantization.quantize_static(
                file,
                small,
                _reader(quantization, clips),
                per_channel=True,
                nodes_to_quantize=layers,
            )
            if any(node.op_type == "LSTM" for node in nodes):
                quantization.quantize_dynamic(small, rounded, op_types_to_quantize=["LSTM"])
                small = rounded
        with replacing(Path(to)) as out:
            out.write(small.read_bytes())


def _reader(quantization, clips: np.ndarray):
    """Return what hands clips to the calibration."""
    starts = iter(range(0, len(clips), AT_ONCE))

    class Reader(quantization.CalibrationDataReader):
        def get_next(self):
            start = next(starts, None)
            return None if start is None else {"samples": clips[start : start + AT_ONCE]}

    return Reader()
