"""The built-in voices: a formant synthesiser that says thirty words in many voices.

A source (the buzz of the vocal folds, the noise of breath) is filtered by the vocal tract (the
formants). A word is a sequence of phonemes, a phoneme is a row of targets, and the formants glide
from target to target. Chapter 5, "Speech synthesis: a source, a filter, and a machine that talks"
(``book/05_voices.ipynb``), builds it piece by piece.
"""

from digitlab.voices.corpus import PLANS, VERSION, say, write_corpus
from digitlab.voices.phonemes import ACCENTS, DIGIT_WORDS, PHONEMES, WORDS, Phoneme, phonemes_of
from digitlab.voices.speakers import NAMES, PITCH, TRACT, Speaker, speaker
from digitlab.voices.synthesis import (
    RENDER_RATE,
    controls,
    filter_frames,
    glottal_source,
    mouth,
    record,
    render,
    resonator,
    vocal_tract,
    vowel,
)

__all__ = [
    "ACCENTS",
    "DIGIT_WORDS",
    "NAMES",
    "PHONEMES",
    "PITCH",
    "PLANS",
    "RENDER_RATE",
    "TRACT",
    "VERSION",
    "WORDS",
    "Phoneme",
    "Speaker",
    "controls",
    "filter_frames",
    "glottal_source",
    "mouth",
    "phonemes_of",
    "record",
    "render",
    "resonator",
    "say",
    "speaker",
    "vocal_tract",
    "vowel",
    "write_corpus",
]
