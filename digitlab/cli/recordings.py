"""The commands that answer recordings, or learn from them: predict, listen, adapt."""

import json
import sys
import warnings
from pathlib import Path

import click
import numpy as np

from digitlab.cli.shared import MODEL, echo, plain, the_recogniser
from digitlab.cli.streams import THRESHOLD, listen_on
from digitlab.environment import printable, wrapped
from digitlab.layouts import OTHER

MOST_BARS = 10
MOST_NAMES = 5
BAR = 40  # characters


@click.command()
@MODEL
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print a list of answers as JSON.")
def predict(model, files, as_json) -> None:
    """Say which digit is spoken in WAV FILES, or in all that lie in a folder.

    Any rate, length and number of channels will do: what was changed in a recording is said. A file
    that cannot be read is named, the others are answered, and the exit status is 1.
    """
    sounds = [sound for file in files for sound in _sounds(file)]
    recogniser = the_recogniser(model)
    if not as_json:
        learned = f"trained on {recogniser.n_train:,} clips of {', '.join(recogniser.corpora)}"
        scored = f"test accuracy {recogniser.test_accuracy:.1%} ({recogniser.split} split)"
        echo(wrapped(f"{recogniser.recipe} ({recogniser.framework}), {learned}; {scored}"))
    answers, failed = [], False
    for sound in sounds:
        try:
            answer = recogniser.predict(*_read(sound))
        except Exception as error:
            failed = True
            click.secho(printable(plain(error)), fg="red", err=True)
            continue
        if as_json:
            answers.append(_as_dict(sound, answer, recogniser.classes))
        else:
            echo(_chart(sound, answer, recogniser.classes))
    if as_json:
        click.echo(json.dumps(answers, indent=1))
    sys.exit(1 if failed else 0)


@click.command()
@MODEL
@click.option(
    "--seconds",
    type=click.FloatRange(min=0.5, max=30),
    help="How long to record.  [default: 2.5]",
)
@click.option("--continuous", is_flag=True, help="Go on until Ctrl-C; a line for each digit.")
@THRESHOLD
def listen(model, seconds, continuous, threshold) -> None:
    """Record from the microphone, and say which digit is spoken. Nothing is kept.

    With --continuous, `digitlab detect` does the same for a file.
    """
    from digitlab import microphone

    if continuous and seconds:
        raise click.UsageError("--seconds is for one recording, without --continuous.")
    if threshold is not None and not continuous:
        raise click.UsageError("--threshold goes with --continuous.")
    with microphone.opened():
        pass  # a missing microphone is told before the network is loaded
    recogniser = the_recogniser(model)
    if continuous:
        return listen_on(recogniser, threshold)
    echo("Say a digit ...")
    samples, rate = microphone.record(seconds or 2.5, _show_level)
    click.echo("\r" + (BAR + 2) * " " + "\r", nl=False, err=True)
    if microphone.is_clipped(samples):
        echo("The recording is clipped: move away from the microphone, or turn it down.")
    answer = recogniser.predict(samples, rate)
    echo(_chart("What was said", answer, recogniser.classes))


def _show_level(level: float) -> None:
    """Redraw a bar on standard error, where that is a terminal."""
    if sys.stderr.isatty():
        bar = "#" * round(BAR * min(level, 1))
        click.echo(f"\r[{bar:<{BAR}}]", nl=False, err=True)


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--save", required=True, type=click.Path(path_type=Path), help="Its file, an .npz.")
@click.option(
    "--way",
    type=click.Choice(["statistics", "last layer", "everything"]),
    default="everything",
    show_default=True,
    help="What of the network changes.",
)
@MODEL
def adapt(folder: Path, save: Path, way: str, model: Path | None) -> None:
    """Adapt a model to a speaker, from a FOLDER of their recordings.

    They are called {digit}_{speaker}_{take}.wav; five takes of each digit are plenty. The last take
    of each is held back first, to tell how much the adaptation helps.
    """
    from digitlab import adaptation, corpora, recognisers

    recognisers.refuse_place(save)
    corpus = corpora.load(folder)
    names = sorted(set(corpus.table["speaker"]))
    if len(names) > 1:
        echo(
            f"These are recordings of {len(names)} speakers ({', '.join(names[:MOST_NAMES])}"
            f"{', ...' * (len(names) > MOST_NAMES)}), and the model is "
            "adapted to all of them together: for one, give a folder of that speaker alone."
        )
    adapted, (n_test, before, after) = adaptation.adapt_to(the_recogniser(model), corpus, way=way)
    adapted.save(save)
    if n_test:
        echo(f"Of {n_test} recordings held back, {before} were recognised before, {after} after.")
    else:
        echo("Each digit is there once, so nothing was held back to test it.")
    echo(f"Adapted to {len(corpus)} recordings: digitlab predict --model {save} FILES")


def _sounds(file: Path) -> list[Path]:
    """Return the file, or the recordings in the folder and the folders within."""
    if file.suffix == ".npz":
        raise ValueError(f"{file} is a model: run  digitlab predict --model {file} FILES")
    if not file.is_dir():
        return [file]
    from digitlab.layouts import sounds_in

    if not (sounds := sounds_in(file)):
        raise ValueError(f"{file}: there is no .wav file in this folder")
    return [file / sound for sound in sounds]


def _read(file: Path):
    from digitlab import audio

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        sound = audio.read_wav(file)
    for warning in caught:
        click.secho(str(warning.message), fg="yellow", err=True)
    return sound


def _as_dict(file: Path, answer, classes) -> dict:
    shares = zip(classes, answer.probabilities.tolist(), strict=True)
    return {
        "file": str(file),
        "label": answer.label,
        "probabilities": dict(shares),
        "done": list(answer.done),
    }


def _chart(file: Path | str, answer, classes: tuple[str, ...]) -> str:
    """Return an answer as lines: the label, a bar for each likely class, and what was done."""
    likeliest = np.sort(answer.probabilities)[-MOST_BARS:].min()
    width = max(map(len, classes))
    block = "█" if "utf" in (sys.stdout.encoding or "").lower() else "#"
    bars = [
        f"  {name:>{width}} {share:6.1%} {block * round(BAR * share)}".rstrip()
        for name, share in zip(classes, answer.probabilities, strict=True)
        if share >= likeliest
    ]
    done = wrapped(f"({'; '.join(answer.done)})", "  ") if answer.done else ""
    heard = "no digit heard" if answer.label == OTHER else answer.label
    return "\n".join(["", click.style(f"{file}: {heard}", bold=True), *bars, done]).rstrip()
