"""The filters of the scattering transform: Morlet wavelets and a Gaussian average.

A Morlet wavelet is a Gaussian bump around its centre frequency, from which a Gaussian around 0 is
subtracted so that the wavelet has mean 0. Frequencies are in cycles per sample, and every filter
is given by its frequency response, which is real. The constants below are those of kymatio 0.3,
so that the coefficients are, too. The theory is that of J. Andén and S. Mallat, "Deep scattering
spectrum", IEEE TSP 62(16), 2014; chapter 8 explains it.
"""

import math
from dataclasses import dataclass
from numbers import Integral

import numpy as np
import scipy.fft

AVERAGE_WIDTH = 0.1  # standard deviation of the averaging filter, times its scale in samples
HIGHEST_CENTRE = 0.35  # cycles per sample: the first wavelet lies here, or higher
CUT_OFF = 5  # standard deviations above its centre, where a wavelet counts as nothing
TAIL = 1e-3  # share of the averaging filter, by its absolute values, that may reach past the ends


@dataclass(frozen=True)
class Wavelet:
    """A Morlet wavelet: its frequency, and what is needed of it."""

    centre: float  # cycles per sample
    width: float  # standard deviation of the bump, in cycles per sample
    resolution: int  # what passes it may be sampled every 2**resolution samples

    def response(self, n_samples: int) -> np.ndarray:
        """Return the frequency response of shape (n_samples,), in the order of an FFT."""
        bump, base = (_gaussian(n_samples, mean, self.width) for mean in (self.centre, 0.0))
        return _normalised(bump - bump[0] / base[0] * base)


def wavelets(J: int, per_octave: int) -> list[Wavelet]:
    """Return the wavelets of one order, from high frequency to low.

    Adjacent ones cross where the squared response is half the peak's. Centres and widths fall in a
    constant ratio; once a wavelet is as long as the average, ``2**J`` samples, those below it keep
    that length, and their centres divide the rest of the way to 0 evenly.
    """
    refuse_scales(J, per_octave)
    ratio = 2 ** (1 / per_octave)
    narrowest = AVERAGE_WIDTH / 2**J
    centre = max(1 / (1 + ratio**3), HIGHEST_CENTRE)
    width = centre * (1 - 1 / ratio) / (1 + 1 / ratio) / math.sqrt(math.log(2))
    centres, widths, last = [], [], width
    if width > narrowest:
        n_steps = max(0, math.ceil(per_octave * math.log2(width / narrowest) - 1))
        centres, widths = (
            np.divide.accumulate([start] + [ratio] * n_steps).tolist() for start in (centre, width)
        )
        last = centres[-1]
    centres += [last - step / per_octave * last for step in range(1, per_octave)]
    widths += [narrowest] * (len(centres) - len(widths))
    return [
        Wavelet(centre, width, _resolution(centre + CUT_OFF * width))
        for centre, width in zip(centres, widths, strict=True)
    ]


def average(n_samples: int, J: int) -> np.ndarray:
    """Return the response (n_samples,) of the filter that averages over about 2**J samples."""
    return _normalised(_gaussian(n_samples, 0.0, AVERAGE_WIDTH / 2**J))


def padding(n_samples: int, J: int) -> tuple[int, int]:
    """Return how many samples to mirror on the left and on the right of a clip.

    The padded length is a power of two, so that the FFT is fast. It leaves room on both sides for
    three times the length of the averaging filter, unless that is more than the clip has to mirror.
    """
    impulse = np.abs(scipy.fft.ifft(average(n_samples, J)))[: n_samples // 2]
    beyond = impulse[::-1].cumsum()[::-1]
    short = np.flatnonzero(beyond <= TAIL)
    room = 3 * (short[0] + 1 if len(short) else len(impulse))
    wanted = math.ceil(math.log2(n_samples + 2 * room))
    n_padded = 2 ** min(wanted, int(math.log2(3 * n_samples - 2)))
    left = (n_padded - n_samples) // 2
    return left, n_padded - n_samples - left


def refuse_scales(J: int, Q: int) -> None:
    """Refuse what is no scale, or no number of wavelets per octave."""
    for name, value in (("J", J), ("Q", Q)):
        if not isinstance(value, Integral) or value < 1:
            raise ValueError(f"{name}={value}: give a whole number of at least 1")


def _gaussian(n_samples: int, mean: float, width: float) -> np.ndarray:
    """Sample a Gaussian of frequency, which repeats after 1 cycle per sample."""
    frequencies = np.arange(n_samples) / n_samples
    periods = [np.exp(-((frequencies + p - mean) ** 2) / (2 * width**2)) for p in (-1, 0, 1)]
    return np.mean(periods, axis=0)


def _normalised(response: np.ndarray) -> np.ndarray:
    """Scale a filter so that the absolute values of its impulse response sum to 1."""
    return response / np.abs(scipy.fft.ifft(response)).sum()


def _resolution(highest: float) -> int:
    """Return how often a signal can be halved that holds no frequency above `highest`."""
    return math.floor(-math.log2(min(highest, 0.5))) - 1
