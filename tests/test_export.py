"""Exported files answer as Python does, and need no digitlab for it."""

import subprocess
import sys
import zipfile
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from conftest import ROOT

from digitlab import export, features, pretrained, recipes, recognisers, voices
from digitlab.cli import main
from digitlab.preparation import Preparation

torch = pytest.importorskip("torch")
keras = pytest.importorskip("keras")

import backend_checks as checks  # noqa: E402
from test_backends import with_statistics  # noqa: E402

from digitlab.export import files, front_ends, graphs, with_keras, with_torch  # noqa: E402
from digitlab.models import keras as in_keras  # noqa: E402
from digitlab.models import torch as in_torch  # noqa: E402
from digitlab.models import twins  # noqa: E402

SMALL = Preparation(rate=125, n_samples=200)  # of the scattering transforms: seconds, not minutes
SHORT = {"L1": 300, "L3": 300}  # samples
RECIPES = [name for name in recipes.RECIPES if not name.startswith(("A4", "A5", "L4-"))]
LENGTHS = (1, 2, 700, 1024, 1500)  # samples of sounds
NO_DIGITLAB = """
import sys
class NoDigitlab:
    def find_spec(name, path=None, target=None):
        if name.partition(".")[0] in {blocked!r}:
            raise ImportError(f"{{name}} is not here")
sys.meta_path.insert(0, NoDigitlab)
import numpy as np
given = np.load({given!r})
{example}
np.save({found!r}, np.stack([np.asarray(answer(given[name])) for name in sorted(given.files)]))
"""
ANSWER = {
    "onnx": 'answer = lambda x: session.run(["probabilities"], {"samples": x})[0]',
    "keras": "answer = lambda x: model(x)",
    "torch": "answer = lambda x: model(torch.from_numpy(x)).detach()",
}


def untrained(name, **changes):
    """Return a recipe's recogniser, its network untrained."""
    recipe = recipes.find(name)
    preparation = recipe.preparation
    if "scattering" in recipe.features + recipe.model and name != "K1-inside":
        preparation = SMALL
    preparation = replace(preparation, n_samples=SHORT.get(name, preparation.n_samples))
    shape = recognisers._shape(recipe.features, preparation)
    model = getattr(in_torch, recipe.model)(*shape, 10, seed=1, **recipe.model_settings)
    x = features.compute(recipe.features, clips_for(preparation), preparation.rate, keep=False)
    scaling = {}
    if recipe.standardise:
        scaling = {"mean": x.mean(axis=0), "spread": x.std(axis=0) + 0.01}
    with torch.no_grad():  # as trained on these clips, so that a network tells them apart
        for layer in model.modules():
            if isinstance(layer, torch.nn.modules.batchnorm._BatchNorm):
                layer.momentum = 1
        model.train()(torch.from_numpy(x))
    about = dict.fromkeys(recognisers.DESCRIBED, "") | {
        "recipe": name,
        "framework": "torch",
        "seed": 1,
        "n_train": 1,
        "test_accuracy": 0.5,
        "refuse_above": 0.5,
        "preparation": preparation,
        "features": recipe.features,
        "builder": recipe.model,
        "model_settings": recipe.model_settings,
        "classes": tuple("0123456789"),
    }
    return recognisers.Recogniser(**about | scaling | changes, model=model)


def sounds_for(preparation):
    """Return recordings of several lengths at a system's rate."""
    rate = max(preparation.rate, 4000)  # the lowest of the voices
    words = [voices.say(word, rate=rate) for word in ("seven", "two")]
    return [np.float32(word[len(word) // 4 :][: preparation.n_samples] / 3) for word in words]


def clips_for(preparation):
    return np.stack([preparation.fit(sound) for sound in sounds_for(preparation)])


def deviation(answer, recogniser, sounds):
    """Return the largest difference of any probability from Python's, and how much they vary."""
    expected, found = [], []
    for sound in sounds:
        fitted = recogniser.preparation.fit(sound)
        expected.append(recogniser.probabilities(fitted[np.newaxis])[0])
        [one] = np.asarray(answer(sound[np.newaxis]))
        found.append(one)
    assert np.shape(found) == np.shape(expected)
    return np.abs(np.subtract(found, expected)).max(), np.ptp(expected, axis=0).max()


@pytest.mark.parametrize("name", front_ends.FRONT_ENDS)
def test_features_in_a_graph_are_those_of_numpy(name):
    rate = 250 if "scattering" in name else 8000
    noise = np.random.default_rng(0).normal(size=4000).astype(np.float32)
    word = Preparation(rate=8000, n_samples=4000).fit(voices.say("two", rate=8000)[:4000])
    clips = np.stack([noise, noise / 1000, 0 * noise, word])
    clips = clips.astype(np.float32)
    clips[1, :2000] = 0
    expected = features.compute(name, clips, rate, keep=False)
    feature = front_ends.FRONT_ENDS[name]
    in_pytorch = feature(torch.from_numpy(clips), rate, with_torch).numpy()
    samples = keras.Input((clips.shape[1],), dtype="float32")
    model = keras.Model(samples, feature(samples, rate, with_keras))
    for found in (in_pytorch, np.asarray(model(clips))):
        assert found.shape == expected.shape
        assert np.abs(found - expected).max() < 1e-4 * np.ptp(expected) + 2e-4


@pytest.mark.parametrize("length", [8, 64, 128, 706, 2048, 16384])
def test_a_transform_by_matrices_is_the_fourier_transform(length):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(2, 3, length)) + 1j * rng.normal(size=(2, 3, length))
    parts = (torch.from_numpy(part.astype(np.float32)) for part in (x.real, x.imag))
    real, imaginary = with_torch._by_matrices(*parts)
    expected = np.fft.fft(x)
    assert np.abs(real.numpy() + 1j * imaginary.numpy() - expected).max() < 1e-6 * length
    real, _ = with_torch._by_matrices(torch.from_numpy(x.real.astype(np.float32)), None)
    assert np.abs(real.numpy() - np.fft.fft(x.real).real).max() < 1e-6 * length


@pytest.mark.parametrize("name", checks.NETWORKS)
def test_weights_go_to_the_other_framework_and_back(name):
    ours = with_statistics(checks.build(in_torch, name), 1, 3)
    again = checks.build(in_torch, name, seed=2)
    twin, x = checks.build(in_keras, name, seed=3), checks.batch(name)
    twins.to_keras(ours, twin)
    twins.to_torch(twin, again)
    for first, second in zip(in_torch.get_weights(ours), in_torch.get_weights(again), strict=True):
        assert np.array_equal(first, second)
    with torch.no_grad():
        expected = ours.eval()(torch.from_numpy(x)).exp().numpy()
    limit = 1e-3 if name == "scattering_regression" else 1e-5
    assert np.abs(np.asarray(twin(x)) - expected).max() < limit


def test_weights_of_strangers_are_refused():
    with pytest.raises(ValueError, match="no twins"):
        twins.to_keras(in_torch.logistic_regression(4, 2), in_keras.logistic_regression(4, 3))
    with pytest.raises(ValueError, match="'jax'"):
        recognisers.in_framework(pretrained.load(), "jax")


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_is_a_graph_in_pytorch(name):
    recogniser = untrained(name)
    graph = with_torch.graph(graphs.computation(recogniser), recogniser.model)
    sounds = [*sounds_for(recogniser.preparation), np.full(7, 0.1, np.float32)]
    with torch.no_grad():
        error, spread = deviation(lambda x: graph(torch.from_numpy(x)).numpy(), recogniser, sounds)
    assert error < 1e-4 and spread > 1e-3


@pytest.mark.parametrize("name", ["K3", "L2", "L5", "D1", "C1", "C4", "C5"])
def test_a_recipe_is_a_graph_in_keras(name):
    recogniser = untrained(name)
    twin = recognisers.in_framework(recogniser, "keras")
    graph = with_keras.graph(graphs.computation(recogniser), twin.model)
    sounds = sounds_for(recogniser.preparation)
    error, spread = deviation(graph, recogniser, sounds)
    assert error < 1e-4 and spread > 1e-3


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("exported")


@pytest.fixture(scope="module")
def exported(folder):
    """Return a function that exports a recogniser once."""

    def write(name, to="onnx"):
        if to == "onnx":
            pytest.importorskip("onnxscript")
        file = folder / f"{name}{export.FORMATS[to]}"
        if not file.exists():
            recogniser = pretrained.load() if name == "B2" else untrained(name)
            export.write(recogniser, file, to)
        return file

    return write


def with_onnx(file):
    session = pytest.importorskip("onnxruntime").InferenceSession(file)
    return lambda sounds: session.run(["probabilities"], {"samples": sounds})[0]


def test_scattering_by_matrices_is_scattering(monkeypatch):
    recogniser = untrained("K3")
    monkeypatch.setattr(torch.onnx, "is_in_onnx_export", lambda: True)
    graph = with_torch.graph(graphs.computation(recogniser), recogniser.model)
    sounds = [*sounds_for(recogniser.preparation), np.zeros(50, np.float32)]
    with torch.no_grad():
        error, spread = deviation(lambda x: graph(torch.from_numpy(x)).numpy(), recogniser, sounds)
    assert error < 1e-4 and spread > 1e-3


def test_onnx_answers_as_python_does(exported):
    file, recogniser = exported("L5"), untrained("L5")
    longest = recogniser.preparation.n_samples
    noise = np.random.default_rng(0).normal(size=longest + 9).astype(np.float32)
    sounds = sounds_for(recogniser.preparation) + [noise[:n] for n in (1, 2, longest, longest + 9)]
    sounds.append(np.zeros(50, np.float32))
    error, spread = deviation(with_onnx(file), recogniser, sounds)
    assert error < 1e-4 and spread > 1e-3
    clips = clips_for(recogniser.preparation)
    both = np.abs(with_onnx(file)(clips) - recogniser.probabilities(clips))
    assert both.max() < 1e-4


@pytest.mark.parametrize("to", ["onnx", "keras", "torch"])
def test_a_file_and_its_card_are_enough_without_digitlab(to, folder, exported):
    recogniser, file = pretrained.load(), exported("B2", to)
    card = file.with_name(f"{file.name}.md").read_text()
    example = card.split("```python\n")[1].split("```")[0].replace(file.name, str(file))
    noise = np.random.default_rng(0).normal(size=(2, 9000)).astype(np.float32)
    given = {str(n): noise[:, :n] for n in (1, 2, 5000, 8192, 9000)}
    given |= {"silence": np.zeros((2, 300), np.float32)}
    given["word"] = np.stack([voices.say("seven", rate=8000).astype(np.float32)] * 2)
    np.savez(folder / "given.npz", **given)
    blocked = {"digitlab", "keras" if to == "torch" else "torch"}
    code = NO_DIGITLAB.format(
        blocked=blocked if to != "onnx" else blocked | {"keras"},
        given=str(folder / "given.npz"),
        example=example + ANSWER[to],
        found=str(folder / f"{to}.npy"),
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=folder)
    assert run.returncode == 0, run.stderr[-2000:]
    assert run.stdout.strip() == "other"  # of zeros
    found = dict(zip(sorted(given), np.load(folder / f"{to}.npy"), strict=True))
    assert found["word"].shape == (2, len(recogniser.classes))
    for name, sounds in given.items():
        clips = np.stack([recogniser.preparation.fit(sound) for sound in sounds])
        assert np.abs(found[name] - recogniser.probabilities(clips)).max() < 1e-4, name
    assert found["word"].argmax(axis=1).tolist() == [7, 7]
    assert np.array_equal(found["silence"][0], recogniser._is_other)


def test_a_card_says_what_is_asked_for_and_what_is_done(exported):
    file = exported("B2")
    card = file.with_name("B2.onnx.md").read_text()
    for fact in ("8,000 Hz", "8,192", "exceeds 0.9", "both sides", "peak 1", "0, 1, 2", "11,371"):
        assert fact in card
    started = export.card(untrained("C5"), file, "torch")
    assert "behind a shorter sound" in started and "peak 1" not in started
    assert "other" not in started.replace("another", "")


def test_files_tell_nothing_about_the_machine(exported):
    with zipfile.ZipFile(exported("B2", "torch")) as archive:
        contents = [archive.read(name) for name in archive.namelist()]
    contents.append(exported("B2").read_bytes())
    assert not any(b"digitlab/export" in content for content in contents)


def test_integers_make_a_file_smaller_and_change_probabilities_little(exported, folder):
    packaged = exported("B2")
    onnx, recogniser = pytest.importorskip("onnx"), pretrained.load()
    small, clips = folder / "b2_int8.onnx", clips_for(recogniser.preparation)
    export.quantise(packaged, small, clips)
    assert small.stat().st_size < 0.5 * packaged.stat().st_size
    sounds = sounds_for(recogniser.preparation)
    error, _ = deviation(with_onnx(small), recogniser, sounds)
    assert 1e-5 < error < 0.2
    kinds = [node.op_type for node in onnx.load(small).graph.node]
    assert kinds.count("Conv") == 9 and kinds.count("DequantizeLinear") > 20
    with pytest.raises(FileExistsError):
        export.quantise(packaged, small, clips)


def test_the_lstm_is_made_of_integers_too(exported, folder):
    onnx, recogniser = pytest.importorskip("onnx"), untrained("L5")
    small = folder / "l5_int8.onnx"
    export.quantise(exported("L5"), small, clips_for(recogniser.preparation))
    assert "DynamicQuantizeLSTM" in {node.op_type for node in onnx.load(small).graph.node}
    error, _ = deviation(with_onnx(small), recogniser, sounds_for(recogniser.preparation))
    assert 0 < error < 0.05


def test_a_spectrogram_inside_a_network_stays_in_float32(exported, folder):
    onnx, recogniser = pytest.importorskip("onnx"), untrained("C5")
    small = folder / "c5_int8.onnx"
    export.quantise(exported("C5"), small, clips_for(recogniser.preparation))
    nodes = onnx.load(small).graph.node
    rounded = {name for node in nodes if node.op_type == "DequantizeLinear" for name in node.output}
    fed = {node.op_type for node in nodes if rounded & set(node.input)}
    assert {"Conv", "Gemm"} <= fed and "MatMul" not in fed


def test_what_cannot_be_exported_is_refused_before_anything_is_written(tmp_path):
    recogniser = pretrained.load()
    for changed, place, to, message in (
        (replace(recogniser, features="mfcc_means"), "a.pt2", "torch", "scattering_course"),
        (recogniser, "a.pt2", "onnx", r"end in \.onnx"),
        (recogniser, "a.onnx", "tflite", "onnx, keras, torch"),
        (recogniser, "nowhere/a.pt2", "torch", "no such folder"),
    ):
        with pytest.raises((ValueError, OSError), match=message):
            export.write(changed, tmp_path / place, to)
    (tmp_path / "a.pt2.md").write_text("mine")
    with pytest.raises(FileExistsError, match=r"a\.pt2\.md"):
        export.write(recogniser, tmp_path / "a.pt2", "torch")
    assert [path.name for path in tmp_path.iterdir()] == ["a.pt2.md"]


def test_without_its_card_there_is_no_file(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    writers = {"torch": lambda compute, same, file: file.write_bytes(b"a graph")}
    monkeypatch.setattr(files, "WRITERS", writers)
    export.write(pretrained.load(), tmp_path / 'a "b".pt2', "torch")
    assert r'torch.export.load("a \"b\".pt2")' in (tmp_path / 'a "b".pt2.md').read_text("utf-8")
    monkeypatch.setattr(files, "card", full)
    with pytest.raises(OSError, match="the disk is full"):
        export.write(pretrained.load(), tmp_path / "b.pt2", "torch")
    assert len(list(tmp_path.iterdir())) == 2


def test_a_full_temporary_folder_is_named(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files, "WRITERS", {"torch": full})
    with pytest.raises(OSError, match=r"temporary folder .* the disk is full; .* or set TMPDIR"):
        export.write(pretrained.load(), tmp_path / "b.pt2", "torch")
    assert not list(tmp_path.iterdir())


def test_the_command_writes_what_was_trained(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    untrained("L7").save(tmp_path / "mine.npz")
    run = CliRunner().invoke(main, ["export", "--model", "mine.npz", "--to", "torch"])
    assert run.exit_code == 0, run.output
    assert "mine.pt2" in run.output and "mine.pt2.md" in run.output
    assert (tmp_path / "mine.pt2").stat().st_size > 400_000
    again = CliRunner().invoke(main, ["export", "--model", "mine.npz", "--to", "torch"])
    assert again.exit_code == 1 and "exists already" in again.output


def test_the_measured_files_answer_as_python_does():
    table = pd.read_csv(ROOT / "book/export.csv")
    exact = table[table["runtime"] == "ONNX, float32"]
    assert set(exact["recipe"]) == {"K3", "L5", "L7", "D3", "C5", "B1"}
    assert (exact["largest_difference"] < 1e-4).all() and (exact["n_test"] >= 300).all()
    python = table[table["runtime"].str.startswith("Python")].set_index("recipe")["accuracy"]
    assert (exact.set_index("recipe")["accuracy"] == python).all()
