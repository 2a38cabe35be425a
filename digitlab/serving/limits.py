"""How much a service takes."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """How much a service takes, and how long it waits.

    Attributes
    ----------
    n_bytes : int
        Of a recording's file. 30 s in stereo, at 48 kHz and 16 bits, are 5.8 MB.
    seconds : float
        Of a recording.
    upload_s : float
        How long a client may take to send it.
    n_waiting : int
        How many recordings may be on their way through the service. More are sent away.
    batch_size : int
        How many are answered together; 1 answers one after the other.
    n_drift : int
        How many answers :class:`digitlab.monitoring.Drift` compares.

    Notes
    -----
    At most ``n_waiting`` files of ``n_bytes`` are in memory at once. Taught in chapter 17.

    Examples
    --------
    >>> Limits(batch_size=1).n_waiting
    64
    """

    n_bytes: int = 6_000_000
    seconds: float = 30.0
    upload_s: float = 10.0
    n_waiting: int = 64
    batch_size: int = 32
    n_drift: int = 500
