"""A picture goes where it is asked to go, is labelled, and shows the numbers it was given."""

import matplotlib
import numpy as np
import pandas as pd
import pytest

matplotlib.use("Agg")

import matplotlib.pyplot as plt

from digitlab import features, plotting
from digitlab.training import History

FREQUENCIES = np.geomspace(3900, 20, 76)
TABLE = pd.DataFrame(
    {"accuracy": [0.4, 1.0], "low": [0.3, 0.9], "high": [0.5, 1.0]}, index=["anna", "ben"]
)
BINS = TABLE.assign(confidence=[0.6, 0.95], n_clips=[20, 60])
HISTORY = History(loss=[2.0, 0.5], accuracy=[0.5, 0.9])
PLOTTERS = {
    "waveform": lambda ax: plotting.waveform(np.sin(np.arange(800)), 8000, ax=ax),
    "spectrum": lambda ax: plotting.spectrum(np.sin(np.arange(800)), 8000, ax=ax),
    "spectrogram": lambda ax: plotting.spectrogram(
        np.ones((129, 32)), np.arange(32) / 50, np.linspace(0, 4000, 129), ax=ax
    ),
    "filter_bank": lambda ax: plotting.filter_bank(*features.filter_bank(), 8000, ax=ax),
    "scattering": lambda ax: plotting.scattering(np.ones((76, 32)), FREQUENCIES, 1.0, ax=ax),
    "confusion": lambda ax: plotting.confusion(np.eye(10, dtype=int), tuple("0123456789"), ax=ax),
    "learning_curve": lambda ax: plotting.learning_curve(HISTORY, ax=ax),
    "accuracies": lambda ax: plotting.accuracies(TABLE, ax=ax),
    "reliability": lambda ax: plotting.reliability(BINS, ax=ax),
}


@pytest.fixture(autouse=True)
def no_figures_but_ours():
    plt.close("all")
    yield
    plt.close("all")


@pytest.mark.parametrize("plot", PLOTTERS.values(), ids=PLOTTERS)
def test_it_draws_where_it_is_told_and_returns_it(plot):
    _, ax = plt.subplots()
    assert plot(ax) is ax
    assert plt.get_fignums() == [1]
    assert plot(None).figure.number == 2


@pytest.mark.parametrize("plot", PLOTTERS.values(), ids=PLOTTERS)
def test_its_axes_are_labelled(plot):
    ax = plot(None)
    assert ax.get_xlabel()
    assert ax.get_ylabel() or [label.get_text() for label in ax.get_yticklabels()] == list(
        TABLE.index
    )


def test_a_waveform_is_drawn_against_seconds():
    ax = plotting.waveform(np.sin(np.arange(800)), 8000)
    assert ax.get_xlim() == (0, 0.1)
    assert np.allclose(ax.lines[0].get_ydata(), np.sin(np.arange(800)))


def test_a_spectrum_peaks_at_0_db_where_the_tone_is():
    tone = 0.3 * np.sin(2 * np.pi * 1000 * np.arange(8000) / 8000)
    hertz, level = plotting.spectrum(tone, 8000).lines[0].get_data()
    assert hertz[level.argmax()] == 1000
    assert level.max() == pytest.approx(0)
    assert np.isfinite(plotting.spectrum(np.zeros(800), 8000).lines[0].get_ydata()).all()


def test_a_spectrogram_puts_each_value_at_its_time_and_frequency():
    values = np.zeros((5, 4))
    values[3, 2] = 1
    mesh = plotting.spectrogram(values, [0, 0.1, 0.2, 0.3], [0, 50, 100, 200, 400]).collections[0]
    assert mesh.get_array().argmax() == 3 * 4 + 2
    box = mesh.get_paths()[3 * 4 + 2].get_extents()
    assert box.contains(0.2, 200)
    assert not box.contains(0.1, 200)


def test_a_confusion_matrix_shows_its_counts_and_names_the_digits_from_0():
    counts = np.diag(np.arange(1, 11))
    counts[3, 5] = 4
    ax = plotting.confusion(counts, tuple("0123456789"))
    assert [label.get_text() for label in ax.get_xticklabels()] == list("0123456789")
    assert sorted(int(text.get_text()) for text in ax.texts if text.get_text()) == sorted(
        [*range(1, 11), 4]
    )
    assert "said" in ax.get_ylabel() and "heard" in ax.get_xlabel()


def test_a_class_that_nobody_said_does_not_break_the_matrix():
    plotting.confusion(np.zeros((3, 3), int), ("a", "b", "c")).figure.canvas.draw()


def test_curves_can_be_told_apart_without_colour():
    ax = plotting.learning_curve(HISTORY)
    [other] = [axes for axes in ax.figure.axes if axes is not ax]
    assert ax.lines[0].get_linestyle() != other.lines[0].get_linestyle()


def test_validation_is_drawn_beside_training_where_there_is_any():
    assert len(plotting.learning_curve(HISTORY).lines) == 1
    both = History(
        loss=[2.0, 0.5], accuracy=[0.5, 0.9], validation_loss=[2.1, 1], validation_accuracy=[0, 0.7]
    )
    ax = plotting.learning_curve(both)
    [right] = [axes for axes in ax.figure.axes if axes is not ax]
    assert [line.get_ydata().tolist() for line in ax.lines] == [both.loss, both.validation_loss]
    assert len({line.get_marker() for line in ax.lines}) == 2
    assert right.get_ylim()[0] == 0
    labels = [text.get_text() for text in ax.get_legend().get_texts()]
    assert labels == ["loss", "validation loss", "accuracy", "validation accuracy"]


def test_a_reliability_diagram_puts_accuracy_over_confidence_and_many_clips_in_large_dots():
    ax = plotting.reliability(BINS)
    dots = ax.collections[-1]
    assert dots.get_offsets().tolist() == [[0.6, 0.4], [0.95, 1.0]]
    assert dots.get_sizes()[1] > dots.get_sizes()[0]
    assert ax.lines[0].get_xydata().tolist() == [[0, 0], [1, 1]]
