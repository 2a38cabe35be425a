"""Make the model that comes with digitlab: B2, trained on all speakers of all corpora.

`make pretrained` runs it: a quarter of an hour on two cores. It wants FSDD whole, and as much of
AudioMNIST and of Speech Commands as there is. How well the model does is measured by
`benchmarks/unseen.py`, on the same system trained without half of the speakers.
"""

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np

from digitlab import experiment, pretrained

SEED = 42


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "accuracy", type=float, help="of B2 on unseen speakers, for its description"
    )
    parser.add_argument("--file", type=Path, default=pretrained.FILE)
    settings = parser.parse_args()
    plan = experiment.plan("B2", scale="laptop", seed=SEED)
    everything = np.arange(len(plan.corpus))
    fold = experiment.Fold(everything, everything[:0], everything, SEED, "")
    data = experiment.prepare(plan)
    report = experiment.score(plan, data, fold, experiment.train(plan, data, fold))
    print(f"{report.n_train:,} clips, {report.seconds_training:.0f} s")
    print(f"accuracy on the clips it was trained on: {report.test_accuracy:.4f}")
    settings.file.unlink(missing_ok=True)
    replace(report.recogniser, test_accuracy=settings.accuracy).save(settings.file)
    text = f"{pretrained.digest(settings.file)}  {settings.file.name}\n"
    settings.file.with_suffix(".sha256").write_text(text, "ascii")


if __name__ == "__main__":
    main()
