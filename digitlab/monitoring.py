"""Whether a recogniser still meets recordings like those it met before.

Nobody tells a service which digit was spoken, so its accuracy cannot be watched. What can be
watched is how sure it is: if the highest probabilities come to be distributed otherwise, something
has changed. What changed, and whether answers are wrong, only listening and labels can tell.
"""

from collections import deque

import numpy as np

N_BINS = 10
LEVEL = 0.999  # of a thousand windows of unchanged recordings, one exceeds the limit


def population_stability_index(
    reference: np.ndarray, sample: np.ndarray, n_bins: int = N_BINS
) -> float:
    """Return how far the distribution of a sample has moved away from that of a reference.

    Parameters
    ----------
    reference : array of shape (n_reference,)
        Values from when all was well.
    sample : array of shape (n_sample,)
        Values of late.
    n_bins : int
        The bins hold equally many values of the reference, as far as ties allow.

    Returns
    -------
    float
        The sum over the bins of (p - q) ln(p / q), where q is the share of the reference and p that
        of the sample. It is 0 for equal shares.

    Raises
    ------
    ValueError
        If there are fewer values in the reference than bins, or none in the sample, or if some of
        them are not finite.

    Notes
    -----
    It is the symmetric divergence of H. Jeffreys, under the name that it has in N. Siddiqi, "Credit
    Risk Scorecards", Wiley, 2006. Half a value is added to each count, so that an empty bin does
    not make it infinite. Taught in chapter 17.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> reference, same, moved = rng.normal(size=(3, 500)) + [[0], [0], [1]]
    >>> round(population_stability_index(reference, same), 2)
    0.03
    >>> round(population_stability_index(reference, moved), 1)
    1.0
    """
    if len(reference) < n_bins or not len(sample):
        raise ValueError(
            f"{len(reference)} values of the reference and {len(sample)} others: give at least "
            f"{n_bins} and 1"
        )
    if not (np.isfinite(reference).all() and np.isfinite(sample).all()):
        raise ValueError("some values are NaN or infinite: leave them out")
    inner = np.unique(np.quantile(reference, np.arange(1, n_bins) / n_bins))
    shares = []
    for values in (reference, sample):
        bins = np.searchsorted(inner, values, side="right")
        counts = np.bincount(bins, minlength=len(inner) + 1) + 0.5
        shares.append(counts / counts.sum())
    q, p = shares
    return float(np.sum((p - q) * np.log(p / q)))


def stability_limit(
    n_reference: int, n_sample: int, n_bins: int = N_BINS, level: float = LEVEL
) -> float:
    """Return what the index stays below, mostly, if nothing has changed.

    Parameters
    ----------
    n_reference, n_sample, n_bins : int
        As for :func:`population_stability_index`.
    level : float
        Share of samples that stay below, between 0 and 1.

    Returns
    -------
    float
        The fewer values, the higher: chance alone moves small samples.

    Notes
    -----
    For samples that are not small, the index divided by 1/n_reference + 1/n_sample has a
    chi-squared distribution with one degree of freedom less than there are bins: B. Yurdakul and
    J. Naranjo, "Statistical properties of the population stability index", Journal of Risk Model
    Validation 14, 2020. Taught in chapter 17.

    Examples
    --------
    >>> round(stability_limit(500, 500), 3), round(stability_limit(100, 100), 3)
    (0.112, 0.558)
    """
    from scipy.stats import chi2

    return float(chi2.ppf(level, n_bins - 1) * (1 / n_reference + 1 / n_sample))


class Drift:
    """A reference, and a window that slides over the values that come after it.

    Parameters
    ----------
    n : int
        How many values the reference and the window hold. The first `n` that are added are the
        reference.

    Attributes
    ----------
    limit : float
        What `index` mostly stays below if nothing changes: :func:`stability_limit`.

    Raises
    ------
    ValueError
        If `n` is below 10, of which no index can be computed.

    Notes
    -----
    If the first recordings were bad already, later ones are compared with bad ones. The window is
    looked at over and over, so that the limit is exceeded by chance now and then: it is a reason to
    listen, not a proof. Taught in chapter 17.

    Examples
    --------
    >>> drift = Drift(n=100)
    >>> for value in np.random.default_rng(0).uniform(size=200):
    ...     drift.add(value)
    >>> drift.index() < drift.limit
    True
    >>> for _ in range(50):
    ...     drift.add(0.1)
    >>> drift.index() > drift.limit
    True
    """

    def __init__(self, n: int = 500) -> None:
        if n < N_BINS:
            raise ValueError(f"{n} values are too few to compare: take {N_BINS} or more")
        self.limit = stability_limit(n, n)
        self._n = n
        self._reference: list[float] = []
        self._window: deque[float] = deque(maxlen=n)

    def add(self, value: float) -> None:
        """Take the next value.

        Parameters
        ----------
        value : float
            Such as the highest probability of an answer.

        Raises
        ------
        ValueError
            If it is NaN or infinite.
        """
        if not np.isfinite(value):
            raise ValueError(f"{value} cannot be compared with other values: leave it out")
        is_reference = len(self._reference) < self._n
        (self._reference if is_reference else self._window).append(float(value))

    def index(self) -> float:
        """Return the stability index of the window, or NaN while it is not full."""
        if len(self._window) < self._n:
            return float("nan")
        return population_stability_index(np.array(self._reference), np.array(self._window))
