"""A file that keeps each answer before it is sent, so that a service that is killed loses none."""

import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from digitlab.environment import why

BEGINNING = b'{"'


class AnswerLog:
    """A file of one JSON line for each answer, to which lines are added and never changed.

    Parameters
    ----------
    file : pathlib.Path
        Made if it is missing. If its last line was cut short, the next one begins below it.

    Raises
    ------
    OSError
        If it cannot be written; the message names it.
    ValueError
        If it holds something other than answers, to which nothing is to be added.

    Notes
    -----
    What was written reaches the operating system before `write` returns. So it survives the end of
    the process, even by SIGKILL, but not a power failure: that would take ``os.fsync``, which waits
    for the disk.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with AnswerLog(Path(folder, "answers.jsonl")) as log:
    ...         log.write([{"id": "1", "label": "7"}])
    ...     print(*read_answers(Path(folder, "answers.jsonl")))
    {'id': '1', 'label': '7'}
    """

    def __init__(self, file: Path) -> None:
        self.file = Path(file)
        if self.file.exists() and not self.file.is_file():
            raise OSError(f"{file} is no file: name a new one, or one that holds answers")
        try:
            self._out = open(self.file, "ab+", buffering=0)  # noqa: SIM115
        except OSError as error:
            raise OSError(f"{file} cannot be written: {why(error)}") from error
        if not self._begins_like_an_answer():
            self.close()
            raise ValueError(f"{file} holds something other than answers: name another file")
        self._is_torn = self._ends_within_a_line()

    def __enter__(self) -> "AnswerLog":
        """Return the log itself."""
        return self

    def __exit__(self, *_) -> None:
        """Close the file."""
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._out.close()

    def write(self, answers: Sequence[dict]) -> None:
        """Add answers, all in one go.

        Parameters
        ----------
        answers : sequence of dict
            What JSON can hold.

        Raises
        ------
        OSError
            If the disk is full, for example. What came before is still there.
        """
        lines = "".join(json.dumps(answer) + "\n" for answer in answers)
        content = (b"\n" if self._is_torn else b"") + lines.encode("ascii")
        self._is_torn = True  # until all of it is written
        while content:
            content = content[self._out.write(content) :]
        self._is_torn = False

    def _begins_like_an_answer(self) -> bool:
        """Tell whether the file is empty or begins with an object of JSON, perhaps cut short."""
        self._out.seek(0)
        return self._out.read(len(BEGINNING)) in (BEGINNING, BEGINNING[:1], b"")

    def _ends_within_a_line(self) -> bool:
        """Tell whether the file's last line was cut short."""
        if not self._out.seek(0, os.SEEK_END):
            return False
        self._out.seek(-1, os.SEEK_END)
        return self._out.read(1) != b"\n"


def read_answers(file: Path) -> Iterator[dict]:
    r"""Yield the answers that a service kept; lines that were cut short are left out.

    Parameters
    ----------
    file : pathlib.Path
        What :class:`AnswerLog` wrote.

    Yields
    ------
    dict
        With ``id``, ``time``, ``label``, ``probabilities``, ``done``, ``model`` and ``sha256``.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = Path(folder, "answers.jsonl")
    ...     _ = file.write_text('{"id": "1"}\n{"id": "2", "lab')
    ...     print(*read_answers(file))
    {'id': '1'}
    """
    with open(file, "rb") as lines:
        for line in lines:
            try:
                answer = json.loads(line)
            except ValueError:
                continue
            if isinstance(answer, dict):
                yield answer
