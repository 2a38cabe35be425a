"""Run the commands of a workflow here, read from its file, in their order.

Steps that use somebody's action are left out. Expressions of GitHub in commands and variables must
be given: what is not known is an error, not an empty text. So is what only GitHub can do with a
step, such as to run it under a condition.

    python tests/run_workflow.py .github/workflows/test.yml units matrix.python=3.11
"""

import os
import re
import subprocess
import sys
from pathlib import Path

import yaml

UNDERSTOOD = {"name", "run", "env"}
EXPRESSION = re.compile(r"\$\{\{\s*(.*?)\s*\}\}")


def filled(text: object, values: dict[str, str]) -> str:
    """Put values in the place of expressions.

    Examples
    --------
    >>> filled("Python ${{ matrix.python }}", {"matrix.python": "3.11"})
    'Python 3.11'
    """

    def value(match: re.Match) -> str:
        if match[1] not in values:
            raise ValueError(f"give a value for {match[1]}, as  '{match[1]}=VALUE'")
        return values[match[1]]

    return EXPRESSION.sub(value, str(text))


def commands(file: Path, job: str, values: dict[str, str]) -> list[tuple[str, str, dict]]:
    """Return (name, command, its variables) for each step of a job that has a command."""
    workflow = yaml.safe_load(file.read_text("utf-8"))
    if job not in workflow["jobs"]:
        raise ValueError(
            f"{file}: there is no job {job!r}; there are {', '.join(workflow['jobs'])}"
        )
    described = workflow["jobs"][job]
    steps = [step for step in described["steps"] if "run" in step]
    if unknown := {key for step in steps for key in step} - UNDERSTOOD:
        raise ValueError(f"{file}: steps have {', '.join(sorted(unknown))}: only GitHub knows how")
    common = workflow.get("env", {}) | described.get("env", {})
    return [
        (
            step.get("name", step["run"]),
            filled(step["run"], values),
            {name: filled(text, values) for name, text in (common | step.get("env", {})).items()},
        )
        for step in steps
    ]


def main(file: str, job: str, *settings: str) -> int:
    """Run one after the other; return the first exit status that is not 0."""
    if wrong := [setting for setting in settings if "=" not in setting]:
        raise ValueError(f"{wrong[0]} is no setting: write NAME=VALUE")
    values = dict(setting.split("=", 1) for setting in settings)
    for name, command, variables in commands(Path(file), job, values):
        print(f"--- {name}", flush=True)
        call = ["bash", "-e", "-o", "pipefail", "-c", command]
        done = subprocess.run(call, env=os.environ | variables)
        if done.returncode:
            print(f"--- {name}: failed with status {done.returncode}")
            return done.returncode
    return 0


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit("name a workflow's file and a job: python tests/run_workflow.py FILE JOB")
    try:
        sys.exit(main(*sys.argv[1:]))
    except (OSError, ValueError, yaml.YAMLError) as error:
        sys.exit(str(error))
