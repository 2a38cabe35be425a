"""What does a system gain and lose as an ONNX file, in float32 and in integers of 8 bits?

Six systems are trained, exported and asked about the same 300 test clips, one clip at a time and on
one thread: with digitlab, and with ONNX Runtime alone. Both start from the recording at the
system's rate, so padding, scaling and features count. The calibration of the integers sees 100
training clips. Mel filters stay in float32: when those of C5 were rounded to 8 bits, too, it
recognised 0.31 of its test clips in place of 0.85. Rows are written to ``book/export.csv``; those
that are there are not made again, so delete them when :mod:`digitlab.export` has changed.

    python benchmarks/export.py
"""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import onnxruntime
import pandas as pd
import torch

from digitlab import experiment, export, plans, provenance, recipes, results
from digitlab.preparation import cut_to_fit
from digitlab.recognisers import Recogniser

FILE = Path("book/export.csv")
MODELS = Path("_build/export")
N_TEST, N_CALIBRATION = 300, 100
# D3 on FSDD, and shorter trainings of C5 and B1: minutes on one core
SYSTEMS = {
    "K3": {},
    "L5": {},
    "L7": {},
    "D3": {"corpus": "fsdd", "split": "official"},
    "C5": {"epochs": 6},
    "B1": {"epochs": 8},
}


def asked(answer: Callable, clips: list[np.ndarray]) -> tuple[np.ndarray, float]:
    """Return the probabilities of each clip, and the median of the times in ms."""
    answer(clips[0])  # the first call is slow
    answers, seconds = [], []
    for clip in clips:
        start = time.perf_counter()
        answers.append(answer(clip))
        seconds.append(time.perf_counter() - start)
    return np.concatenate(answers), 1000 * float(np.median(seconds))


def with_onnx(file: Path) -> Callable:
    """Return what asks an ONNX file about a clip, on one thread."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(file, options)
    return lambda clip: session.run(None, {"samples": clip[np.newaxis]})[0]


def with_digitlab(recogniser: Recogniser) -> Callable:
    """Return what asks a recogniser about a clip."""
    fit = recogniser.preparation.fit
    return lambda clip: recogniser.probabilities(fit(clip)[np.newaxis])


def clips_of(plan: plans.Plan, rows: np.ndarray, n_clips: int) -> tuple[list, np.ndarray]:
    """Return some clips, neither padded nor scaled, and their labels."""
    rows = np.sort(np.random.default_rng(0).permutation(rows)[:n_clips])
    corpus = plan.corpus.select(rows)
    preparation = plan.recipe.preparation
    clips = [cut_to_fit(clip, corpus.rate, preparation).samples for clip in corpus.recordings()]
    return clips, corpus.table["label"].to_numpy()


def rows_of(name: str, settings: dict) -> Iterator[dict]:
    """Yield a row for each runtime of a system."""
    plan = plans.plan(name, scale="laptop", **settings)
    report = experiment.execute(plan)
    recogniser, [fold] = report.recogniser, plan.folds
    kept, exported, small = (MODELS / f"{name}{end}" for end in (".npz", ".onnx", "_int8.onnx"))
    for file in (kept, exported, small, exported.with_name(f"{exported.name}.md")):
        file.unlink(missing_ok=True)
    recogniser.save(kept)
    start = time.perf_counter()
    export.write(recogniser, exported)
    seconds = time.perf_counter() - start
    training_clips, _ = clips_of(plan, fold.train, N_CALIBRATION)
    export.quantise(
        exported, small, np.stack([recogniser.preparation.fit(clip) for clip in training_clips])
    )
    clips, labels = clips_of(plan, fold.test, N_TEST)
    runtimes = {
        f"Python ({recogniser.framework})": (with_digitlab(recogniser), kept),
        "ONNX, float32": (with_onnx(exported), exported),
        "ONNX, int8": (with_onnx(small), small),
    }
    expected = None
    for runtime, (answer, file) in runtimes.items():
        probabilities, ms = asked(answer, clips)
        expected = probabilities if expected is None else expected
        yield {
            "recipe": name,
            "corpus": report.corpus,
            "split": report.split,
            "epochs": plan.recipe.epochs,
            "n_train": report.n_train,
            "runtime": runtime,
            "bytes": file.stat().st_size,
            "ms": round(ms, 3),
            "n_test": len(labels),
            "accuracy": round(float((probabilities.argmax(axis=1) == labels).mean()), 4),
            "largest_difference": float(f"{np.abs(probabilities - expected).max():.2g}"),
            "export_seconds": round(seconds, 1),
            "settings": decided(name),
        }


def decided(name: str) -> str:
    """Return what decides a row, beside the code of the export."""
    return provenance.of(name, recipes.find(name).framework, "laptop").settings


def main() -> None:
    torch.set_num_threads(1)
    MODELS.mkdir(parents=True, exist_ok=True)
    rows = pd.read_csv(FILE).to_dict("records") if FILE.exists() else []
    rows = [row for row in rows if row["settings"] == decided(row["recipe"])]
    for name, settings in SYSTEMS.items():
        if name in {row["recipe"] for row in rows}:
            continue
        for row in rows_of(name, settings):
            rows.append(row)
            print(*row.values(), flush=True)
        pd.DataFrame(rows).to_csv(FILE, index=False)
    print(results.measured("export").drop(columns="settings"))


if __name__ == "__main__":
    main()
