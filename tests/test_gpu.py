"""On a GPU: every recipe in PyTorch, from its features to its answers."""

import numpy as np
import pytest

from digitlab import corpora, experiment, recipes

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU")

NAMES = list(recipes.RECIPES)


@pytest.mark.parametrize("name", NAMES)
def test_every_recipe_runs_on_a_gpu(name, tmp_path):
    report = experiment.run(
        name,
        framework="torch",
        corpus="voices",
        scale="smoke",
        split="official",
        device="cuda",
        batch_size=16,  # there are 112 clips to train on
        checkpoint_folder=tmp_path / "kept",
        also=(),
    )
    assert report.device.startswith("cuda")
    voices = corpora.load("voices")
    waveforms, _ = voices.select(range(3)).prepare(report.recogniser.preparation)
    probabilities = report.recogniser.probabilities(waveforms)
    assert np.allclose(probabilities.sum(axis=1), 1, atol=1e-4)


@pytest.mark.parametrize("name", ["L5", "C5"])
def test_a_training_on_a_gpu_resumes(name, tmp_path):
    settings = {"corpus": "voices", "scale": "smoke", "device": "cuda"}
    first, again = (
        experiment.run(name, framework="torch", checkpoint_folder=tmp_path, **settings)
        for _ in range(2)
    )
    assert again.history == first.history
