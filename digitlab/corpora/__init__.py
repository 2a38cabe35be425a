"""Corpora of spoken words: find them on disk, download, verify, load.

``load("fsdd")`` looks in ``$DIGITLAB_DATA``, then in the user's cache, then downloads; so do
``load("audiomnist")`` and ``load("speech_commands")``, except that these are large and are
downloaded only by ``digitlab data fetch``. A folder of one's own recordings loads too. Chapter 6
looks at the recordings themselves.
"""

from digitlab.corpora.corpus import Corpus
from digitlab.corpora.fetch import CorpusUnreachable, fetch
from digitlab.corpora.load import example, find, load, verify
from digitlab.corpora.merge import merge
from digitlab.corpora.sources import DIGITS, SOURCES, Source
from digitlab.environment import SCALES, scale_from_environment
from digitlab.layouts import METADATA, OTHER, CorpusError

__all__ = [
    "DIGITS",
    "METADATA",
    "OTHER",
    "SCALES",
    "SOURCES",
    "Corpus",
    "CorpusError",
    "CorpusUnreachable",
    "Source",
    "example",
    "fetch",
    "find",
    "load",
    "merge",
    "scale_from_environment",
    "verify",
]
