"""The stability index stays low while nothing changes, and rises when recordings get noisy."""

import numpy as np
import pytest

from digitlab import monitoring, pretrained, voices

N = 200


def test_the_index_is_the_sum_that_its_docstring_gives():
    reference, sample = np.repeat([0.0, 1.0], [10, 30]), np.repeat([0.0, 1.0], [30, 10])
    q, p = np.array([[10.5, 30.5], [30.5, 10.5]]) / 41
    expected = np.sum((p - q) * np.log(p / q))
    assert np.isclose(monitoring.population_stability_index(reference, sample, 2), expected)
    assert monitoring.population_stability_index(reference, reference) == 0


def test_ties_at_one_do_no_harm():
    certain = np.ones(N)
    assert monitoring.population_stability_index(certain, certain) == 0
    assert monitoring.population_stability_index(certain, certain - 0.5) > 1


@pytest.mark.parametrize(("n_reference", "n_sample"), [(9, 50), (50, 0)])
def test_too_few_values_are_refused(n_reference, n_sample):
    with pytest.raises(ValueError, match="give at least 10 and 1"):
        monitoring.population_stability_index(np.zeros(n_reference), np.zeros(n_sample))


def test_the_limit_is_rarely_exceeded_if_nothing_changes():
    rng = np.random.default_rng(0)
    pairs = rng.beta(5, 1, size=(2000, 2, N))
    indices = np.array([monitoring.population_stability_index(*pair) for pair in pairs])
    for level in (0.9, 0.99):
        limit = monitoring.stability_limit(N, N, level=level)
        assert np.mean(indices > limit) == pytest.approx(1 - level, rel=0.6)


def test_noise_in_the_recordings_raises_the_index_of_a_real_recogniser():
    pytest.importorskip("torch")
    recogniser = pretrained.load()
    n, n_samples = 60, recogniser.preparation.n_samples
    spoken = [voices.say(i % 10, speaker=i // 10, rate=8000)[:n_samples] for i in range(2 * n)]
    clips = np.stack([recogniser.preparation.fit(word) for word in spoken])
    noise = np.random.default_rng(7).normal(0, 0.2, (n, n_samples)).astype(np.float32)
    drift = monitoring.Drift(n)
    for value in recogniser.probabilities(clips).max(axis=1):
        drift.add(value)
    assert 0 <= drift.index() < drift.limit
    for value in recogniser.probabilities(clips[n:] + noise).max(axis=1):
        drift.add(value)
    assert drift.index() > drift.limit


def test_nothing_is_said_until_reference_and_window_are_full():
    drift = monitoring.Drift(n=20)
    values = np.random.default_rng(0).uniform(size=39)
    for value in values:
        drift.add(value)
        assert np.isnan(drift.index())
    drift.add(0.5)
    before = drift.index()
    assert before == monitoring.population_stability_index(values[:20], [*values[20:], 0.5])
    for _ in range(20):  # the window forgets, the reference does not
        drift.add(0.5)
    assert drift.index() == monitoring.population_stability_index(values[:20], np.full(20, 0.5))


def test_values_that_cannot_be_compared_are_refused():
    with pytest.raises(ValueError, match="NaN or infinite: leave them out"):
        monitoring.population_stability_index(np.zeros(N), np.array([0.5, np.nan]))
    with pytest.raises(ValueError, match="nan cannot be compared"):
        monitoring.Drift().add(np.nan)
    with pytest.raises(ValueError, match="9 values are too few to compare: take 10"):
        monitoring.Drift(9)
