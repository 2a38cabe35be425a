"""Listen on a stream: find when a word is there and which, and measure how often that is wrong.

A :class:`Listener` is fed blocks of sound, of any size, and reports each digit once. A ring buffer
keeps the last seconds, a voice activity detector finds where a word begins and ends, a recogniser
names it, and the probabilities of several windows are averaged. :func:`synthetic_stream` makes
streams whose words are known, :func:`score` counts what a listener got wrong in them.
"""

from digitlab.streaming.activity import VoiceActivityDetector, levels
from digitlab.streaming.listener import Detection, Listener, RingBuffer, Settings, read_blocks
from digitlab.streaming.scoring import Score, score, select
from digitlab.streaming.synthetic import (
    NOISES,
    Stream,
    Word,
    background,
    synthetic_stream,
    voice_words,
)

__all__ = [
    "NOISES",
    "Detection",
    "Listener",
    "RingBuffer",
    "Score",
    "Settings",
    "Stream",
    "VoiceActivityDetector",
    "Word",
    "background",
    "levels",
    "read_blocks",
    "score",
    "select",
    "synthetic_stream",
    "voice_words",
]
