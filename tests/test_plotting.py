"""A picture goes where it is asked to go, is labelled, and shows the numbers it was given."""

from itertools import combinations, pairwise

import matplotlib
import numpy as np
import pandas as pd
import pytest

matplotlib.use("Agg")

import matplotlib.pyplot as plt
from matplotlib.text import Text

from digitlab import audio, evaluation, features, plotting
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
    "alluvial": lambda ax: plotting.alluvial(np.eye(3, dtype=int), ("yes", "no", "up"), ax=ax),
    "probabilities": lambda ax: plotting.probabilities([0.1, 0.9], ("no", "yes"), true=1, ax=ax),
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
    assert ax.get_ylabel() or all(label.get_text().isalpha() for label in ax.get_yticklabels())


@pytest.mark.parametrize("plot", PLOTTERS.values(), ids=PLOTTERS)
def test_its_lettering_can_be_read_on_a_phone(plot):
    """A page shows it 350 px wide there; letters below 9 px are hard to read."""
    plotting.use_style()
    figure = plot(None).figure
    pixels_a_point = 350 / 72 / figure.get_figwidth()
    small = [
        text.get_text()
        for text in figure.findobj(Text)
        if text.get_visible() and text.get_text() and text.get_fontsize() * pixels_a_point < 9
    ]
    assert not small


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


@pytest.mark.parametrize("plot", [plotting.waveform, plotting.spectrum])
def test_integer_samples_are_drawn_as_the_sound_that_they_are(plot):
    sound = 0.5 * np.sin(np.arange(800))
    for samples in (np.int16(np.rint(sound * 32768)), np.uint8(np.rint(sound * 128) + 128)):
        ax, same = plot(samples, 8000), plot(audio.to_float(samples), 8000)
        assert np.array_equal(ax.lines[0].get_ydata(), same.lines[0].get_ydata())
    assert np.allclose(plotting.waveform(samples, 8000).lines[0].get_ydata(), sound, atol=0.01)


@pytest.mark.parametrize("plot", [plotting.waveform, plotting.spectrum])
def test_stereo_is_two_curves_and_the_wrong_way_round_is_refused(plot):
    stereo = np.random.default_rng(0).uniform(-1, 1, (800, 2))
    ax = plot(stereo, 8000)
    assert len(ax.lines) == 2 and len(ax.lines[0].get_ydata()) > 400
    with pytest.raises(ValueError, match="transpose"):
        plot(stereo.T, 8000)


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
    assert (ax.get_ylabel(), ax.get_xlabel()) == ("true", "predicted")


def test_the_names_of_thirty_words_do_not_run_into_each_other():
    ax = plotting.confusion(np.diag(np.arange(1, 31)), tuple(WORDS))
    ax.figure.canvas.draw()
    for labels in (ax.get_xticklabels(), ax.get_yticklabels()):
        boxes = [label.get_window_extent() for label in labels]
        assert len(boxes) == 30
        assert not any(one.overlaps(other) for one, other in pairwise(boxes))


def test_the_names_of_thirty_words_can_be_read_on_a_phone():
    """A page shows the matrix 350 px wide there; letters below 9 px are hard to read."""
    plotting.use_style()
    ax = plotting.confusion(np.diag(np.arange(1, 31)), tuple(WORDS))
    points = [label.get_fontsize() for label in (*ax.get_xticklabels(), *ax.get_yticklabels())]
    assert min(points) * 350 / 72 / ax.figure.get_figwidth() >= 9


def test_a_class_without_clips_does_not_break_the_matrix():
    plotting.confusion(np.zeros((3, 3), int), ("a", "b", "c")).figure.canvas.draw()


WORDS = {  # Speech Commands as a student has it who downloads a part: ten large words, twenty small
    "bed": 40, "bird": 13, "cat": 42, "dog": 7, "down": 242, "eight": 23, "five": 21, "four": 17,
    "go": 250, "happy": 47, "house": 14, "left": 256, "marvin": 14, "nine": 21, "no": 242,
    "off": 249, "on": 245, "one": 20, "right": 254, "seven": 14, "sheila": 13, "six": 24,
    "stop": 250, "three": 19, "tree": 14, "two": 21, "up": 260, "wow": 16, "yes": 260, "zero": 20,
}  # fmt: skip
ALIKE = (
    "tree three, go no, bed bird, dog go, off up, down no, down go, five nine, right nine, on one, "
    "eight left, left yes, stop up, six yes, zero no, wow on, marvin on, four off, happy up"
)


def confused(words=WORDS, accuracy=0.8, seed=0):
    """Counts of a system that takes words for such as sound alike, and now and then for others."""
    rng, names = np.random.default_rng(seed), list(words)
    confusable = np.full((len(words), len(words)), 0.1)
    for pair in ALIKE.split(", "):
        if set(pair.split()) <= set(words):
            i, j = map(names.index, pair.split())
            confusable[i, j] = confusable[j, i] = 5
    np.fill_diagonal(confusable, 0)
    chances = (1 - accuracy) * confusable / confusable.sum(axis=1, keepdims=True)
    np.fill_diagonal(chances, accuracy)
    return np.array([rng.multinomial(n, p) for n, p in zip(words.values(), chances, strict=True)])


TEN = {word: n for word, n in WORDS.items() if n > 200}


def flows_of(ax):
    """Top on the left, top on the right and width of each flow, as drawn."""
    corners = np.array([patch.get_path().vertices for patch in ax.patches if is_flow(patch)])
    assert np.allclose(corners[:, 7, 1] - corners[:, 0, 1], corners[:, 4, 1] - corners[:, 3, 1])
    return np.column_stack(
        [corners[:, 0, 1], corners[:, 3, 1], corners[:, 7, 1] - corners[:, 0, 1]]
    )


def is_flow(patch):
    return isinstance(patch, matplotlib.patches.PathPatch)


def bars_of(ax):
    """Top and height of the bars on the left, and on the right."""
    return [np.array([(b.get_y(), b.get_height()) for b in bars]) for bars in ax.containers]


def names_of(ax):
    return [label.get_text() for label in ax.get_yticklabels()]


def n_crossings(pairs):
    return sum((a - c) * (b - d) < 0 for (a, b), (c, d) in combinations(pairs, 2))


def standing_in(top, bars):
    """The number of the bar in which each flow begins."""
    inside = (bars[:, 0] <= top[:, None] + 1e-6) & (top[:, None] < bars.sum(axis=1) - 1e-6)
    assert (inside.sum(axis=1) == 1).all()
    return inside.argmax(axis=1)


@pytest.mark.parametrize("words", [TEN, WORDS], ids=len)
def test_flows_are_as_wide_as_their_clips_and_fill_the_bars(words):
    matrix, classes = confused(words), tuple(words)
    ax = plotting.alluvial(matrix, classes, threshold=0)
    left, right, width = flows_of(ax).T
    predicted, true = bars_of(ax)
    order = [classes.index(name) for name in names_of(ax)]
    assert np.allclose(predicted[:, 1], matrix.sum(axis=0)[order])
    assert np.allclose(true[:, 1], matrix.sum(axis=1)[order])
    shown = np.zeros_like(matrix)
    shown[standing_in(right, true), standing_in(left, predicted)] = width.round()
    assert (shown == matrix[np.ix_(order, order)]).all()
    for tops, bars in ((left, predicted), (right, true)):
        stacked = tops.argsort()
        ends = tops[stacked] + width[stacked]
        assert (ends[:-1] <= tops[stacked][1:] + 1e-6).all(), "flows overlap in a bar"
        assert (bars[:-1].sum(axis=1) < bars[1:, 0]).all(), "bars overlap"


def test_correct_flows_are_level_and_pale_and_errors_are_dark_in_grey():
    matrix = confused()
    ax = plotting.alluvial(matrix, tuple(WORDS))
    predicted, true = bars_of(ax)
    left, right, _ = flows_of(ax).T
    correct = standing_in(left, predicted) == standing_in(right, true)
    assert np.allclose(left[correct], right[correct])
    colours = np.array([patch.get_facecolor()[:3] for patch in ax.patches if is_flow(patch)])
    grey = colours @ (0.2126, 0.7152, 0.0722)
    assert grey[correct].min() > 0.75 and grey[~correct].max() < 0.5
    bars = np.array([bar.get_facecolor()[:3] for bar in ax.containers[1]])
    assert (colours[~correct] == bars[standing_in(right, true)[~correct]]).all()
    assert (bars[:-1] != bars[1:]).any(axis=1).all(), "neighbours differ"


def test_rare_pairs_are_not_drawn_but_counted_and_keep_their_place():
    matrix = confused()
    total = matrix.sum()
    ax = plotting.alluvial(matrix, tuple(WORDS), threshold=0.002)
    width = flows_of(ax)[:, 2]
    drawn = matrix[matrix >= 0.002 * total]
    assert sorted(width.round()) == sorted(drawn)
    hidden = matrix[(matrix > 0) & (matrix < 0.002 * total)]
    assert f"not drawn: {len(hidden)}; their clips: {hidden.sum()}" in ax.get_xlabel()
    assert bars_of(ax)[1][:, 1].sum() == pytest.approx(total)
    assert "not drawn" not in plotting.alluvial(matrix, tuple(WORDS), threshold=0).get_xlabel()


@pytest.mark.parametrize("words, share", [(TEN, 0.7), (WORDS, 0.35)], ids=["10", "30"])
@pytest.mark.parametrize("seed", [0, 1])
def test_flows_cross_far_less_than_in_alphabetical_order(words, share, seed):
    matrix, classes = confused(words, seed=seed), tuple(words)
    ax = plotting.alluvial(matrix, classes)
    table = evaluation.flows(matrix, classes).query("shown")

    def crossings(order):
        return n_crossings(
            [(order.index(f.true), order.index(f.predicted)) for f in table.itertuples()]
        )

    assert crossings(names_of(ax)) < share * crossings(list(classes))
    assert n_crossings(flows_of(ax)[:, :2]) == crossings(names_of(ax)), "none cross within a bar"


def test_where_nothing_is_confused_classes_keep_their_order():
    assert names_of(plotting.alluvial(3 * np.eye(10, dtype=int), tuple("0123456789"))) == list(
        "0123456789"
    )


@pytest.mark.parametrize("place", ["its own figure", "a wide one", "one of two"])
def test_no_names_overlap_even_of_thirty_words(place):
    ax = None
    if place == "a wide one":
        ax = plt.subplots(figsize=(6.8, 3.4), layout="constrained")[1]
    if place == "one of two":
        ax = plt.subplots(1, 2, figsize=(9, 7), layout="constrained")[1][1]
    ax = plotting.alluvial(confused(), tuple(WORDS), title="30 words", ax=ax)
    ax.figure.canvas.draw()
    texts = [text for text in ax.findobj(Text) if text.get_text() and text.get_visible()]
    assert len(texts) == 2 * 30 + len(["predicted", "true", "title", "key"])
    boxes = [text.get_window_extent() for text in texts]
    assert not any(a.overlaps(b) for a, b in combinations(boxes, 2))
    page = ax.figure.bbox
    assert all(page.containsx(x) and page.containsy(y) for box in boxes for x, y in box.corners())


def test_beside_a_word_stands_how_many_of_its_clips_were_correct():
    ax = plotting.alluvial(np.array([[8.0, 2], [0, 3]]), ("no", "go"))
    assert {label.get_text() for label in ax.child_axes[0].get_yticklabels()} == {
        "no  8/10",
        "go  3/3",
    }


@pytest.mark.parametrize(
    "matrix, classes, threshold",
    [
        ([[7]], ["yes"], 0),
        ([[0, 3], [2, 0]], ["yes", "no"], 0),
        ([[5, 3, 0], [2, 0, 0], [0, 0, 0]], ["yes", "no", "never"], 0),
        ([[5, 5], [5, 5]], ["yes", "no"], 0.9),
    ],
    ids=["one class", "none right", "a class that is never true nor predicted", "nothing drawn"],
)
def test_odd_matrices_are_drawn_too(matrix, classes, threshold):
    ax = plotting.alluvial(matrix, classes, threshold=threshold)
    ax.figure.canvas.draw()
    assert sorted(names_of(ax)) == sorted(classes)
    assert sum(map(is_flow, ax.patches)) == (0 if threshold else np.count_nonzero(matrix))


def test_flows_are_drawn_into_a_part_of_a_figure_too():
    left, _ = plt.figure().subfigures(1, 2)
    ax = plotting.alluvial([[5, 1], [0, 4]], ("yes", "no"), ax=left.subplots())
    assert names_of(ax) == ["yes", "no"]


def test_what_is_no_confusion_matrix_is_not_drawn():
    with pytest.raises(ValueError, match="2 different names for the 3 classes"):
        plotting.alluvial(np.eye(3, dtype=int), ("yes", "no"))
    assert not plt.get_fignums()


def test_probabilities_are_drawn_as_they_are_and_the_true_class_is_hatched():
    ax = plotting.probabilities([0.1, 0.7, 0.2], tuple("abc"), true=2)
    assert [bar.get_height() for bar in ax.patches] == [0.1, 0.7, 0.2]
    assert [bool(bar.get_hatch()) for bar in ax.patches] == [False, False, True]
    assert [label.get_text() for label in ax.get_xticklabels()] == list("abc")


def test_curves_can_be_told_apart_without_colour():
    ax = plotting.learning_curve(HISTORY)
    [other] = [axes for axes in ax.figure.axes if axes is not ax]
    assert ax.lines[0].get_linestyle() != other.lines[0].get_linestyle()


def test_the_legend_hides_no_learning_curve_and_epochs_are_whole_numbers():
    """Where accuracy rises and loss falls, curves reach every part of the axes."""
    ax = plotting.learning_curve(HISTORY)
    ax.figure.canvas.draw()
    assert not ax.get_legend().get_window_extent().overlaps(ax.get_window_extent())
    assert all(tick == int(tick) for tick in ax.get_xticks())


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
