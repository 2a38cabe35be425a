"""The moving picture of the front page: true to its data, small, and the reader can stop it."""

import base64
import io
import re

import numpy as np
import pytest
from conftest import ROOT

pytest.importorskip("torch")

import draw_word
from PIL import Image

from digitlab import pretrained, voices

ASSETS = ROOT / "book" / "assets"
NUMBER = re.compile(r"-?\d+\.\d+|\b\d+\b")
IMAGE = re.compile(r"base64,([^\"]*)")
LONG = 20_000  # ms


@pytest.fixture(scope="module")
def committed():
    return (ASSETS / "word.svg").read_text("utf-8")


def pixels(svg):
    content = base64.b64decode(IMAGE.search(svg)[1])
    return np.asarray(Image.open(io.BytesIO(content)).convert("RGB")).astype(int)


def points(data):
    return np.array([pair.split() for pair in data[1:].split("L")], float)


def test_make_word_draws_the_committed_picture(committed):
    drawn = draw_word.draw()
    assert np.abs(pixels(drawn) - pixels(committed)).max() <= 3, "run `make word`"
    old, new = IMAGE.sub("", committed), IMAGE.sub("", drawn)
    assert NUMBER.sub("#", old) == NUMBER.sub("#", new), "run `make word`"
    numbers = [np.array(NUMBER.findall(text), float) for text in (old, new)]
    assert np.allclose(*numbers, atol=0.11), "run `make word`"  # the last digit that is written


def test_it_is_small_and_needs_nothing_else(committed):
    assert len(committed.encode()) < 150_000
    assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)|<script|@import", committed)


def test_its_numbers_and_its_answer_are_those_of_the_word(committed):
    word = voices.say("seven", speaker=4, rate=8000)
    values = [
        int(v.replace("−", "-").replace(",", "")) for v in re.findall(r'value">(.*?)<', committed)
    ]
    samples = np.round(32767 * word).astype(int).tolist()
    assert len(values) == 7 and values in [samples[i : i + 7] for i in range(len(samples))]
    probabilities = pretrained.load().predict(word, 8000).probabilities
    assert f">seven, {100 * probabilities[7]:.1f} %<" in committed
    lengths = re.findall(r'class="bar[^"]*" x="20" y="\d+" width="([\d.]+)"', committed)
    assert np.allclose(
        np.array(lengths, float), np.maximum(1.5, 222 * probabilities[:10]), atol=0.1
    )


def test_it_says_how_much_slower_the_air_moves(committed):
    seen = float(re.search(r"word-air ([\d.]+)s linear", committed)[1])
    assert f"{seen / draw_word.AIR_S:.0f} times slower" in committed


def test_air_is_dense_where_the_pressure_is_high(committed):
    still = committed[committed.index('"dots still"') : committed.index('class="zero"')]
    x = [
        float(start) + float(shift)
        for data, shift in re.findall(r'<path d="([^"]*)" transform="translate\(([-\d.]+)\)', still)
        for start in re.findall(r"M([-\d.]+)", data)
    ]
    curve = points(re.search(r'class="pressure" d="([^"]*)"', committed)[1])
    places = np.arange(12, 772, 8)
    pressure = -np.interp(places, curve[::-1, 0], curve[::-1, 1])
    density = [np.sum(np.abs(np.array(x) - place) < 5) for place in places]
    assert np.corrcoef(pressure, density)[0, 1] > 0.85


@pytest.fixture(scope="module")
def page_file(tmp_path_factory, committed):
    """Write a page with the picture alone, below the first screen."""
    folder = tmp_path_factory.mktemp("word")
    (folder / "word.js").write_bytes((ASSETS / "word.js").read_bytes())
    markup = (ROOT / "book/index.md").read_text("utf-8")
    noscript = re.search(r"<noscript><style>.*?</noscript>", markup)[0]
    page = folder / "page.html"
    page.write_text(
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>x</title>{noscript}'
        f'<div style="height: 1500px"></div><figure class="story">{committed}<figcaption>'
        '<button type="button">Pause</button></figcaption></figure><script src="word.js"></script>',
        "utf-8",
    )
    return page


# The page does it itself: on a busy machine, it would be over before an answer comes and goes.
PAUSE_ONCE_MOVED = """(x) => {
  const button = document.querySelector(".story button");
  const isMoved = document.querySelector(".moving path").getBoundingClientRect().x !== x;
  if (button.textContent !== "Pause" || !isMoved) return false;
  button.click();
  return true;
}"""


def place_of_a_dot(page):
    return page.evaluate("document.querySelector('.moving path').getBoundingClientRect().x")


def test_it_plays_once_in_sight_and_can_be_paused_and_played_again(browser, page_file):
    page = browser.new_page()
    page.goto(page_file.as_uri())
    button = page.locator(".story button")
    before = place_of_a_dot(page)
    page.wait_for_timeout(600)
    assert button.inner_text() == "Play" and place_of_a_dot(page) == before  # it waits
    page.locator("svg.word").scroll_into_view_if_needed()
    page.wait_for_function(PAUSE_ONCE_MOVED, arg=before)
    page.wait_for_timeout(100)
    paused = place_of_a_dot(page)
    page.wait_for_timeout(600)
    assert button.inner_text() == "Continue" and place_of_a_dot(page) == paused
    button.click()
    page.wait_for_function(
        "document.querySelector('.story button').textContent === 'Play again'", timeout=LONG
    )
    assert page.locator("svg.word").evaluate("e => e.getAnimations({subtree: true}).length") == 0
    button.click()
    assert button.inner_text() == "Pause"
    assert page.locator("svg.word").evaluate("e => e.getAnimations({subtree: true}).length") > 100
    page.close()


@pytest.mark.parametrize("setting", [{"reduced_motion": "reduce"}, {"java_script_enabled": False}])
def test_it_stands_still_with_all_four_stages(browser, page_file, setting):
    context = browser.new_context(**setting)
    page = context.new_page()
    page.goto(page_file.as_uri())
    assert page.locator(".story button").is_hidden()
    page.locator("svg.word").scroll_into_view_if_needed()
    first = page.locator("svg.word").screenshot()
    page.wait_for_timeout(1000)
    assert page.locator("svg.word").screenshot() == first
    for part in (".still", ".sample", ".spectrogram", ".verdict"):
        assert page.locator(part).last.evaluate("e => getComputedStyle(e).opacity") == "1"
    context.close()
