"""Lightning trains as a plain loop would, goes on after a kill, and says what is wrong."""

import os
import shutil
import signal
import socket
import subprocess
import sys
from itertools import accumulate
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from digitlab import audio, corpora
from digitlab.preparation import Preparation
from digitlab.training import Checkpoint, EarlyStopping, History, Logger
from digitlab.training.common import epoch_order, learning_rates

torch = pytest.importorskip("torch")
pytest.importorskip("lightning")

from digitlab.models.torch import logistic_regression, normalised_regression  # noqa: E402
from digitlab.training import lightning  # noqa: E402
from digitlab.training.trainer import NOISY  # noqa: E402

RNG = np.random.default_rng(0)
Y = np.tile([0, 1, 2], 50)
X = (RNG.normal(size=(150, 8)) + 2 * np.eye(8)[Y]).astype(np.float32)
CLIPS, HELD_BACK = (X[:130], Y[:130]), (X[130:], Y[130:])
EIGHT_HUNDRED = Preparation(rate=8000, n_samples=800)

KILLED = 137  # what a shell says of a process that was killed


class Tripwire(torch.nn.Module):
    """Kills its process at the training batch that the environment says."""

    def __init__(self):
        super().__init__()
        self.batches = 0

    def forward(self, x):
        self.batches += self.training
        if self.training and self.batches == int(os.environ.get("TRIP", 0)):
            os._exit(KILLED)
        return x


def network():
    """Everything that has a state or a die of its own: batch normalisation and dropout."""
    layers = normalised_regression(8, 16, seed=1)[:2]
    head = logistic_regression(16, 3, seed=2)
    return torch.nn.Sequential(Tripwire(), *layers, torch.nn.ReLU(), torch.nn.Dropout(0.5), *head)


def learn(folder=None, **settings):
    model = network()
    callbacks = [EarlyStopping(patience=3, restore_best=True)]
    callbacks += [Checkpoint(folder)] if folder else []
    usual = {"epochs": 8, "batch_size": 32, "learning_rate": 0.2, "seed": 4, "device": "cpu"}
    usual |= {"validation": HELD_BACK, "callbacks": callbacks}
    return lightning.fit(model, CLIPS, **usual | settings), model


def figures(history):
    return pd.DataFrame(
        {
            "loss": history.loss,
            "accuracy": history.accuracy,
            "validation_loss": history.validation_loss,
            "validation_accuracy": history.validation_accuracy,
        },
    )


def weights(model):
    return {name: values.numpy().copy() for name, values in model.state_dict().items()}


def same(first, second, **tolerance):
    tolerance = {"rtol": 0, "atol": 0} | tolerance
    return all(np.allclose(first[name], second[name], **tolerance) for name in first)


@pytest.fixture
def corpus(tmp_path):
    """A corpus of hums, three classes by four speakers."""
    time = np.arange(900) / 8000
    for digit in range(3):
        for speaker in ("al", "bea", "carl", "diana"):
            hum = np.sin(2 * np.pi * (300 + 400 * digit) * time) / len(speaker)
            audio.write_wav(tmp_path / f"{digit}_{speaker}_0.wav", hum, 8000)
    return corpora.load(tmp_path)


# --- learning ---------------------------------------------------------------------------------


def test_it_learns_as_a_loop_in_the_open_does():
    model, plain = logistic_regression(8, 3), logistic_regression(8, 3)
    settings = {"epochs": 3, "batch_size": 32, "learning_rate": 0.1, "seed": 5, "device": "cpu"}
    history = lightning.fit(model, CLIPS, **settings)
    optimizer = torch.optim.Adam(plain.parameters(), 0.1)
    cycle = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.1, total_steps=3 * 4)
    x, y = map(torch.as_tensor, CLIPS)
    for epoch in (1, 2, 3):
        losses = []
        for batch in epoch_order(130, 5, epoch)[0][:128].reshape(4, 32):
            optimizer.zero_grad()
            loss = torch.nn.functional.nll_loss(plain(x[batch]), y[batch])
            loss.backward()
            optimizer.step()
            cycle.step()
            losses.append(loss.item())
        assert history.loss[epoch - 1] == pytest.approx(np.mean(losses), rel=1e-5)
    assert same(weights(model), weights(plain), atol=1e-6)
    assert history.device == "cpu" and history.seconds > 0 and not history.validation_loss


def test_the_epochs_of_a_plain_trainer_go_through_the_same_cycle():
    optimizer = torch.optim.Adam(torch.nn.Linear(1, 1).parameters(), 0.1)
    cycle = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.1, total_steps=2000)
    by_step = []
    for _ in range(2000):
        by_step.append(cycle.get_last_lr()[0])
        optimizer.step()
        cycle.step()
    assert np.allclose(learning_rates(0.1, 20, "one-cycle"), by_step[50::100], rtol=0.02, atol=2e-5)


def test_validation_clips_are_measured_without_dropout_and_the_best_weights_come_back():
    history, model = learn(epochs=12, callbacks=[EarlyStopping(patience=9, restore_best=True)])
    probabilities = lightning.predict(model, HELD_BACK[0])
    right = probabilities.argmax(axis=1) == HELD_BACK[1]
    loss = -np.log(probabilities[np.arange(20), HELD_BACK[1]]).mean()
    assert history.best_epoch < history.epochs
    assert loss == pytest.approx(min(history.validation_loss), rel=1e-5)
    assert right.mean() == pytest.approx(history.validation_accuracy[history.best_epoch - 1])
    last = learn(epochs=12, callbacks=[EarlyStopping(patience=9)])
    assert last[0].loss == history.loss and not same(weights(last[1]), weights(model))


def test_it_stops_where_the_rule_says():
    rule = EarlyStopping(min_delta=10, patience=2)
    assert learn(callbacks=[rule])[0].epochs == 3
    with pytest.raises(ValueError, match="needs validation clips"):
        learn(validation=None)


def test_a_seed_gives_one_result_and_leaves_other_generators_alone():
    torch.manual_seed(0)
    first = learn()
    after = torch.rand(3)
    torch.manual_seed(0)
    assert torch.equal(after, torch.rand(3))
    again, other = learn(), learn(seed=5)
    assert first[0].loss == again[0].loss != other[0].loss
    assert same(weights(first[1]), weights(again[1]))


def test_a_loss_that_is_no_number_stops_the_training():
    with pytest.raises(FloatingPointError, match="the loss was nan after epoch 1"):
        lightning.fit(logistic_regression(8, 3), (X * np.nan, Y), epochs=2, batch_size=32)
    with pytest.raises(FloatingPointError, match="the validation loss was nan after epoch 1"):
        learn(validation=(X * np.nan, Y))


# --- going on ---------------------------------------------------------------------------------


def test_after_a_kill_in_the_midst_of_an_epoch_it_ends_as_if_nothing_had_happened(tmp_path):
    unbroken, expected = learn()
    code = "import sys; sys.path.append('tests'); import test_lightning as t; t.learn(sys.argv[1])"
    in_epoch_4 = {"TRIP": str(3 * 4 + 2)}  # four batches an epoch
    run = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)],
        cwd=Path(__file__).parents[1],
        env=os.environ | in_epoch_4,
        capture_output=True,
        text=True,
    )
    assert run.returncode == KILLED
    assert (run.stdout, run.stderr) == ("", "")
    resumed, actual = learn(tmp_path)
    pd.testing.assert_frame_equal(figures(resumed), figures(unbroken), check_exact=True)
    assert same(weights(actual), weights(expected))
    again, actual = learn(tmp_path)  # it is over: nothing is done anew
    assert again == resumed and same(weights(actual), weights(expected))
    learn(tmp_path, seed=6, epochs=1)
    assert len(list(tmp_path.glob("*.checkpoint"))) == 2 and not list(tmp_path.glob("*.part"))


class Interrupted(torch.nn.Module):
    def forward(self, x):
        if self.training:
            raise KeyboardInterrupt
        return x


def test_who_interrupts_a_training_can_interrupt_the_next():
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        lightning.fit(
            torch.nn.Sequential(Interrupted(), logistic_regression(8, 3)),
            CLIPS,
            epochs=1,
            batch_size=32,
            device="cpu",
        )
    assert signal.getsignal(signal.SIGINT) is before


def test_numbers_of_16_bits_are_owned_up_to():
    full, mixed = learn()[0], learn(precision="bf16-mixed")[0]
    assert mixed.device == "cpu, bf16-mixed" and mixed.loss != full.loss
    assert mixed.loss[0] == pytest.approx(full.loss[0], rel=0.02)


def test_a_place_that_cannot_be_written_is_refused_before_the_training(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    model = network()
    before = weights(model)
    for callback in (Checkpoint(tmp_path / "file" / "kept"), Logger(tmp_path / "file" / "kept")):
        with pytest.raises(OSError, match=r"nothing can be written into .*file"):
            lightning.fit(model, CLIPS, epochs=1, batch_size=32, callbacks=[callback])
    full = shutil.disk_usage(tmp_path)._replace(free=0)
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: full)
    with pytest.raises(OSError, match="0 are free: make room"):
        lightning.fit(
            model, CLIPS, epochs=1, batch_size=32, callbacks=[Checkpoint(tmp_path / "kept")]
        )
    assert same(before, weights(model))


def test_curves_in_a_log_are_whole_after_an_interruption(tmp_path):
    pytest.importorskip("tensorboard")

    def stop(history):
        if history.epochs == 2:
            raise KeyboardInterrupt

    callbacks = [Checkpoint(tmp_path / "kept"), Logger(tmp_path / "logs")]
    with pytest.raises(KeyboardInterrupt):
        learn(epochs=4, callbacks=[*callbacks, stop])
    history, _ = learn(epochs=4, callbacks=callbacks)
    logged = pd.read_csv(tmp_path / "logs" / "metrics.csv", index_col="epoch")
    assert logged.index.tolist() == [1, 2, 3, 4]
    for name, values in history.curves.items():
        assert logged[name].tolist() == pytest.approx(values)


def test_lightning_is_quiet_only_while_it_runs(capfd, recwarn):
    import logging
    import warnings

    before = [logging.getLogger(name).level for name in NOISY], list(warnings.filters)
    learn(epochs=1)
    assert capfd.readouterr() == ("", "") and not len(recwarn)
    after = [logging.getLogger(name).level for name in NOISY], list(warnings.filters)
    assert after == before


# --- several processes ------------------------------------------------------------------------


def test_two_processes_learn_what_one_does(tmp_path):
    clips = np.tile(X, (4, 1)) + RNG.normal(size=(600, 8)).astype(np.float32), np.tile(Y, 4)
    results = []
    for devices in (1, 2):
        model = logistic_regression(8, 3)
        history = lightning.fit(
            model,
            clips,
            epochs=2,
            batch_size=128,
            validation=(X[:51], Y[:51]),
            callbacks=[EarlyStopping(patience=5, restore_best=True), Checkpoint(tmp_path)],
            devices=devices,
            device="cpu",
        )
        results.append((history, model))
    (one, alone), (two, together) = results
    assert same(weights(alone), weights(together), atol=1e-5)
    assert np.allclose(figures(one), figures(two), atol=1e-5)
    assert (one.device, two.device) == ("cpu", "2 x cpu")
    assert len(list(tmp_path.glob("*.checkpoint"))) == 2


def learn_under_torchrun(file):
    model = logistic_regression(8, 3)
    sharing = {"devices": 1, "nodes": 2, "device": "cpu"}
    lightning.fit(model, CLIPS, epochs=2, batch_size=32, **sharing)
    np.savez(file, **weights(model))


def test_two_machines_learn_what_one_does(tmp_path):
    """Both are this machine, and this test sets what torchrun would; it starts sooner."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    machines = []
    for rank in "01":
        place = {"WORLD_SIZE": "2", "RANK": rank, "LOCAL_WORLD_SIZE": "1", "LOCAL_RANK": "0"}
        place |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "GROUP_RANK": rank}
        env = os.environ | place | {"TORCHELASTIC_RUN_ID": "test"}
        code = f"import sys; sys.path[:] = {[str(Path(__file__).parent), *sys.path]}\n"
        code += f"import test_lightning as t; t.learn_under_torchrun({str(tmp_path / rank)!r})"
        command = [sys.executable, "-c", code]
        machines.append(subprocess.Popen(command, env=env, stderr=subprocess.PIPE, text=True))
    for machine in machines:
        _, errors = machine.communicate(timeout=120)
        assert machine.returncode == 0, errors
    alone = logistic_regression(8, 3)
    lightning.fit(alone, CLIPS, epochs=2, batch_size=32, device="cpu")
    first, second = (np.load(tmp_path / f"{rank}.npz") for rank in "01")
    assert same(first, second) and same(weights(alone), first, atol=1e-5)


def test_torchrun_and_the_settings_must_agree(monkeypatch):
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "2")
    monkeypatch.setenv("WORLD_SIZE", "4")
    with pytest.raises(ValueError, match="started 2 x 2 processes, and 1 devices"):
        learn()


def test_a_damaged_clip_is_named_whichever_process_reads_it(corpus):
    clips = lightning.Clips(corpus, EIGHT_HUNDRED)
    corpus.table["path"][7].write_bytes(b"RIFF")
    settings = {"epochs": 1, "batch_size": 4, "device": "cpu"}
    for workers, devices in ((0, 1), (1, 1), (1, 2)):
        model = logistic_regression(800, 3)
        with pytest.raises(corpora.CorpusError) as caught:
            lightning.fit(model, clips, workers=workers, devices=devices, **settings)
        message = str(caught.value)
        assert corpus.table["path"][7].name in message and "readable()" in message
        assert "Traceback" not in message and "worker" not in message


def test_a_notebook_is_told_to_use_a_script_for_several_devices(monkeypatch):
    monkeypatch.setattr(sys, "ps1", ">>> ", raising=False)
    with pytest.raises(ValueError, match="a notebook or an interactive session") as caught:
        learn(devices=2)
    assert "digitlab run C1 --devices 2" in str(caught.value)
    assert "strategy" not in str(caught.value) and "spawn" not in str(caught.value)
    assert learn(epochs=1)[0].epochs == 1


def test_a_script_without_its_guard_is_told_so(tmp_path):
    script = tmp_path / "script.py"
    script.write_text("import test_lightning as t\nt.learn(devices=2)\n")
    path = os.pathsep.join([str(Path(__file__).parent), *sys.path])
    env = os.environ | {"PYTHONPATH": path}
    run = subprocess.run([sys.executable, script], env=env, capture_output=True, text=True)
    assert run.returncode and "ChildProcessError" in run.stderr
    assert "under `if __name__" in run.stderr.splitlines()[-1]


@pytest.mark.parametrize(
    "settings, words",
    [
        ({"batch_size": 151}, "do not fill one batch of 151"),
        ({"devices": 3}, "cannot be shared out evenly to 3 x 1 devices"),
        ({"nodes": 0}, "cannot be shared out"),
        ({"device": "cuda:99"}, "a GPU is used where there is one"),
        ({"precision": "64"}, "there is no precision '64'"),
        ({"devices": 2, "callbacks": [lambda history: None]}, "at the top of a file"),
        ({"devices": 2, "validation": (X[:1], Y[:1])}, "1 validation clips are too few for 2"),
    ],
)
def test_wrong_settings_are_refused(settings, words):
    with pytest.raises(ValueError, match=words):
        learn(**settings)


# --- clips ------------------------------------------------------------------------------------


def test_clips_are_read_as_they_are_needed(corpus):
    preparation = Preparation(corpus.rate, 1000, align="start", normalize=False)
    clips = lightning.Clips(corpus, preparation)
    expected, _ = corpus.prepare(preparation)
    assert len(clips) == 12
    for row, (x, y) in zip([3, 11], clips.__getitems__([3, 11]), strict=True):
        assert np.array_equal(x, expected[row])
        assert y == corpus.table["label"][row]
    corpus.table["path"][3].unlink()
    with pytest.raises(corpora.CorpusError, match=corpus.table["path"][3].name):
        clips[3]


def test_recordings_that_are_too_long_are_said_once(corpus, capsys):
    clips = lightning.Clips(corpus, Preparation(corpus.rate, 100))
    assert "12 of 12 recordings are longer than the 0.01 s of a clip" in capsys.readouterr().out
    assert clips[0][0].shape == (100,) and not capsys.readouterr().out


def test_a_feature_is_computed_of_batches_and_a_worker_changes_nothing(corpus):
    sizes = []

    def loudest(waveforms, rate):
        sizes.append(len(waveforms))
        return np.abs(waveforms).reshape(len(waveforms), 10, 80).max(axis=2)

    clips = lightning.Clips(corpus, EIGHT_HUNDRED, feature=loudest)
    assert clips[0][0].shape == (10,)
    results = []
    for workers in (0, 1):
        model = logistic_regression(10, 3)
        settings = {"epochs": 2, "batch_size": 4, "workers": workers}
        history = lightning.fit(model, clips, validation=clips, **settings)
        results.append(history.loss + history.validation_loss)
        answers = lightning.predict(model, clips)
        assert answers.shape == (12, 3) and np.allclose(answers.sum(axis=1), 1, atol=1e-5)
    assert results[0] == results[1]
    assert sizes[:6] == [1, 1, 1, 4, 4, 4]  # looked at, one clip of each set, then trained on


# --- the learning-rate finder -----------------------------------------------------------------


def test_learning_rates_are_tried_on_a_copy():
    model = network()
    before = weights(model)
    torch.manual_seed(0)
    found = lightning.find_learning_rate(model, CLIPS, batch_size=32, n_steps=60, highest=10)
    after = torch.rand(3)
    torch.manual_seed(0)
    assert torch.equal(after, torch.rand(3))
    assert same(weights(model), before) and model.training
    assert len(found.rates) == len(found.losses) <= 60
    assert found.rates[0] == pytest.approx(1e-7) and (np.diff(found.rates) > 0).all()
    assert found.suggestion in found.rates
    again = lightning.find_learning_rate(model, CLIPS, batch_size=32, n_steps=60, highest=10)
    assert np.array_equal(again.losses, found.losses)
    assert not list(Path.cwd().glob(".lr_find*"))


def found_with(losses, monkeypatch):
    """What the finder says where Lightning's tuner saw these losses."""
    averages = accumulate(0.02 * losses, lambda average, loss: 0.98 * average + loss)
    averages = np.array([*averages]) / (1 - 0.98 ** np.arange(2, len(losses) + 2))  # as it does
    rates = np.geomspace(1e-7, 1, len(losses)).tolist()
    found = lightning.L.tuner.lr_finder._LRFinder("exponential", 1e-7, 1, len(losses))
    found.results = {"lr": rates, "loss": list(averages)}
    monkeypatch.setattr(lightning.L.tuner.Tuner, "lr_find", lambda *args, **settings: found)
    return lightning.find_learning_rate(network(), CLIPS, batch_size=32)


@pytest.mark.parametrize(
    "losses, error, words",
    [
        (np.full(100, np.nan), FloatingPointError, "NaN or infinite from the first steps"),
        (np.geomspace(2, 9, 100), ValueError, "grew from 1e-07 on: begin lower"),
        (np.geomspace(2, 9, 9), ValueError, "grew from 1e-07 on: begin lower"),
        (np.full(100, 2.3), ValueError, "hardly changed between 1e-07 and 1"),
    ],
)
def test_the_finder_tells_why_it_found_nothing(losses, error, words, monkeypatch):
    with pytest.raises(error, match=words):
        found_with(losses, monkeypatch)


def test_the_finder_uses_what_came_before_the_loss_was_lost(monkeypatch):
    losses = np.r_[np.full(20, 2.3), np.linspace(2.3, 1, 20), np.full(10, np.nan)]
    found = found_with(losses, monkeypatch)
    assert len(found.rates) == 40 and found.rates[19] < found.suggestion < found.rates[-1]


def test_the_finder_says_the_same_of_real_trainings():
    model = network()
    with pytest.raises(FloatingPointError, match="look for NaN"):
        lightning.find_learning_rate(model, (X * np.nan, Y), batch_size=32, n_steps=20)
    with pytest.raises(ValueError, match="at least 13"):
        lightning.find_learning_rate(model, CLIPS, batch_size=32, n_steps=8)
    with pytest.raises(ValueError, match="highest rate above the lowest"):
        lightning.find_learning_rate(model, CLIPS, batch_size=32, lowest=1, highest=0.1)
    flat = logistic_regression(8, 3), (np.zeros_like(X[:30]), Y[:30])
    with pytest.raises(ValueError, match="hardly changed"):
        lightning.find_learning_rate(*flat, batch_size=30, highest=1e-6, n_steps=20)
    with pytest.raises(ValueError, match="begin lower"):
        lightning.find_learning_rate(
            model, CLIPS, batch_size=32, lowest=10, highest=1000, n_steps=30
        )


@pytest.mark.parametrize("seed", range(4))
def test_the_finder_suggests_a_rate_with_which_a_noisy_loss_falls(seed):
    torch.manual_seed(seed)
    x = np.random.default_rng(seed).normal(size=(256, 20)).astype(np.float32)
    clips = x, (x[:, 0] > 0).astype(int)
    model = torch.nn.Sequential(torch.nn.Linear(20, 2), torch.nn.LogSoftmax(dim=1))
    found = lightning.find_learning_rate(model, clips, batch_size=32, device="cpu")
    assert 1e-3 < found.suggestion < 1 and found.losses[0] > 1.5 * found.losses[-1]


def test_a_model_with_nothing_to_learn_is_refused():
    frozen = logistic_regression(8, 3).requires_grad_(False)
    for model in (torch.nn.LogSoftmax(dim=1), frozen):
        with pytest.raises(ValueError, match="no trainable parameters"):
            lightning.find_learning_rate(model, CLIPS, batch_size=32, device="cpu")


def test_the_picture_marks_the_suggestion():
    from digitlab import plotting

    rates = np.geomspace(1e-5, 1, 20)
    found = lightning.LearningRates(rates, np.linspace(3, 2, 20), rates[12])
    ax = plotting.learning_rates(found)
    assert ax.get_xscale() == "log"
    assert ax.lines[1].get_xdata()[0] == rates[12]
    assert f"{rates[12]:.1g}" in ax.texts[0].get_text()


def test_a_history_knows_its_best_epoch():
    history = History()
    assert history.best_epoch == 0
    for loss in (2.0, 1.0, 1.0, 3.0):
        history.record((1, 0), (loss, 0))
    assert history.best_epoch == 2
