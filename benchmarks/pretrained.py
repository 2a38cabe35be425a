"""Make the model that comes with digitlab: B2, trained on all speakers of all corpora.

`make pretrained` runs it, in half an hour on two cores. It wants FSDD whole, and as much of
AudioMNIST and of Speech Commands as there is. What the model says of its accuracy is that of
`benchmarks/unseen.py`: of the same system, trained without half of the speakers, on these.
"""

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
from unseen import accuracy_on_second_half, refusal_limit, train_on

from digitlab import experiment, pretrained
from digitlab.environment import sha256
from digitlab.recognisers import Recogniser

SEED = 42


def train_on_all() -> Recogniser:
    """Train B2 on every clip; its own accuracy is on those and means nothing."""
    plan = experiment.plan("B2", scale="laptop", seed=SEED)
    report = train_on(plan, np.ones(len(plan.corpus), dtype=bool))
    print(f"{report.n_train:,} clips, {report.seconds_training:.0f} s of training")
    print(f"{report.test_accuracy:.4f} of them recognised, other words among them")
    return report.recogniser


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--accuracy", type=float, help="On unseen speakers; measured if left out.")
    parser.add_argument("--file", type=Path, default=pretrained.FILE)
    settings = parser.parse_args()
    accuracy = settings.accuracy or accuracy_on_second_half("B2", SEED)
    recogniser = train_on_all()
    limit = round(refusal_limit(recogniser), 3)
    recogniser = replace(recogniser, test_accuracy=accuracy, refuse_above=limit)
    settings.file.unlink(missing_ok=True)
    recogniser.save(settings.file)
    text = f"{sha256(settings.file)}  {settings.file.name}\n"
    settings.file.with_suffix(".sha256").write_text(text, "ascii")


if __name__ == "__main__":
    main()
