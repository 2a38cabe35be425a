"""What a service counts and measures, in the format of Prometheus."""

import numpy as np

from digitlab.environment import require
from digitlab.layouts import OTHER

require("prometheus_client", extra="serve")

from prometheus_client import (  # noqa: E402
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    generate_latest,
)

LATENCIES_S = (0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.5, 1, 2, 5, 10)
BATCHES = (1, 2, 4, 8, 16, 32, 64)
LEVELS_DB = tuple(range(-90, 1, 10))
NOISE_DB = tuple(range(0, 61, 5))
CONFIDENCES = (0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99, 0.999, 1)


class Metrics:
    """The numbers of one service.

    Parameters
    ----------
    classes : tuple of str
        What the recogniser can answer.

    Examples
    --------
    >>> metrics = Metrics(("7", "other"))
    >>> metrics.batches.observe(3)
    >>> 'digitlab_batch_clips_bucket{le="4.0"} 1.0' in metrics.text()
    True
    """

    def __init__(self, classes: tuple[str, ...]) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)  # memory, processor time and open files, on Linux
        self.requests = self._counter("requests", "Recordings posted, by status", "status")
        self.answers = self._counter("answers", "Answers, by label; other: no digit", "label")
        self.latencies = self._histogram(
            "latency_seconds", "From a request's headers to its answer", LATENCIES_S
        )
        self.batches = self._histogram("batch_clips", "Clips answered together", BATCHES)
        self.levels = self._histogram("level_db", "RMS of recordings, re full scale", LEVELS_DB)
        self.ratios = self._histogram(
            "signal_to_noise_db", "Loudest frame above the quietest tenth of the frames", NOISE_DB
        )
        self.confidences = self._histogram(
            "confidence", "Highest probability of each answer", CONFIDENCES
        )
        self.in_progress = self._gauge("in_progress", "Recordings on their way through")
        self.waiting = self._gauge("waiting", "Clips that wait for the recogniser")
        self.drift = self._gauge("drift_index", "Population stability index of the confidences")
        self.drift_limit = self._gauge(
            "drift_limit", "What the index rarely exceeds if nothing changed"
        )
        self.drift.set(np.nan)
        for label in (*classes, OTHER):
            self.answers.labels(label)

    def text(self) -> str:
        """Return all of them, a line a number."""
        return generate_latest(self.registry).decode()

    def _counter(self, name: str, about: str, label: str) -> Counter:
        return Counter(f"digitlab_{name}", about, [label], registry=self.registry)

    def _gauge(self, name: str, about: str) -> Gauge:
        return Gauge(f"digitlab_{name}", about, registry=self.registry)

    def _histogram(self, name: str, about: str, buckets: tuple[float, ...]) -> Histogram:
        return Histogram(f"digitlab_{name}", about, buckets=buckets, registry=self.registry)
