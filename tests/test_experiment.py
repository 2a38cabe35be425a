"""A recipe runs from a corpus to a report: the same each time, at any rate, in either framework."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from digitlab import audio, augment, corpora, experiment, provenance, recipes, splits, voices
from digitlab.environment import FRAMEWORKS, reports_here
from digitlab.preparation import prepare
from digitlab.recipes import RECIPES
from digitlab.training import EarlyStopping

FOUR = ("jackson", "nicolas", "theo", "yweweler")
LSTMS = {"L1": (4510, 56), "L2": (318218, 56), "L3": (4510, 64 * 9), "L4": (318218, 64 * 9)}
# one epoch, in batches that forty clips fill, of a part of each clip where a model takes samples
SMALL = {name: provenance.shortened(recipe) for name, recipe in RECIPES.items()}


@pytest.fixture(scope="session")
def report(corpus):
    return experiment.run("K2", corpus=corpus, scale="laptop")


@pytest.fixture(scope="session")
def plain(corpus, report):
    """Return the reports of K2 and K3 on the corpus as it is stored."""
    return {"K2": report, "K3": experiment.run("K3", corpus=corpus, scale="laptop")}


@pytest.fixture(scope="session")
def people(tmp_path_factory):
    """The four published speakers and a fifth, two takes each: hums that rise with the digit."""
    folder = tmp_path_factory.mktemp("people")
    time, rng = np.arange(2000) / 8000, np.random.default_rng(0)
    for digit in range(10):
        for speaker in (*FOUR, "george"):
            for take in range(2):
                hum = np.sin(2 * np.pi * (200 + 250 * digit) * time) / 2
                noise = rng.normal(0, 0.02, len(time))
                audio.write_wav(folder / f"{digit}_{speaker}_{take}.wav", hum + noise, 8000)
    return corpora.load(folder)


def test_k2_is_the_published_system(report):
    assert report.n_parameters == report.n_trainable == 3370
    assert report.framework == "torch"
    assert report.split == "official"
    assert (report.n_train, report.n_test) == (60, 150)
    assert len(report.history.loss) == 50


def test_k2_learns_the_synthetic_voices(corpus):
    report = experiment.run("K2", corpus=corpus, scale="laptop", split="random")
    assert report.test_accuracy > 0.6  # chance is 0.1
    assert report.train_accuracy > 0.9


def test_k3_understands_unseen_speakers_better_than_k2(tmp_path):
    """Twelve synthetic speakers: 0.88 and 0.72 measured."""
    voices.write_corpus(tmp_path / "twelve", n_speakers=12, n_takes=2)
    twelve = corpora.load(tmp_path / "twelve")
    k2, k3 = (
        experiment.run(name, corpus=twelve, scale="laptop", split="speaker")
        for name in ("K2", "K3")
    )
    assert k3.test_accuracy > k2.test_accuracy + 0.05


def test_the_same_seed_gives_the_same_predictions(corpus, report):
    again = experiment.run("K2", corpus=corpus, scale="laptop")
    assert np.array_equal(again.y_pred, report.y_pred)
    assert again.features_cached


def test_the_training_set_alone_sets_the_scale_of_the_features(corpus, monkeypatch):
    seen = []
    fit = experiment.StandardScaler.fit
    monkeypatch.setattr(
        experiment.StandardScaler, "fit", lambda self, x: seen.append(len(x)) or fit(self, x)
    )
    report = experiment.run("K2", corpus=corpus, scale="laptop")
    assert seen == [report.n_train]


def test_speakers_are_left_out_in_turn(corpus):
    report = experiment.run("K2", corpus=corpus, scale="laptop", split="speaker")
    assert len(report.parts) == 3
    assert {part.fold for part in report.parts} == set(corpus.table["speaker"])
    for part in report.parts:
        assert set(part.speakers) == {part.fold}
    assert report.n_test == len(corpus)


def test_at_a_terminal_several_trainings_show_a_bar(corpus, monkeypatch, capsys):
    few = {"corpus": corpus, "scale": "laptop", "epochs": 1}
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    experiment.run("K2", **few, seeds=2)
    assert "2/2" in capsys.readouterr().err
    experiment.run("K2", **few)
    assert "training" not in capsys.readouterr().err


def test_seeds_are_run_one_by_one(corpus, report):
    several = experiment.run("K2", corpus=corpus, scale="laptop", seeds=2)
    assert [part.seed for part in several.parts] == [42, 43]
    assert np.array_equal(several.parts[0].y_pred, report.y_pred)
    assert several.recogniser is None


@pytest.mark.parametrize("name, n_parameters", [("K2", 3370), ("K3", 16810)])
def test_both_frameworks_learn_it(name, n_parameters, corpus, plain):
    pytest.importorskip("keras")
    report = plain[name]
    twin = experiment.run(name, corpus=corpus, scale="laptop", framework="keras")
    assert report.n_parameters == n_parameters
    assert abs(twin.test_accuracy - report.test_accuracy) < 0.15


@pytest.mark.parametrize("framework", FRAMEWORKS)
@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_runs_in_both_frameworks(name, framework, people):
    pytest.importorskip(framework)
    few = people.select(people.table["speaker"].isin(FOUR[:2]))
    settings = SMALL[name] | {"test_size": 0.5, "set_aside": 0, "validates_on_test": True}
    report = experiment.run(
        name, framework=framework, corpus=few, scale="laptop", split="random", **settings
    )
    assert np.isfinite(report.history.validation_loss).all()
    assert (report.n_train, report.n_test) == (180 if RECIPES[name].copies else 20, 20)
    assert report.recipe == f"{name} (changed)"


@pytest.mark.parametrize("name", RECIPES)
def test_twins_have_as_many_parameters(name):
    twins = [pytest.importorskip(f"digitlab.models.{framework}") for framework in FRAMEWORKS]
    recipe = RECIPES[name]
    waveforms = np.zeros((1, recipe.preparation.n_samples), np.float32)
    shape = experiment.features.compute(recipe.features, waveforms, recipe.preparation.rate).shape
    counts = [
        models.count_parameters(
            getattr(models, recipe.model)(*shape[1:], n_classes=10, **recipe.model_settings)
        )
        for models in twins
    ]
    assert counts[0] == counts[1]


@pytest.mark.parametrize(
    "settings, words",
    [
        ({"recipe": "K9"}, "there is no recipe 'K9'"),
        ({"framework": "jax"}, "torch, keras"),
        ({"split": "fair"}, "official, random, speaker"),
        ({"scale": "huge"}, "smoke, laptop, full"),
        ({"seeds": 0}, "at least one"),
        ({"epoch": 3}, "has no epoch; it has name, title"),
        ({"device": "tpu:9"}, "tpu:9"),
        ({"device": "tpu:9", "framework": "keras"}, "tpu:9"),
    ],
)
def test_wrong_settings_are_refused(corpus, settings, words):
    with pytest.raises(ValueError, match=words):
        experiment.run(**{"recipe": "K2", "corpus": corpus, "scale": "laptop"} | settings)


def test_a_changed_recipe_leaves_the_book_s_own_as_it_is(corpus):
    report = experiment.run("K2", corpus=corpus, scale="laptop", epochs=3)
    own = experiment.run(replace(RECIPES["K2"], epochs=3), corpus=corpus, scale="laptop")
    assert report.history.epochs == own.history.epochs == 3
    assert report.recipe == own.recipe == "K2 (changed)"
    assert RECIPES["K2"].epochs == 50
    assert experiment.plan(RECIPES["K2"], corpus=corpus, scale="laptop").recipe.name == "K2"


# --- any rate, any length, any level ------------------------------------------------------------

CHANGES = {
    "16 kHz": lambda clip: (audio.resample(clip, 8000, 16000), 16000),
    "44.1 kHz": lambda clip: (audio.resample(clip, 8000, 44100), 44100),
    "48 kHz": lambda clip: (audio.resample(clip, 8000, 48000), 48000),
    "offset": lambda clip: (0.4 * clip + 0.1, 8000),
    "stereo": lambda clip: (np.stack([clip, clip], axis=1), 8000),
    "3 s": lambda clip: (np.concatenate([np.zeros(9600), clip, np.zeros(9000)]), 8000),
}


def stored(corpus, how, folder):
    """Store a corpus in another way."""
    folder.mkdir()
    for row, path in enumerate(corpus.table["path"]):
        samples, rate = CHANGES[how](audio.peak_normalize(corpus.read(row)) * 0.9)
        audio.write_wav(folder / path.name, np.clip(samples, -1, 1), rate)
    return corpora.load(folder)


@pytest.fixture(scope="session", params=CHANGES)
def changed(request, corpus, tmp_path_factory):
    """The corpus, stored in another way, how, and what K2 makes of it."""
    folder = tmp_path_factory.mktemp("changed") / "voices"
    other = stored(corpus, request.param, folder)
    return other, request.param, experiment.run("K2", corpus=other, scale="laptop")


def test_it_does_not_matter_how_a_corpus_is_stored(changed, plain):
    other, how, k2 = changed
    for again in (k2, experiment.run("K3", corpus=other, scale="laptop")):
        before = plain[again.recipe]
        assert again.framework == before.framework == "torch"
        assert again.test_accuracy > before.test_accuracy - 0.12
        assert np.mean(again.y_pred == before.y_pred) > 0.6
        words = {"offset": "DC offset", "stereo": "several channels", "3 s": "cut to its word"}
        assert words.get(how, "") in " ".join(again.notes)


@pytest.mark.parametrize("how", ["44.1 kHz", "offset", "3 s"])
@pytest.mark.parametrize("name", ["L5", "L6", "L7"])
def test_nor_for_systems_of_frames_and_samples(name, how, people, tmp_path):
    settings = {"framework": "torch", "scale": "laptop", "split": "random"}
    other = experiment.run(name, corpus=stored(people, how, tmp_path / "hums"), **settings)
    assert other.test_accuracy > 0.6  # chance is 0.1


@pytest.mark.parametrize("rate", [8000, 16000, 44100, 48000])
@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_gets_the_same_clips_at_every_rate(name, rate, corpus):
    preparation = RECIPES[name].preparation
    for row in (3, 100, 200):
        clip = audio.peak_normalize(corpus.read(row))
        plain = prepare(clip, 8000, preparation).samples
        other = prepare(audio.resample(clip, 8000, rate), rate, preparation).samples
        correlation = np.dot(plain, other) / np.sqrt(np.dot(plain, plain) * np.dot(other, other))
        assert correlation > 0.99


def test_training_and_prediction_prepare_alike(changed):
    other, _, report = changed
    for row, predicted in list(zip(report.rows, report.y_pred, strict=True))[:20]:
        answer = report.recogniser.predict(*audio.read_wav(other.table["path"][row]))
        assert answer.label == other.classes[predicted]


# --- LSTMs --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", LSTMS)
def test_the_published_lstms_run_as_published(name, people):
    report = experiment.run(
        name, corpus=people, framework="torch", scale="laptop", **SMALL[name] | {"batch_size": 8}
    )
    n_parameters, n_train = LSTMS[name]
    assert report.n_parameters == report.n_trainable == n_parameters
    assert report.n_train == n_train  # 70 or 80 % of 80 clips, nine copies of each or one
    assert set(report.speakers) == set(FOUR)
    assert np.ptp(np.bincount(report.y_true)) <= 1
    assert report.history.validation_accuracy[-1] == pytest.approx(report.test_accuracy)
    assert RECIPES[name].framework == "keras"


def test_other_splits_of_a_published_lstm_take_everybody(people):
    settings = {"framework": "torch", "scale": "laptop", "split": "random"}
    report = experiment.run("L1", corpus=people, **settings, **SMALL["L1"])
    assert set(report.speakers) == {*FOUR, "george"}


def test_l1_stops_at_the_second_epoch_without_having_learned(people):
    report = experiment.run(
        "L1", corpus=people, framework="torch", scale="laptop", **SMALL["L1"] | {"epochs": 5}
    )
    assert len(report.history.loss) == 2
    assert report.history.loss[-1] > 2.1


def test_no_copy_of_a_test_clip_is_trained_on(people, monkeypatch):
    copied = []
    real = augment.copies_of

    def copies_of(recordings, rate, **settings):
        copied.append(recordings)
        return real(recordings, rate, **settings)

    monkeypatch.setattr(augment, "copies_of", copies_of)
    plan = experiment.plan("L3", corpus=people, framework="torch", scale="laptop", **SMALL["L3"])
    [fold] = plan.folds
    report = experiment.execute(plan)
    assert [len(recordings) for recordings in copied] == [len(fold.train)]
    tested = set(people.table["path"].iloc[report.rows])
    assert tested.isdisjoint(plan.corpus.table["path"].iloc[fold.train])
    assert len(tested) + len(fold.train) == len(plan.corpus) == 80


def test_the_control_of_l4_differs_from_it_in_its_copies_alone(people, monkeypatch):
    made = []
    real = augment.copies_of

    def copies_of(recordings, rate, **settings):
        made.append(real(recordings, rate, **settings))
        return made[-1]

    monkeypatch.setattr(augment, "copies_of", copies_of)
    control, published = RECIPES["L4-unchanged"], RECIPES["L4"]
    described = {"title": control.title, "published": {}}
    assert control == replace(published, name=control.name, copies="unchanged", **described)
    settings = {"corpus": people, "framework": "torch", "scale": "laptop"}
    report = experiment.run(control.name, **settings, **SMALL[control.name])
    [(waveforms, _)] = made
    of_a_clip = waveforms.reshape(-1, 9, waveforms.shape[1])
    assert len(of_a_clip) == report.n_train // 9 == 64
    assert (np.ptp(of_a_clip, axis=1) == 0).all() and (np.ptp(of_a_clip, axis=2) > 0).all()


@pytest.mark.parametrize("name", ["L5", "L6", "L7"])
def test_corrected_they_learn(name, people):
    report = experiment.run(name, corpus=people, scale="laptop", split="random")
    assert report.test_accuracy > 0.6  # chance is 0.1


def test_training_clips_lie_elsewhere_in_each_epoch(people, monkeypatch):
    moved = []
    real = augment.vary

    def vary(clips, rate, rng, **settings):
        moved.append(real(clips, rate, rng, **settings))
        return moved[-1]

    monkeypatch.setattr(augment, "vary", vary)
    report = experiment.run("L7", corpus=people, scale="laptop", split="random", epochs=2)
    assert [len(clips) for clips in moved] == 2 * [report.n_train]
    assert not np.array_equal(*moved)


def test_the_waveforms_are_read_once_a_run(people, monkeypatch):
    read = []
    real = audio.read_wav
    monkeypatch.setattr(
        audio, "read_wav", lambda path, **how: read.append(path) or real(path, **how)
    )
    settings = {"corpus": people, "framework": "torch", "scale": "laptop"}
    for name in ("L7", "L3", "C5"):
        read.clear()
        experiment.run(name, **settings, split="random", seeds=2, **SMALL[name])
        assert len(read) == len(set(read)) > 0


def test_an_interrupted_run_goes_on_and_writes_its_curves(corpus, tmp_path):
    pytest.importorskip("tensorboard")
    folders = {"checkpoint_folder": tmp_path / "kept", "log_folder": tmp_path / "logs"}
    report = experiment.run("K2", corpus=corpus, scale="laptop", seeds=2, **folders)
    assert len(list((tmp_path / "kept").iterdir())) == 2
    assert sorted(folder.name for folder in (tmp_path / "logs").iterdir()) == [
        f"K2-torch-{corpus.name}-official-42",
        f"K2-torch-{corpus.name}-official-43",
    ]
    again = experiment.run("K2", corpus=corpus, scale="laptop", seeds=2, **folders)
    for part, kept in zip(again.parts, report.parts, strict=True):
        assert part.seconds_training == kept.seconds_training  # read, not trained again
        assert part.test_accuracy == kept.test_accuracy


# --- Lightning ----------------------------------------------------------------------------------

BY_LIGHTNING = {
    "recipe": "L7",
    "scale": "laptop",
    "split": "random",
    "trainer": "lightning",
    "schedule": "one-cycle",
    "vary": {},
    "set_aside": 0.2,
    "epochs": 15,
    "learning_rate": 0.01,
    "batch_size": 16,
    "early_stopping": EarlyStopping(patience=3, restore_best=True),
}


def test_lightning_trains_a_recipe(people, monkeypatch, tmp_path):
    pytest.importorskip("lightning")
    pytest.importorskip("tensorboard")
    report = experiment.run(**BY_LIGHTNING, corpus=people, log_folder=tmp_path)
    assert report.test_accuracy > 0.6  # chance is 0.1
    assert (report.n_train, report.n_test) == (72, 10)
    logged = pd.read_csv(next(tmp_path.rglob("metrics.csv")))
    assert logged["validation_loss"].dropna().tolist() == pytest.approx(
        report.history.validation_loss
    )
    [(train, _)] = splits.split(people, "random", test_size=0.1, seed=42)
    learned = people.select(np.random.default_rng(42).permutation(train)[:72])
    waveforms, _ = learned.prepare(RECIPES["L7"].preparation)
    y_pred = report.recogniser.probabilities(waveforms).argmax(axis=1)
    assert report.train_accuracy == np.mean(y_pred == learned.table["label"])
    monkeypatch.setattr(experiment, "MOST_IN_MEMORY", 0)  # the same clips, read as needed
    again = experiment.run(**BY_LIGHTNING, corpus=people)
    assert np.array_equal(again.y_pred, report.y_pred)
    assert again.history.loss == report.history.loss


def test_copies_are_made_in_memory_however_large_the_corpus_is(people, monkeypatch):
    pytest.importorskip("lightning")
    monkeypatch.setattr(experiment, "MOST_IN_MEMORY", 0)
    settings = BY_LIGHTNING | {"copies": True, "epochs": 1, "early_stopping": None}
    assert experiment.run(**settings, corpus=people).n_train == 9 * 72


def test_its_twin_goes_through_the_same_cycle_epoch_by_epoch(people):
    pytest.importorskip("keras")
    report = experiment.run(**BY_LIGHTNING, corpus=people, framework="keras")
    assert report.test_accuracy > 0.6
    assert len(report.history.validation_loss) == report.history.epochs


def test_only_what_lightning_trains_is_shared_out(corpus, people):
    pytest.importorskip("lightning")
    with pytest.raises(ValueError, match=r"K2 is trained on one device in torch.*\(C1"):
        experiment.plan("K2", corpus=corpus, devices=2)
    with pytest.raises(ValueError, match=r"L7 \(changed\) is trained on one device in keras"):
        experiment.plan(**BY_LIGHTNING, corpus=people, framework="keras", nodes=2)
    with pytest.raises(ValueError, match="16 clips cannot be shared out evenly to 3 x 1"):
        experiment.run(**BY_LIGHTNING, corpus=people, devices=3)


@pytest.mark.parametrize("name", ["RANK", "SLURM_PROCID", "NODE_RANK"])
def test_of_processes_that_share_a_training_the_first_reports(name, monkeypatch):
    for rank in (0, 1):
        monkeypatch.setenv(name, str(rank))
        assert reports_here(2) == (rank == 0)
        assert reports_here(1)


def test_a_share_of_the_takes_holds_the_first(tmp_path):
    for take in (1, 2, 3, 4, 5):
        for digit in range(10):
            hum = np.sin(np.arange(800) / (digit + 2) + take) / 2
            audio.write_wav(tmp_path / f"{digit}_anna_{take}.wav", hum, 8000)
    share = {"laptop": {"every": 2, "n_samples": 441, "epochs": 1}}
    report = experiment.run(
        replace(RECIPES["L1"], shares=share),
        corpus=str(tmp_path),
        framework="torch",
        scale="laptop",
        split="official",
    )
    assert (report.n_train, report.n_test) == (10, 20)  # take 5; takes 1 and 3
    assert report.history.epochs == report.to_dict()["epochs"] == 1  # instead of five


# --- recipes --------------------------------------------------------------------------------------


@pytest.mark.parametrize("recipe", RECIPES.values(), ids=list(RECIPES))
def test_every_recipe_can_be_built_at_every_scale(recipe):
    for scale in ("smoke", "laptop", "full"):
        at_scale, every = recipe.at_scale(scale)
        assert at_scale.name == recipe.name and every >= 1
    assert recipes.find(recipe.name) is recipe
