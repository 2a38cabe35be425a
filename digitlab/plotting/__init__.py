"""Pictures: one style, one size, readable in grey. Every plotter draws into `ax` and returns it."""

from digitlab.plotting.curves import learning_curve, learning_rates
from digitlab.plotting.flows import alluvial
from digitlab.plotting.scores import accuracies, confusion, probabilities, reliability
from digitlab.plotting.signals import spectrum, waveform
from digitlab.plotting.spectrograms import filter_bank, scattering, spectrogram
from digitlab.plotting.style import ACCENT, GREY, INK, SECOND, use_style

__all__ = [
    "ACCENT", "GREY", "INK", "SECOND", "accuracies", "alluvial", "confusion", "filter_bank",
    "learning_curve", "learning_rates", "probabilities", "reliability", "scattering",
    "spectrogram", "spectrum", "use_style", "waveform",
]  # fmt: skip
