"""Explorers: a slider that redraws a picture, and often a sound.

In JupyterLab an explorer is live: each place of the slider is computed when it is reached. In the
rendered book, where no Python runs, all places are computed beforehand and a native slider turns
them over like the pages of a flipbook. Both show the same frames. A
sound table is one piece of HTML in both. A recorder is live alone; the rendered book has its
listener instead.
"""

from digitlab.widgets.delays import delays
from digitlab.widgets.flipbook import Frame, explorer
from digitlab.widgets.gates import forget_bias
from digitlab.widgets.recorder import recorder, recording_session
from digitlab.widgets.sampling import aliasing, quantisation
from digitlab.widgets.scattering import averaging_scale, wavelets_per_octave
from digitlab.widgets.sound_table import Sound, sound_table
from digitlab.widgets.spectrograms import mel_bands, window_length
from digitlab.widgets.tones import fourier_series, waves
from digitlab.widgets.trimming import trimming
from digitlab.widgets.vowel_chart import vowels

__all__ = [
    "Frame", "Sound", "aliasing", "averaging_scale", "delays", "explorer", "forget_bias",
    "fourier_series", "mel_bands", "quantisation", "recorder", "recording_session", "sound_table",
    "trimming", "vowels", "wavelets_per_octave", "waves", "window_length",
]  # fmt: skip
