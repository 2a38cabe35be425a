"""Draw the moving picture of the front page: python book/draw_word.py > book/assets/word.svg.

A word as air, as numbers, as a picture, as an answer, all four computed from the same samples. One
unit is one pixel, on a wide page (784) and on a phone (358), where the panels stand below each
other: style sheet and data are apart, and only the style sheet (word.css) says where and when.
"""

import base64
import io
from pathlib import Path

import matplotlib
import numpy as np
from PIL import Image
from scipy import signal

from digitlab import features, pretrained, voices
from digitlab.preparation import prepare

WORD, SPEAKER, RATE = "seven", 4, 8000
STYLE = Path(__file__).with_name("assets") / "word.css"
AIR_WIDTH, AIR_HEIGHT, WIDTH = 784, 66, 242  # of the air, and of a panel
AIR_SEEN_S = 3.6  # as word.css has it
AIR_START_S, AIR_S = 0.14, 0.06  # the beginning of the vowel, which travels through the air
SPEED = 19.6  # units that sound travels in 1 ms: 40 ms, or 14 m of air, are seen at once
SLOT, N_DOTS = 3, 2352  # dots of one slot move together
GOLDEN = (5**0.5 - 1) / 2
N_SAMPLES, FIRST_SAMPLE = 7, 1362  # that are shown one by one
DESCRIPTION = (
    "The word seven in four stages. Air: dots that crowd where the pressure is high, above the "
    "curve of the pressure. Numbers: the waveform of the word, and seven of its samples with their "
    "values. Picture: its log-mel spectrogram, time to the right, frequency upwards. "
    "Answer: ten bars, of which that of the digit 7 is by far the longest."
)


def path(x, y):
    """Return points as a path's data, with one decimal."""
    return "M" + "L".join(f"{a:.1f} {b:.1f}" for a, b in zip(x, y, strict=True))


def text(x, y, content, name=""):
    """Return a line of text."""
    return f'<text x="{x:.1f}" y="{y:.1f}" class="{name}">{content}</text>'


def heading(title, term):
    """Return the heading of a stage: its name, and below it the field's word."""
    return text(0, 14, title, "title") + text(0, 32, term, "term")


def passage(samples):
    """Return time in ms, pressure (largest 1) and displacement of the air, every 0.25 ms.

    The displacement is exaggerated, such that the density is in proportion to the pressure.
    """
    fine = signal.resample_poly(samples, 2, 1)
    band = signal.butter(2, [90, 700], "bandpass", fs=2 * RATE, output="sos")
    start = round(AIR_START_S * 2 * RATE)
    pressure = signal.sosfiltfilt(band, fine)[start : start + round(AIR_S * 2 * RATE)]
    pressure *= np.minimum(np.arange(len(pressure)) / 50, 1)
    pressure = (pressure / np.abs(pressure).max())[::4]
    time = 0.25 * np.arange(len(pressure))
    # As much air is on `way` with the sound as on `crowded` without it: density in proportion.
    way = SPEED * time
    excess = np.cumsum(pressure - pressure.mean()) * 0.25 * SPEED
    crowded = way + 0.92 / -pressure.min() * excess
    return time, pressure, way - np.interp(way, crowded, way)


def draw_air(samples):
    """Return the air, moving and at rest, and the keyframes of its displacement."""
    time, pressure, displacement = passage(samples)
    numbers = np.arange(N_DOTS)
    jitter = np.random.default_rng(0).uniform(-1.5, 1.5, (2, N_DOTS))
    x = (numbers + 0.5) * AIR_WIDTH / N_DOTS + jitter[0]
    y = 3 + (AIR_HEIGHT - 6) * (numbers * GOLDEN % 1) + jitter[1]  # evenly spread, in no rows
    slots = numbers * AIR_WIDTH // (N_DOTS * SLOT)
    moving, still = [], []
    for slot in range(AIR_WIDTH // SLOT):
        delay = slot * SLOT / SPEED  # in ms
        seen = np.interp(time[-1] - delay, time, displacement)
        own = zip(x[slots == slot], y[slots == slot], strict=True)
        own = sorted(own, key=lambda dot: abs(dot[1] - AIR_HEIGHT / 2))
        data = [f"M{a:.1f} {b:.1f}h0" for a, b in own]
        dots = f'd="{"".join(data)}"'
        moving.append(f'<path {dots} style="--x:{delay / time[-1]:.4f}"/>')
        still.append(f'<path {dots} transform="translate({seen:.1f})"/>')
        if slot % 50 == 30:  # one dot is marked, so that the eye can follow it
            dot = f'class="marked" d="{data[0]}"'
            moving.append(f'<path {dot} style="--x:{delay / time[-1]:.4f}"/>')
            still.append(f'<path {dot} transform="translate({seen:.1f})"/>')
    frames = "".join(
        f"{100 * t / time[-1]:.2f}%{{transform:translateX({d:.1f}px)}}"
        for t, d in zip(time, displacement, strict=True)
    )
    curve = path(SPEED * (time[-1] - time), 86 - 16 * pressure)
    drawing = (
        f'<g class="dots moving">{"".join(moving)}</g><g class="dots still">{"".join(still)}</g>'
        f'<path class="zero" d="M0 86H{AIR_WIDTH}"/><path class="pressure" d="{curve}"/>'
    )
    return drawing, f"@keyframes word-air{{{frames}}}"


def draw_numbers(samples):
    """Return the waveform, and a few samples of it with their values."""
    parts = np.array_split(samples, 2 * WIDTH)
    outline = np.array([f(part) for part in parts for f in (np.max, np.min)])
    y = 36 - 34 * outline / np.abs(samples).max()
    drawing = f'<path class="waveform" d="{path(np.repeat(np.arange(2 * WIDTH) / 2, 2), y)}"/>'

    shown = samples[FIRST_SAMPLE : FIRST_SAMPLE + N_SAMPLES]
    left, step = 21, (WIDTH - 40) / (N_SAMPLES - 1)
    scale = 30 / np.abs(shown).max()
    around = samples[FIRST_SAMPLE - 100 : FIRST_SAMPLE + 100]
    fine = signal.resample_poly(around, 16, 1)[1600 - 8 : 1600 + 16 * N_SAMPLES - 8]
    x = left + (np.arange(len(fine)) - 8) / 16 * step
    place = FIRST_SAMPLE / len(samples) * WIDTH
    lens = f"M{place:.1f} 4V72L0 84M{place:.1f} 72L{WIDTH} 84"
    drawing += f'<path class="lens" d="{lens}"/><path class="zero lens" d="M0 136H{WIDTH}"/>'
    drawing += f'<path class="between" d="{path(x, 136 - scale * fine)}"/>'
    for i, value in enumerate(shown):
        x, y = left + i * step, 136 - scale * value
        label = text(x, y + (-8 if value > 0 else 17), f"{value:,}".replace("-", "−"), "value")
        dot = f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.2"/>'
        drawing += (
            f'<g class="sample" style="--i:{i}"><path d="M{x:.1f} 136V{y:.1f}"/>{dot}{label}</g>'
        )
    return drawing


def draw_picture(clip, n_samples):
    """Return the spectrogram of the clip that the recogniser is given, where the word is."""
    levels = features.loudness_normalised_log_mel(clip[np.newaxis], RATE)[0]
    first = (len(clip) - n_samples) // 2 * len(levels) // len(clip)
    levels = levels[first : first + -(-n_samples * len(levels) // len(clip))].T[::-1]
    shares = (levels - levels.min()) / np.ptp(levels)
    colours = matplotlib.colormaps["magma"](shares)[..., :3]
    file = io.BytesIO()
    Image.fromarray((255 * colours).round().astype(np.uint8)).save(file, "png")
    content = base64.b64encode(file.getvalue()).decode()
    size = f'width="{WIDTH}" height="186"'
    return (
        f'<rect class="track" {size}/><image class="spectrogram" {size} preserveAspectRatio="none" '
        f'href="data:image/png;base64,{content}"/><path class="now" d="M0 0V186"/>'
    )


def draw_answer(probabilities):
    """Return a bar for each digit, and the likeliest in words."""
    best = int(np.argmax(probabilities))
    drawing = ""
    for digit, p in enumerate(probabilities):
        name, y = ("bar best" if digit == best else "bar"), 19 * digit
        drawing += text(4, y + 13, digit, "digit best" if digit == best else "digit")
        drawing += f'<rect class="track" x="20" y="{y + 1}" width="{WIDTH - 20}" height="15"/>'
        length = max(1.5, (WIDTH - 20) * p)
        drawing += f'<rect class="{name}" x="20" y="{y + 1}" width="{length:.1f}" height="15"/>'
    words = f"{voices.DIGIT_WORDS[best]}, {100 * probabilities[best]:.1f} %"
    return drawing + text(28, 19 * best + 13, words, "verdict")


def draw():
    """Return the whole picture as SVG."""
    sound = voices.say(WORD, speaker=SPEAKER, rate=RATE)
    samples = np.round(32767 * sound).astype(int)
    recogniser = pretrained.load()
    clip = prepare(sound, RATE, recogniser.preparation).samples
    answer = recogniser.predict(sound, RATE)
    air, frames = draw_air(sound)
    slower = round(AIR_SEEN_S / AIR_S)
    stages = [
        ("air", "Air", f"pressure, {slower} times slower", air),
        ("numbers", "Numbers", f"samples, {RATE:,} a second", draw_numbers(samples)),
        ("picture", "Picture", "log-mel spectrogram", draw_picture(clip, len(sound))),
        ("answer", "Answer", "probabilities", draw_answer(answer.probabilities[:10])),
    ]
    groups = "\n".join(
        f'<g class="{name}">{heading(title, term)}<g class="body">{body}</g></g>'
        for name, title, term, body in stages
    )
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" class="word" viewBox="0 0 784 410" '
        f'preserveAspectRatio="xMidYMin meet" role="img" aria-label="{DESCRIPTION}">\n'
        f"<style>\n{STYLE.read_text('utf-8')}{frames}\n</style>\n{groups}\n</svg>\n"
    )


if __name__ == "__main__":
    print(draw(), end="")
