"""A recogniser as an HTTP service: a recording is posted, and the answer comes back as JSON.

`app` makes the service, `started` runs it while a notebook looks at it, `run` until it is stopped.
It has no password and no encryption: put it behind a server that has both before strangers reach
it. Chapter 17 teaches what each part is for.
"""

from digitlab.serving.answers import AnswerLog, read_answers
from digitlab.serving.application import app
from digitlab.serving.limits import Limits
from digitlab.serving.server import listen, run, started

__all__ = ["AnswerLog", "Limits", "app", "listen", "read_answers", "run", "started"]
