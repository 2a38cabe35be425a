"""Recording from the command line: a false sound card says what a real one would."""

import sys
from types import SimpleNamespace

import numpy as np
import pytest
from click.testing import CliRunner

from digitlab import cli, microphone, voices

RATE = 48000


class PortAudioError(Exception):
    pass


def card(sound, rate=RATE):
    """Return a module like sounddevice whose microphone hears a sound, and then silence."""

    class InputStream:
        def __init__(self, samplerate, channels, dtype):
            assert (samplerate, channels, dtype) == (rate, 1, "float32")
            self.place = 0

        def __enter__(self):
            return self

        def __exit__(self, *error):
            pass

        def read(self, n):
            block = np.zeros((n, 1), np.float32)
            part = sound[self.place : self.place + n]
            block[: len(part), 0] = part
            self.place += n
            return block, False

    return SimpleNamespace(
        InputStream=InputStream,
        PortAudioError=PortAudioError,
        query_devices=lambda kind: {"default_samplerate": float(rate)},
    )


@pytest.fixture
def plug_in(monkeypatch):
    return lambda module: monkeypatch.setitem(sys.modules, "sounddevice", module)


def listen(*arguments):
    return CliRunner().invoke(cli.main, ["listen", *arguments])


@pytest.mark.parametrize("word", ["four", "nine"])
def test_a_digit_is_heard(plug_in, word):
    pytest.importorskip("torch")
    quiet = np.zeros(RATE // 2, np.float32)
    plug_in(card(np.concatenate([quiet, 0.5 * voices.say(word, speaker=4, rate=RATE)])))
    run = listen()
    assert run.exit_code == 0, run.output
    assert f"What was said: {voices.DIGIT_WORDS.index(word)}" in run.output


def test_the_level_is_shown_while_it_records(plug_in):
    plug_in(card(np.full(RATE, 0.25)))
    levels = []
    samples, rate = microphone.record(2, levels.append)
    assert (len(samples), rate, len(levels)) == (2 * RATE, RATE, 40)
    assert levels[:20] == pytest.approx([0.25] * 20) and not any(levels[20:])


def test_a_clipped_recording_is_said_so(plug_in):
    pytest.importorskip("torch")
    plug_in(card(np.clip(4 * voices.say("five", rate=RATE), -1, 1)))
    assert "is clipped" in listen().output


def test_silence_is_no_recording(plug_in):
    pytest.importorskip("torch")
    plug_in(card(np.zeros(0)))
    run = listen()
    assert run.exit_code == 1 and "is the microphone switched off" in run.output


def test_without_a_microphone_it_says_what_to_do(plug_in):
    pytest.importorskip("torch")

    def none(kind):
        raise PortAudioError("Error querying device -1")

    module = card(np.zeros(0))
    module.query_devices = none
    plug_in(module)
    run = listen()
    assert run.exit_code == 1
    assert "there is no microphone" in run.output and "digitlab predict" in run.output


def test_without_sounddevice_it_says_how_to_install_it(plug_in):
    pytest.importorskip("torch")
    plug_in(None)
    run = listen()
    assert run.exit_code == 1 and "digitlab[mic]" in run.output


def test_without_portaudio_it_says_how_to_install_that(plug_in, tmp_path, monkeypatch):
    pytest.importorskip("torch")
    (tmp_path / "sounddevice.py").write_text('raise OSError("PortAudio library not found")')
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "sounddevice", raising=False)
    run = listen()
    assert run.exit_code == 1 and "libportaudio2" in run.output
