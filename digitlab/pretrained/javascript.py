"""The weights of a recogniser as a script, for the page that recognises without Python.

``book/assets/recogniser.js`` computes with them what :meth:`Recogniser.predict` does.
"""

import base64
import json
import sys

import numpy as np

from digitlab import audio, pretrained, voices
from digitlab.features.normalised import mel_filters
from digitlab.preparation import Preparation
from digitlab.recognisers import Recogniser

LETTERS = "".join(letter for letter in map(chr, range(33, 127)) if letter not in '"\\<')
LARGEST = (len(LETTERS) ** 2 - 1) // 2  # that two letters hold, beside the sign: 4,140
GROUP = 6  # weights that share a scale
KNOWN = ("torch", "normalised_log_mel", "residual_cnn")
PREPARATION = Preparation(rate=8000, n_samples=8192)
HEAD = """\
// Weights of the model that comes with digitlab, CC BY-SA 4.0: see digitlab/pretrained/README.md.
// Made by `python -m digitlab.pretrained.javascript`; recogniser.js reads them.
"""
EXAMPLE_SPEAKER = 3
EXAMPLE_HEAD = "// A synthetic voice, by `python -m digitlab.pretrained.javascript example`.\n"


def script(recogniser: Recogniser) -> str:
    """Write all numbers that a recogniser needs as one assignment in JavaScript.

    Parameters
    ----------
    recogniser : Recogniser
        A residual network in PyTorch, on normalised log-mel spectrograms of 1.024 s at 8 kHz.

    Returns
    -------
    str
        A script of ASCII characters, 260 kB. A page loads it from any address, ``file://`` too.

    Raises
    ------
    ValueError
        If it is another system.

    Notes
    -----
    Batch normalisation is folded into the convolutions. Each weight is rounded to a whole number
    from -4,140 to 4,140 times a scale that six of them share. Two letters of 91 are the number, and
    a letter before the six is the scale. On 3,308 clips of Speech Commands this changed no
    probability by more than 0.0005, and no answer; 8 bits a weight would be 0.03 and two answers.

    Examples
    --------
    >>> script(pretrained.load()).splitlines()[2][:48]
    'globalThis.digitRecogniserWeights = {"classes":['
    """
    system = (recogniser.framework, recogniser.features, recogniser.builder)
    if system != KNOWN or recogniser.preparation != PREPARATION:
        raise ValueError(f"recogniser.js does not compute {recogniser.recipe}, only B1 and B2")
    _, convolution, norm, _, *blocks, _, _, dense, _ = recogniser.model
    described = {
        "classes": recogniser.classes,
        "refuseAbove": recogniser.refuse_above,
        "rate": recogniser.preparation.rate,
        "nSamples": recogniser.preparation.n_samples,
        "melFilters": [_filter(weights) for weights in mel_filters(recogniser.preparation.rate)],
        "letters": LETTERS,
        "groupSize": GROUP,
        "stem": _layer(*folded(convolution, norm), stride=2),
        "blocks": [_block(block) for block in blocks],
        "dense": _layer(_numbers(dense.weight)[..., np.newaxis, np.newaxis], _numbers(dense.bias)),
    }
    text = json.dumps(described, separators=(",", ":"))
    return f"{HEAD}globalThis.digitRecogniserWeights = {text};\n"


def example() -> str:
    """Write a word by a synthetic voice as one assignment in JavaScript: a WAV file in base64.

    Returns
    -------
    str
        A script, for readers who have no microphone.

    Examples
    --------
    >>> example().splitlines()[1][:35]
    'globalThis.exampleRecording = "UklG'
    """
    wav = audio.wav_bytes("the example", voices.say("seven", speaker=EXAMPLE_SPEAKER), 8000)
    text = base64.b64encode(wav).decode()
    return f'{EXAMPLE_HEAD}globalThis.exampleRecording = "{text}";\n'


def folded(convolution, norm) -> tuple[np.ndarray, np.ndarray]:
    """Make one convolution of a convolution and the batch normalisation behind it.

    Parameters
    ----------
    convolution, norm : torch.nn.Module
        Without a bias, and with running statistics.

    Returns
    -------
    weights : array of shape (n_outputs, n_inputs, height, width), float64
    biases : array of shape (n_outputs,), float64

    Examples
    --------
    >>> import torch
    >>> norm = torch.nn.BatchNorm2d(1, eps=0).eval()
    >>> norm.running_mean[:], norm.running_var[:] = 3, 4
    >>> convolution = torch.nn.Conv2d(1, 1, 1, bias=False)
    >>> weights, biases = folded(convolution, norm)
    >>> bool(weights.item() == convolution.weight.item() / 2), biases
    (True, array([-1.5]))
    """
    gains = _numbers(norm.weight) / np.sqrt(_numbers(norm.running_var) + norm.eps)
    biases = _numbers(norm.bias) - _numbers(norm.running_mean) * gains
    return _numbers(convolution.weight) * gains[:, np.newaxis, np.newaxis, np.newaxis], biases


def _block(block) -> dict:
    first, norm, _ = block.first
    described = {
        "first": _layer(*folded(first, norm), stride=first.stride[0]),
        "second": _layer(*folded(block.second, block.norm)),
    }
    if hasattr(block.shortcut, "weight"):
        weights = folded(block.shortcut, block.shortcut_norm)
        described["shortcut"] = _layer(*weights, stride=block.shortcut.stride[0])
    return described


def _layer(weights: np.ndarray, biases: np.ndarray, stride: int = 1) -> dict:
    """Describe a layer, its weights as letters."""
    n_missing = -weights.size % GROUP
    groups = np.pad(weights.ravel(), (0, n_missing)).reshape(-1, GROUP)
    largest = np.abs(groups).max(axis=1, keepdims=True) / LARGEST
    most = len(LETTERS) - 1
    [scale] = _short(largest.max(axis=0) / most)
    scales = np.ceil(largest / scale).clip(1, most)
    numbers = np.rint(groups / (scales * scale)).clip(-LARGEST, LARGEST) + LARGEST
    pairs = np.stack(np.divmod(numbers, len(LETTERS)), axis=2).reshape(len(groups), -1)
    digits = np.concatenate([scales, pairs], axis=1).astype(int).ravel()
    return {
        "shape": weights.shape,
        "stride": stride,
        "biases": _short(biases),
        "scale": scale,
        "weights": "".join(LETTERS[digit] for digit in digits[: len(digits) - 2 * n_missing]),
    }


def _filter(weights: np.ndarray) -> tuple[int, list[float]]:
    """Return the first bin that a mel filter takes, and the weights from there on."""
    first, last = np.flatnonzero(weights)[[0, -1]]
    return int(first), _short(weights[first : last + 1])


def _short(values: np.ndarray) -> list[float]:
    """Round to six digits, wherever the point is."""
    return [float(f"{value:.6g}") for value in values]


def _numbers(tensor) -> np.ndarray:
    return tensor.detach().cpu().numpy().astype(np.float64)


if __name__ == "__main__":
    print(example() if sys.argv[1:] == ["example"] else script(pretrained.load()), end="")
