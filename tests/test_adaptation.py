"""A recogniser learns a voice, and keeps what it should."""

import numpy as np
import pytest
from click.testing import CliRunner

from digitlab import corpora, experiment, perturbation, pretrained, recipes, voices
from digitlab.cli import main

torch = pytest.importorskip("torch")

from digitlab import adaptation, recognisers  # noqa: E402

RATE = 8000
STRANGE = 107  # a synthetic speaker whom the packaged model understands badly


@pytest.fixture(scope="module")
def recogniser():
    return pretrained.load()


def clips_of(recogniser, speaker, takes):
    """Return clips of all digits by a synthetic speaker, and their labels."""
    said = [voices.say(d, speaker=speaker, take=t, rate=RATE) for t in takes for d in range(10)]
    clips = [recogniser.preparation.fit(samples) for samples in said]
    return np.stack(clips), np.tile(np.arange(10), len(takes))


@pytest.fixture(scope="module")
def weak():
    """Return a network that two short epochs have taught next to nothing."""
    return experiment.run("B1", corpus="voices", scale="smoke", epochs=2).recogniser


def accuracy(recogniser, clips, labels):
    return np.mean(recogniser.probabilities(clips).argmax(axis=1) == labels)


@pytest.mark.parametrize("way", adaptation.WAYS)
def test_the_original_stays_as_it_is_and_the_answer_is_repeatable(weak, way):
    clips, labels = clips_of(weak, STRANGE, [0])
    before = weak.probabilities(clips)
    first, second = (adaptation.adapt(weak, clips, labels, way=way) for _ in range(2))
    assert np.array_equal(weak.probabilities(clips), before)
    assert np.array_equal(first.probabilities(clips), second.probabilities(clips))
    assert np.abs(first.probabilities(clips) - before).max() > 0.01
    assert first.recipe == f"{weak.recipe}, {way} adapted"


def test_only_what_the_way_names_changes(weak):
    clips, labels = clips_of(weak, STRANGE, [0])
    old = weak.model.state_dict()
    changed = {
        way: {
            name
            for name, values in adaptation.adapt(weak, clips, labels, way=way)
            .model.state_dict()
            .items()
            if not torch.equal(values, old[name]) and "num_batches" not in name
        }
        for way in adaptation.WAYS
    }
    statistics = {name for name in old if "running" in name}
    *_, last = (name.rpartition(".")[0] for name in old if name.endswith("bias"))
    assert changed["statistics"] == statistics
    assert changed["last layer"] == {f"{last}.weight", f"{last}.bias"}
    assert not changed["everything"] & statistics and len(changed["everything"]) > 10


def test_a_weak_network_learns_the_voice(weak):
    own, labels = clips_of(weak, STRANGE, range(3))
    test, truth = clips_of(weak, STRANGE, range(5, 9))
    before = accuracy(weak, test, truth)
    for way in ("last layer", "everything"):
        adapted = adaptation.adapt(weak, own, labels, way=way)
        assert accuracy(adapted, test, truth) > before + 0.15


def test_what_is_no_digit_is_still_refused(recogniser):
    clips, labels = clips_of(recogniser, STRANGE, range(3))
    adapted = adaptation.adapt(recogniser, clips, labels)
    sounds = perturbation.sounds_without_speech(60, clips.shape[1], RATE, seed=9)
    refused = adapted.probabilities(sounds)[:, 10] > adapted.refuse_above
    assert refused.mean() > 0.9
    assert accuracy(adapted, *clips_of(recogniser, STRANGE, [8, 9])) > 0.9


def test_statistics_are_weighted_by_clips():
    layer = torch.nn.BatchNorm1d(3)
    rng = np.random.default_rng(0)
    first, second = rng.normal(1, 2, (40, 3)), rng.normal(-1, 3, (24, 3))
    layer.running_mean.copy_(torch.tensor(first.mean(axis=0)))
    layer.running_var.copy_(torch.tensor(first.var(axis=0)))
    adaptation.mix_statistics(layer, second, n_before=40)
    both = np.concatenate([first, second])
    assert np.allclose(layer.running_mean, both.mean(axis=0), atol=1e-5)
    assert np.allclose(layer.running_var, both.var(axis=0), rtol=0.03)  # n - 1 against n
    assert layer.momentum == 0.1 and not layer.training


def test_what_cannot_be_adapted_is_refused(recogniser):
    clips, labels = clips_of(recogniser, 1, [0])
    for change, problem in (
        ({"way": "magic"}, "there is no way 'magic'"),
        ({"waveforms": clips[:, :100]}, r"clips of shape \(n_clips, 8192\)"),
        ({"waveforms": clips[:0], "labels": labels[:0]}, "are needed"),
        ({"labels": labels + 5}, "a label from 0 to 10"),
        ({"labels": labels[:3]}, "for each of the clips"),
        ({"waveforms": clips[:8], "labels": labels[:8]}, "there is no recording of 8, 9: "),
    ):
        arguments = {"waveforms": clips, "labels": labels} | change
        with pytest.raises(ValueError, match=problem):
            adaptation.adapt(recogniser, **arguments)
    k2 = experiment.run("K2", corpus="voices", scale="smoke", epochs=1).recogniser
    with pytest.raises(ValueError, match=r"works on log_scattering in torch: .* such as B1 and B2"):
        adaptation.adapt(k2, clips, labels)
    assert recipes.find("B1").features == adaptation.FEATURES


def test_the_command_line_adapts_saves_and_tells_what_it_gained(tmp_path, monkeypatch):
    monkeypatch.setattr(adaptation, "EPOCHS", 1)  # how well it learns is tested above
    folder = tmp_path / "mine"
    voices.write_corpus(folder, n_speakers=1, n_takes=3)
    file = tmp_path / "mine.npz"
    run = CliRunner().invoke(main, ["adapt", str(folder), "--save", str(file)])
    assert run.exit_code == 0, run.output
    assert "Of 10 recordings held back, " in run.output and "Adapted to 30" in run.output
    adapted = recognisers.load(file)
    assert adapted.recipe == "B2, everything adapted" and len(adapted.classes) == 11
    assert adapted.corpora == ["speech_commands", "fsdd", "audiomnist"]
    assert "speakers" not in run.output  # there is one
    corpus = corpora.load(folder)
    answer = adapted.predict(corpus.read(0), corpus.rate)
    assert answer.label == corpus.classes[corpus.table["label"][0]]
    again = CliRunner().invoke(main, ["adapt", str(folder), "--save", str(file)])
    assert again.exit_code == 1 and "exists already" in again.output
    nothing = CliRunner().invoke(main, ["adapt", str(tmp_path / "no"), "--save", "x.npz"])
    assert nothing.exit_code == 1 and "Error" in nothing.output


def test_adapting_to_several_speakers_is_told(tmp_path):
    folder = tmp_path / "ours"
    voices.write_corpus(folder, n_speakers=2, n_takes=1)
    command = ["adapt", str(folder), "--save", str(tmp_path / "ours.npz"), "--way", "statistics"]
    run = CliRunner().invoke(main, command)
    assert run.exit_code == 0 and "These are recordings of 2 speakers (" in run.output
