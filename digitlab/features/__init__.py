"""Features: what a classifier is given in place of the samples.

Every feature is called ``feature(waveforms, rate, ...)``, with waveforms of shape (n_clips,
n_samples) and their rate in Hz. Chapter 4 builds the spectrograms, chapter 7 the means for its
baselines, chapters 8 to 10 what is made of scattering coefficients, and chapter 11 what its LSTMs
are given. :func:`compute` calls a feature by its name.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
