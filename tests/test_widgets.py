"""An explorer shows the same frames live and as a flipbook; what they claim is true."""

import base64
import io
import re
from functools import cache

import matplotlib

matplotlib.use("Agg")

import librosa
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import soundfile
from bs4 import BeautifulSoup
from PIL import Image

from digitlab import features, voices, widgets
from digitlab.widgets import gates, sampling, scattering, vowel_chart

RATE = 8000


def delays(samples, rate):
    """Explore two made-up networks: one measures when the word comes, one answers 0 always."""

    def early(clip):
        centre = np.arange(len(clip)) @ clip**2 / max((clip**2).sum(), 1e-9) / rate
        return np.eye(2)[int(centre > 0.3)]

    networks = {"dense": early, "shift-invariant": lambda clip: np.array([0.9, 0.1])}
    return widgets.delays(samples, rate, networks, ["0", "1"], true=0)


WORD = np.random.default_rng(0).standard_normal(4000) * np.hanning(4000)
EXPLORERS = {
    "waves": widgets.waves,
    "aliasing": widgets.aliasing,
    "quantisation": lambda: widgets.quantisation(WORD, RATE),
    "fourier_series": widgets.fourier_series,
    "window_length": lambda: widgets.window_length(WORD, RATE),
    "mel_bands": lambda: widgets.mel_bands(WORD, RATE),
    "vowels": widgets.vowels,
    "averaging_scale": lambda: widgets.averaging_scale(WORD, RATE),
    "wavelets_per_octave": lambda: widgets.wavelets_per_octave(WORD, RATE),
    "trimming": lambda: widgets.trimming(WORD, RATE),
    "delays": lambda: delays(WORD, RATE),
    "forget_bias": lambda: widgets.forget_bias(WORD, RATE),
}
SILENT = {"waves", "window_length"}
OF_SAMPLES = (
    widgets.quantisation,
    widgets.window_length,
    widgets.mel_bands,
    widgets.averaging_scale,
    widgets.wavelets_per_octave,
    widgets.trimming,
    delays,
    widgets.forget_bias,
)


@pytest.mark.parametrize("explore", OF_SAMPLES)
def test_integer_samples_show_and_sound_as_the_same_floats_do(explore):
    loud = np.int16(np.rint(20000 * WORD / np.abs(WORD).max()))
    assert explore(loud, RATE).frame == explore(loud / 32768, RATE).frame
    coarse = np.uint8(loud // 256 + 128)
    floats = (coarse - 128.0) / 128
    assert explore(coarse, RATE).frame == explore(floats, RATE).frame


@pytest.mark.parametrize("explore", OF_SAMPLES)
@pytest.mark.parametrize(
    "samples, problem",
    [
        (np.zeros((2, 8000)), "transpose"),
        (np.zeros((1, 8000)), "transpose"),
        (np.zeros((8000, 2)), "one channel.*samples.mean"),
        (np.zeros(0), "shape"),
        (np.zeros(8000, bool), "bool"),
    ],
    ids=["channels first", "one channel first", "stereo", "no samples", "bool"],
)
def test_what_is_no_sound_of_one_channel_is_refused(explore, samples, problem):
    with pytest.raises(ValueError, match=problem):
        explore(samples, RATE)


@pytest.mark.parametrize("sound", [np.zeros(4000), WORD[1990:2010], np.ones(50)])
def test_silence_and_a_very_short_sound_can_be_quantised(sound, page):
    for frame in page(lambda: widgets.quantisation(sound, RATE)).select(".frame"):
        assert all(np.isfinite(samples).all() for samples, _ in sounds(frame))


@pytest.mark.parametrize("rate", [RATE, 44100])
def test_the_end_of_a_long_word_is_heard_too(rate):
    word = np.zeros(2 * rate)
    word[-rate // 4 :] = np.sin(2 * np.pi * 500 / rate * np.arange(rate // 4))
    view = BeautifulSoup(widgets.averaging_scale(word, rate).frame, "html.parser")
    heard, heard_rate = next(sounds(view))
    assert len(heard) / heard_rate >= 2
    assert strongest(heard, heard_rate) == pytest.approx(500, rel=0.1)


def place_of(place):
    figure, ax = plt.subplots(figsize=(1, 1))
    ax.plot([0, 1], [0, place])
    return widgets.Frame(figure, f'frame "{place}"')


@pytest.fixture
def page(monkeypatch):
    """Return a function that makes an explorer's flipbook and parses it."""
    monkeypatch.setenv("DIGITLAB_FLIPBOOK", "1")
    return lambda make: BeautifulSoup(make().data, "html.parser")


@pytest.fixture(scope="module")
def flipbook():
    """Return a function that parses the flipbook of an explorer by its name, made once."""

    @cache
    def made(name):
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("DIGITLAB_FLIPBOOK", "1")
            return BeautifulSoup(EXPLORERS[name]().data, "html.parser")

    return made


@pytest.mark.parametrize("name", EXPLORERS)
def test_a_flipbook_holds_a_picture_a_sound_and_words_for_every_place(name, flipbook):
    soup = flipbook(name)
    frames, slider = soup.select(".frame"), soup.select_one("input[type=range]")
    assert int(slider["max"]) == len(frames) - 1 >= 7
    assert [not frame.has_attr("hidden") for frame in frames].count(True) == 1
    assert slider["aria-valuetext"] == frames[int(slider["value"])]["data-place"]
    pictures = [frame.img["src"] for frame in frames]
    assert len(set(pictures)) == len(pictures)
    for frame in frames:
        picture = base64.b64decode(frame.img["src"].partition(",")[2])
        assert Image.open(io.BytesIO(picture)).format == "WEBP"
        assert frame.img["alt"].endswith(".")
        assert bool(frame.select("audio")) == (name not in SILENT)


@pytest.mark.parametrize("name", EXPLORERS)
def test_live_the_slider_redraws(name):
    explorer, frames = EXPLORERS[name](), []
    for place in (1, 0, 1):
        explorer.place = place
        frames.append(explorer.frame)
    assert frames[0] == frames[2] != frames[1]


def test_live_and_flipbook_show_the_same(monkeypatch):
    live = widgets.explorer(place_of, ["low", "high"], "place", start=1).frame
    monkeypatch.setenv("DIGITLAB_FLIPBOOK", "1")
    assert live in widgets.explorer(place_of, ["low", "high"], "place").data


def test_words_are_escaped(page):
    soup = page(lambda: widgets.explorer(place_of, ["<low>", '"high"'], "a & b"))
    assert soup.span.text == "a & b"
    assert [frame["data-place"] for frame in soup.select(".frame")] == ["<low>", '"high"']
    assert soup.img["alt"] == 'frame "0"'


def test_no_figure_is_left_open():
    plt.close("all")
    widgets.explorer(place_of, ["low", "high"], "place")
    assert not plt.get_fignums()


def sounds(frame):
    for audio in frame.select("audio"):
        content = base64.b64decode(audio["src"].partition(",")[2])
        yield soundfile.read(io.BytesIO(content))


def strongest(samples, rate):
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    return spectrum.argmax() * rate / len(samples)


def test_aliasing_plays_the_tones_that_it_names(flipbook):
    for frame in flipbook("aliasing").select(".frame"):
        tone = float(frame["data-place"].removesuffix(" Hz").replace(",", ""))
        (original, rate), (aliased, _) = sounds(frame)
        assert strongest(original, rate) == pytest.approx(tone, abs=3)
        folded = abs((tone + 2000) % 4000 - 2000)
        assert strongest(aliased, rate) == pytest.approx(folded, abs=3)


def test_an_alias_is_drawn_through_the_samples_of_the_tone(monkeypatch):
    monkeypatch.setattr(sampling, "explorer", lambda draw, places, label: [
        draw(place).figure.axes[0].lines for place in range(len(places))
    ])  # fmt: skip
    for tone, alias, dots in widgets.aliasing():
        at_dots = np.isin(alias.get_xdata().round(9), dots.get_xdata().round(9))
        assert at_dots.sum() == len(dots.get_xdata())
        np.testing.assert_allclose(alias.get_ydata()[at_dots], dots.get_ydata(), atol=1e-9)
        np.testing.assert_allclose(tone.get_ydata()[at_dots], dots.get_ydata(), atol=1e-9)
    plt.close("all")


def test_quantisation_plays_what_it_says(flipbook):
    frames = flipbook("quantisation").select(".frame")
    levels = []
    for frame in frames:
        (quantised, _), _ = sounds(frame)
        levels.append(len(np.unique(quantised)))
        assert levels[-1] <= 2 ** int(frame["data-place"].split()[0])
    assert levels == sorted(levels)


def test_the_fourier_series_nears_a_square_wave(flipbook):
    frames = flipbook("fourier_series").select(".frame")
    heard = [next(sounds(frame))[0] for frame in frames]
    middle = slice(len(heard[0]) // 4, -len(heard[0]) // 4)
    square = np.sign(heard[0][middle])
    errors = [np.mean((sound[middle] / 0.3 - square) ** 2) for sound in heard]
    assert errors == sorted(errors, reverse=True)
    assert errors[-1] < errors[0] / 5


@pytest.mark.parametrize("place", [0, 5, 11])
def test_mel_bands_keep_the_loudness_over_time(place):
    explorer = widgets.mel_bands(WORD, RATE)
    explorer.place = place
    shaped, _ = next(sounds(BeautifulSoup(explorer.frame, "html.parser")))
    heard, wanted = (np.convolve(x**2, np.ones(400), "same") for x in (shaped, WORD))
    assert np.corrcoef(heard, wanted)[0, 1] > 0.8


def test_a_single_mel_band_is_drawn_too():
    explorer = widgets.mel_bands(WORD, RATE)
    explorer.place = 0
    source = BeautifulSoup(explorer.frame, "html.parser").img["src"]
    picture = Image.open(io.BytesIO(base64.b64decode(source.split(",")[1]))).convert("RGB")
    coloured = np.ptp(np.asarray(picture, float), axis=2) > 60
    assert coloured.mean() > 0.15  # the colour bar alone is a tenth of that


def test_mel_bands_keep_the_spectrum_when_there_are_many():
    word = np.sin(2 * np.pi * 1000 / RATE * np.arange(4000))
    explorer = widgets.mel_bands(word, RATE)
    explorer.place = 11
    shaped, _ = next(sounds(BeautifulSoup(explorer.frame, "html.parser")))
    assert strongest(shaped, RATE) == pytest.approx(1000, abs=100)


def test_every_place_has_a_number_that_a_reader_can_use():
    for text in widgets.window_length(WORD, 48000).places:
        assert re.fullmatch(r"[\d,]+ samples, \d+ ms", text)


def formants_of(samples, rate):
    """Return the sharp resonances, in Hz, lowest first, of the all-pole filter that fits best."""
    sharpened = np.diff(samples[len(samples) // 4 : -len(samples) // 4])
    roots = np.roots(librosa.lpc(sharpened * np.hamming(len(sharpened)), order=10))
    sharp = roots[(roots.imag > 0) & (np.abs(roots) > 0.85)]
    return np.sort(np.angle(sharp)) * rate / 2 / np.pi


def test_vowels_have_their_formants_where_they_say(flipbook):
    frames = flipbook("vowels").select(".frame")
    for frame in frames:
        numbers = re.findall(r"[\d,]+(?= and| Hz)", frame["data-place"])
        wanted = [float(number.replace(",", "")) for number in numbers]
        heard = formants_of(*next(sounds(frame)))
        np.testing.assert_allclose(heard[:2], wanted, atol=50)


def test_the_path_of_vowels_goes_through_those_of_the_voices(flipbook):
    named = [frame["data-place"] for frame in flipbook("vowels").select(".frame")[::3]]
    for place, (spelt, name) in zip(named, vowel_chart.VOWEL_PATH.items(), strict=True):
        vowel = voices.PHONEMES[name]
        assert place == f"{spelt}: {vowel.f1:.0f} and {vowel.f2:,.0f} Hz"


def test_the_drawn_resonances_are_those_of_the_vowel():
    """The drawn gain plus the source is the played vowel, harmonic by harmonic."""
    formants, pitch = np.array([500.0, 1500.0, 2500.0]), 100
    sound = voices.vowel(*formants, pitch=pitch, seconds=1.0, rate=48000)
    glottal, _ = voices.glottal_source(np.full(48000, float(pitch)), np.random.default_rng(0))
    window, harmonics = np.hanning(48000), np.arange(pitch, 4000, pitch)
    vowel, source = (
        20 * np.log10(np.abs(np.fft.rfft(x * window))[harmonics]) for x in (sound, glottal)
    )
    np.testing.assert_allclose(
        np.ptp(vowel - source - vowel_chart._tract(formants, harmonics)), 0, atol=1
    )


def test_the_longer_the_average_the_less_of_the_rhythm_is_heard(page):
    word = np.sin(2 * np.pi * 1000 / RATE * np.arange(8192)) * (np.arange(8192) // 800 % 2)
    frames = page(lambda: widgets.averaging_scale(word, RATE)).select(".frame")
    heard = [next(sounds(frame))[0] for frame in frames[2:]]  # from 64 samples up
    rhythm, *powers = (np.convolve(x**2, np.ones(200), "same") for x in (word, *heard))
    kept = [np.corrcoef(power, rhythm)[0, 1] for power in powers]
    assert kept[0] > 0.75
    assert kept[-1] < 0.3


def test_the_more_wavelets_the_narrower_is_a_tone(page):
    tone = np.sin(2 * np.pi * 1000 / RATE * np.arange(8192))
    frames = page(lambda: widgets.wavelets_per_octave(tone, RATE)).select(".frame")
    widths = []
    for frame in frames:
        power = np.abs(np.fft.rfft(next(sounds(frame))[0])) ** 2
        octaves = np.abs(np.log2(np.maximum(np.arange(len(power)), 1) * RATE / 8192 / 1000))
        widths.append(octaves @ power / power.sum())
    assert widths == sorted(widths, reverse=True)
    assert widths[-1] < widths[0] / 5


def test_trimming_plays_what_it_keeps_and_says_how_much(flipbook):
    word, kept = WORD / np.abs(WORD).max(), []
    for frame in flipbook("trimming").select(".frame"):
        threshold = int(frame["data-place"].removesuffix(" dB"))
        wanted, _ = librosa.effects.trim(word, top_db=threshold, frame_length=256, hop_length=64)
        played, _ = next(sounds(frame))
        np.testing.assert_allclose(played, wanted, atol=2 / 32768)
        assert f"{len(played) / len(word):.0%} is kept" in frame.figcaption.text
        kept.append(len(played))
    assert kept == sorted(kept) and kept[0] < 0.7 * len(word) < 0.95 * len(word) < kept[-1]


def test_a_delayed_word_is_played_and_answered_as_it_is_delayed(flipbook):
    word = 0.6 * WORD / np.abs(WORD).max()
    for frame in flipbook("delays").select(".frame"):
        n = int(frame["data-place"].removesuffix(" ms")) * RATE // 1000
        played, _ = next(sounds(frame))
        assert not played[:n].any()
        wanted = word[: len(word) - n] * 0.6 / np.abs(word[: len(word) - n]).max()
        np.testing.assert_allclose(played[n:], wanted, atol=2 / 32768)
        early = n < 0.05 * RATE  # the word's centre lies at 0.25 s, the network's border at 0.3 s
        assert frame.img["alt"].endswith(f"dense {early:.0%}, shift-invariant 90%.")


@pytest.mark.parametrize("sound", [np.zeros(4000), WORD[1990:2010]])
def test_silence_and_a_sound_shorter_than_a_frame_can_be_trimmed(sound, page):
    for frame in page(lambda: widgets.trimming(sound, RATE)).select(".frame"):
        assert "100% is kept" in frame.figcaption.text


@pytest.mark.parametrize("J", [5, 6, 8])
def test_averages_are_kymatio_s_where_nothing_is_cut_at_the_ends(J):
    word = np.zeros(8192)
    word[3000:5000] = WORD[1000:3000] * np.hanning(2000)
    _, wavelets, average = features.filter_bank(8192, J, 8)
    _, strengths = scattering._bands(word, wavelets, average)
    theirs = features.scattering(word[None], 8000, J, 8)[0, 1 : 1 + len(wavelets)]
    ratios = np.linalg.norm(strengths[:, :: 2**J], axis=1) / np.linalg.norm(theirs, axis=1)
    np.testing.assert_allclose(np.log2(ratios), np.rint(np.log2(ratios)), atol=0.01)


def test_a_larger_forget_bias_keeps_more_of_the_word(flipbook):
    frames = flipbook("forget_bias").select(".frame")
    heard = [next(sounds(frame))[0] for frame in frames]
    energies = [np.sum(sound**2) for sound in heard]
    assert energies == sorted(energies)
    word = WORD / np.abs(WORD).max()
    assert np.abs(heard[-1] - word).max() < 0.02  # at b = 12 nearly all of 4,000 samples


@pytest.mark.parametrize("bias", [-2, 1, 4, 8, 12])
def test_half_is_left_after_the_steps_that_an_explorer_names(bias):
    gate = 1 / (1 + np.exp(-bias))
    assert gate ** gates._half_life(bias) == pytest.approx(0.5)
    named = [place for place in widgets.forget_bias(WORD, RATE).places if f"b = {bias}:" in place]
    steps = float(named[0].split("after ")[1].split()[0].replace(",", ""))
    assert gate**steps == pytest.approx(0.5, abs=0.12 if bias < 2 else 0.01)


# --- a table that can be heard --------------------------------------------------------------------


def heard(row, column):
    if row == "K3":
        return None
    return widgets.Sound(column, WORD / 4, RATE, f"{column} & {row}")


def test_each_cell_plays_its_sound_and_sounds_are_held_once():
    scores = pd.DataFrame({"anna": [0.1, 0.9, np.nan], "ben": [0.5, 1.0, 0.3]}, ["K1", "K2", "K3"])
    page = BeautifulSoup(widgets.sound_table(scores, heard, "Accuracy <1>.").data, "html.parser")
    buttons = page.find_all("button")
    assert [button.text for button in buttons] == ["0.10", "0.50", "0.90", "1.00"]
    sounds = {sound["data-name"]: sound for sound in page.find_all("audio")}
    assert len(sounds) == 2
    assert buttons[0]["data-sound"] == buttons[2]["data-sound"] in sounds
    assert buttons[0]["aria-label"] == "0.10. anna & K1"
    content = sounds[buttons[0]["data-sound"]]["src"].partition(",")[2]
    samples, rate = soundfile.read(io.BytesIO(base64.b64decode(content)))
    assert rate == RATE and np.abs(samples - WORD / 4).max() < 1e-4
    assert page.caption.text == "Accuracy <1>."
    assert len(page.find_all("td")) == 1 + 6  # the corner, and a cell for each score


def test_ink_can_be_read_on_every_colour():
    scores = pd.DataFrame({"anna": np.linspace(0, 1, 101)}, index=range(101))
    page = BeautifulSoup(widgets.sound_table(scores, lambda *_: None, "").data, "html.parser")

    def luminance(colour):
        parts = np.array(matplotlib.colors.to_rgb(colour))
        linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
        return linear @ [0.2126, 0.7152, 0.0722]

    for cell in page.find_all("td", style=True):
        ground, ink = re.findall(r"#\w+", cell["style"])
        dark, light = sorted((luminance(ground), luminance(ink)))
        assert (light + 0.05) / (dark + 0.05) >= 4.5


def test_only_shares_are_scores():
    with pytest.raises(ValueError, match="between 0 and 1"):
        widgets.sound_table(pd.DataFrame({"anna": [97.0]}), heard, "")
