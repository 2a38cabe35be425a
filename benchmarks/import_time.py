"""How long does `import digitlab` take, beside what it puts off?"""

import statistics
import subprocess
import sys
import time

STATEMENTS = ["pass", "import digitlab", "import digitlab.recipes", "import torch", "import keras"]
ROUNDS = 7


def seconds(statement: str) -> float:
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", statement], check=True, capture_output=True)
    return time.perf_counter() - start


def main() -> None:
    for statement in STATEMENTS:
        seconds(statement)  # from a warm disk
    rounds = [[seconds(statement) for statement in STATEMENTS] for _ in range(ROUNDS)]
    medians = [statistics.median(column) for column in zip(*rounds, strict=True)]
    print(f"medians of {ROUNDS} processes each, less the {medians[0]:.3f} s of a bare Python")
    for statement, median in zip(STATEMENTS[1:], medians[1:], strict=True):
        print(f"{statement:24} {median - medians[0]:7.3f} s")


if __name__ == "__main__":
    main()
