"""The command line: ``digitlab data | run | predict | listen | adapt | doctor``."""

import importlib.util
import json
import os
import shutil
import sys
import traceback
import warnings
from contextlib import contextmanager
from pathlib import Path

import click
import numpy as np

from digitlab import environment
from digitlab.environment import FRAMEWORKS, PRECISIONS, SCALES, printable, reports_here, wrapped
from digitlab.layouts import OTHER

RESULTS = Path("book/results.csv")
MOST_BARS = 10
BAR = 40  # characters
MODEL = click.option(
    "--model",
    type=click.Path(path_type=Path),
    help="What `digitlab run --save` kept; the model that comes with digitlab, if left out.",
)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="digitlab")
def main() -> None:
    """Run the laboratory of Hearing Digits."""
    # Waiting threads that spin for long make PyTorch on Linux ten times slower on two busy cores.
    os.environ.setdefault("GOMP_SPINCOUNT", "10000")


@main.group()
def data() -> None:
    """List, find, fetch, verify and merge corpora."""


@data.command("list")
def list_corpora() -> None:
    """List the corpora, and where each is on this machine."""
    from digitlab import corpora

    for name, source in corpora.SOURCES.items():
        _echo(f"{name:22} {source.n_clips:7,} clips  {source.rate:6,} Hz  {_place(name)}")


@data.command()
@click.argument("name")
def path(name: str) -> None:
    """Print the folder that holds a corpus's recordings."""
    from digitlab import corpora

    with _plain_errors():
        folder = corpora.find(_known(name))
        if folder is None:
            raise corpora.CorpusError(
                f"{name} is not on this machine: run  digitlab data fetch {name}"
            )
        _echo(folder)


@data.command()
@click.argument("name")
def fetch(name: str) -> None:
    """Download a corpus into the cache, or make the built-in voices.

    Run it again if it breaks off: what has arrived of AudioMNIST or Speech Commands is kept.
    """
    from digitlab import corpora

    with _plain_errors():
        source = corpora.SOURCES[_known(name)]
        verb = "Downloading" if source.urls else "Making"
        _echo(f"{verb} {name} ({source.title}), about {source.size_mb:,} MB.")
        folder = corpora.fetch(name)
        _echo(folder)
        if corpora.find(name) != folder:
            _echo(f"DIGITLAB_DATA comes first, though: {corpora.find(name)} is used.")


@data.command()
@click.argument("name")
def verify(name: str) -> None:
    """Check every file of a corpus; print its digest, and recordings that it holds twice."""
    from digitlab import corpora

    with _plain_errors():
        _echo(corpora.verify(_known(name)))
        corpus = corpora.load(name)
        for rows in corpus.duplicates():
            paths = corpus.table["path"][rows]
            _echo("the same recording: " + " = ".join(map(str, paths)))


@data.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.argument("target", type=click.Path(path_type=Path))
def merge(folder: Path, target: Path) -> None:
    """Make one corpus of the folders in which several people recorded themselves.

    FOLDER holds a folder for each person, with their recordings and a consent.txt. The good ones
    are copied to TARGET under pseudonyms; what is left out is listed, and why.
    """
    from digitlab import corpora

    with _plain_errors():
        report = corpora.merge(folder, target)
        kept = report[report["kept_as"] != ""]
        for row in report[report["problem"] != ""].itertuples():
            _echo(f"{row.person}/{row.file}: {row.problem}")
        n_people = kept["speaker"].nunique()
        _echo(f"{len(kept)} of {len(report)} recordings, by {n_people} people, are in {target}.")


@main.command()
@click.argument("recipe", required=False)
@click.option("--framework", type=click.Choice(FRAMEWORKS), help="As published, if left out.")
@click.option("--corpus", help="A name from `digitlab data list`, or a folder of recordings.")
@click.option(
    "--split",
    default="published",
    show_default=True,
    help="Which clips are the test, such as speaker or random.",
)
@click.option("--test-corpus", help="Test on all clips of this other corpus.")
@click.option(
    "--speakers",
    "n_speakers",
    type=click.IntRange(min=1),
    help="Train on so many of the speakers, drawn with the seed; all, if left out.",
)
@click.option("--scale", type=click.Choice(SCALES), help="How much work to do.")
@click.option("--seed", type=int, default=42, show_default=True, help="The first seed.")
@click.option("--seeds", type=click.IntRange(min=1), default=1, show_default=True, help="How many.")
@click.option("--device", help="cpu, cuda, ...; a GPU where there is one, if left out.")
@click.option(
    "--devices",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="How many GPUs share a training, or processes without one: where Lightning trains.",
)
@click.option(
    "--nodes",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="On how many machines: run this on each, with NODE_RANK (0, 1, ...), MASTER_ADDR and "
    "MASTER_PORT set, or by torchrun or Slurm.",
)
@click.option(
    "--precision",
    type=click.Choice(PRECISIONS),
    default="32-true",
    show_default=True,
    help="bf16-mixed is faster where the processor or GPU has it: where Lightning trains.",
)
@click.option(
    "--checkpoints",
    "checkpoint_folder",
    type=click.Path(file_okay=False, path_type=Path),
    help="Keep the training in this folder after each epoch: run again, it goes on from there.",
)
@click.option(
    "--logs",
    "log_folder",
    type=click.Path(file_okay=False, path_type=Path),
    help="Write curves into this folder: metrics.csv, and for `make tensorboard`, which looks "
    "into logs.",
)
@click.option(
    "--save",
    "model_file",
    type=click.Path(path_type=Path),
    help="Keep what was trained in this new file, such as k2.npz, for `digitlab predict`.",
)
@click.option(
    "--json",
    "json_file",
    type=click.Path(path_type=Path),
    help="Write every run, and a last entry pooled over them, to this file.",
)
@click.option(
    "--append", is_flag=True, help=f"Add the runs to {RESULTS}, in place of rows of the same."
)
@click.option(
    "--all",
    "is_all",
    is_flag=True,
    help="With --append: make every run that the book quotes, of all recipes or of this one, whose "
    "row is missing or stale. It can be stopped and goes on where it was.",
)
@click.pass_context
def run(context, recipe, model_file, json_file, append, is_all, **settings) -> None:
    """Run a recipe, such as K2, and print how it did."""
    if is_all:
        with _plain_errors():
            _refuse_beside_all(context)
        sys.exit(_complete_results(recipe))
    if recipe is None:
        raise click.UsageError("name a recipe, such as K2, or say --all --append")
    with _plain_errors():
        # what is to be written is tried first: no training is to be lost for want of a place
        if append:
            _refuse_results()
        from digitlab import experiment, recognisers

        _refuse_one_place(json_file, model_file, RESULTS if append else None)
        if json_file:
            environment.refuse_unwritable(json_file)
        if model_file:
            recognisers.refuse_place(model_file)
        plan = experiment.plan(recipe, **settings)
        if model_file and len(plan.folds) > 1:
            raise ValueError(
                f"{model_file} can keep one model, and these are {len(plan.folds)} trainings: "
                "ask for one seed, and for a split that is not by speakers"
            )
        report = experiment.execute(plan)
    if not reports_here(settings["devices"] * settings["nodes"]):
        return
    writers = [
        (json_file, lambda: _write_json(report, json_file)),
        (append, lambda: _append(report)),
        (model_file, lambda: _save(report, model_file)),
    ]
    # written before it is printed: a pipe that closes costs no result
    failures = [failure for wanted, write in writers if wanted and (failure := _failure(write))]
    _echo(_table(report))
    for note in report.notes:
        _echo(note)
    for failure in failures:
        click.secho(printable(failure), fg="red", err=True)
    sys.exit(1 if failures else 0)


@main.command()
@MODEL
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print a list of answers as JSON.")
def predict(model, files, as_json) -> None:
    """Say which digit is spoken in WAV FILES, or in all that lie in a folder.

    Any rate, length and number of channels will do: what was changed in a recording is said. A file
    that cannot be read is named, the others are answered, and the exit status is 1.
    """
    with _plain_errors():
        sounds = [sound for file in files for sound in _sounds(file)]
        recogniser = _recogniser(model)
    if not as_json:
        learned = f"trained on {recogniser.n_train:,} clips of {recogniser.corpus}"
        scored = f"test accuracy {recogniser.test_accuracy:.1%} ({recogniser.split} split)"
        _echo(wrapped(f"{recogniser.recipe} ({recogniser.framework}), {learned}; {scored}"))
    answers, failed = [], False
    for sound in sounds:
        try:
            answer = recogniser.predict(*_read(sound))
        except Exception as error:
            failed = True
            click.secho(printable(_plain(error)), fg="red", err=True)
            continue
        if as_json:
            answers.append(_as_dict(sound, answer, recogniser.classes))
        else:
            _echo(_chart(sound, answer, recogniser.classes))
    if as_json:
        click.echo(json.dumps(answers, indent=1))
    sys.exit(1 if failed else 0)


@main.command()
@MODEL
@click.option(
    "--seconds",
    type=click.FloatRange(min=0.5, max=30),
    default=2.5,
    show_default=True,
    help="How long to record.",
)
def listen(model, seconds) -> None:
    """Record from the microphone, and say which digit is spoken. Nothing is kept."""
    from digitlab import microphone

    with _plain_errors():
        recogniser = _recogniser(model)
        _echo("Say a digit ...")
        samples, rate = microphone.record(seconds, _show_level)
        click.echo("\r" + (BAR + 2) * " " + "\r", nl=False, err=True)
        if microphone.is_clipped(samples):
            _echo("The recording is clipped: move away from the microphone, or turn it down.")
        answer = recogniser.predict(samples, rate)
    _echo(_chart("What was said", answer, recogniser.classes))


def _recogniser(model: Path | None):
    from digitlab import pretrained, recognisers

    return recognisers.load(model) if model else pretrained.load()


def _show_level(level: float) -> None:
    """Redraw a bar on standard error, where that is a terminal."""
    if sys.stderr.isatty():
        bar = "#" * round(BAR * min(level, 1))
        click.echo(f"\r[{bar:<{BAR}}]", nl=False, err=True)


@main.command()
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

    with _plain_errors():
        recognisers.refuse_place(save)
        corpus = corpora.load(folder)
        adapted, (n_test, before, after) = adaptation.adapt_to(_recogniser(model), corpus, way=way)
        adapted.save(save)
    if n_test:
        _echo(f"Of {n_test} recordings held back, {before} were recognised before, {after} after.")
    else:
        _echo("Each digit is there once, so nothing was held back to test it.")
    _echo(f"Adapted to {len(corpus)} recordings: digitlab predict --model {save} FILES")


@main.command()
def doctor() -> None:
    """Check Python, libraries, GPU, corpora and disk; exit with 1 where something is wrong."""
    from digitlab import corpora, reports

    problems = []
    for library, version in reports.versions().items():
        _echo(f"{library:22} {version}")
    for framework in ("torch", "keras", "tensorflow"):
        if importlib.util.find_spec(framework) is None:
            extra = "torch" if framework == "torch" else "keras"
            problems.append(f"{framework} is not installed: pip install 'digitlab[{extra}]'")
    if importlib.util.find_spec("torch"):
        _echo(f"{'device':22} {environment.torch_device()}")
    for name in corpora.SOURCES:
        try:
            _echo(f"{name:22} {corpora.find(name) or 'not on this machine yet'}")
        except (corpora.CorpusError, OSError) as error:
            problems.append(str(error))
    for check in (corpora.scale_from_environment, _check_cache):
        try:
            check()
        except (ValueError, OSError) as error:
            problems.append(str(error))
    for problem in dict.fromkeys(problems):
        click.secho(printable(problem), fg="red", err=True)
    sys.exit(1 if problems else 0)


def _check_cache() -> None:
    """Print where the cache is; raise what is wrong with it."""
    folder = environment.made_cache_folder()
    free_gb = shutil.disk_usage(folder).free / 1e9
    _echo(f"{'cache':22} {folder}, {free_gb:.1f} GB free")
    if free_gb < 1:
        raise OSError(f"less than 1 GB is free at {folder}: make room, or set DIGITLAB_CACHE")


def _refuse_beside_all(context: click.Context) -> None:
    """Refuse options that decide what is run: with --all the book's own table does."""
    given = [
        name
        for name in context.params
        if context.get_parameter_source(name) == click.core.ParameterSource.COMMANDLINE
    ]
    if "append" not in given:
        raise ValueError(f"--all makes the runs that {RESULTS} lacks: say --append, too")
    others = set(given) - {"recipe", "append", "is_all"}
    if others:
        names = ", ".join(f"--{name.replace('_', '-')}" for name in sorted(others))
        raise ValueError(f"--all takes no other settings: leave out {names}")


def _complete_results(recipe: str | None) -> int:
    """Make the missing runs, and show how far it is; return the exit status."""
    with _plain_errors():
        _refuse_results()
        from digitlab import planned, recipes

        names = {recipes.find(recipe).name} if recipe else set(recipes.RECIPES)
        runs = [run for run in planned.PLANNED if run.recipe in names]
        _echo(f"Comparing {RESULTS} with {len(runs)} planned runs ...")
        missing, impossible = planned.missing(RESULTS, runs)
    failures = {_title(run): why for run, why in impossible.items()}
    with planned.Progress(missing) as progress:
        for what in missing:
            try:
                for report in planned.complete(what, RESULTS):
                    progress.record(what, report)
            except Exception as error:
                failures[_title(what.planned)] = _plain(error)
    for title, why in failures.items():
        click.secho(printable(f"{title}: {why}"), fg="red", err=True)
    return 1 if failures else 0


def _title(run) -> str:
    corpora = f"{run.corpus}, tested on {run.test_corpus}" if run.test_corpus else run.corpus
    return f"{run.recipe} ({run.framework}) on {corpora}, {run.split} split"


def _refuse_results() -> None:
    if not RESULTS.parent.is_dir():
        raise ValueError(f"there is no folder {RESULTS.parent}: run this beside the book")
    from digitlab import results

    results.refuse(RESULTS)


def _refuse_one_place(*files: Path | None) -> None:
    """Refuse to write two things into one file."""
    places = [file.absolute() for file in files if file]
    if len(set(places)) < len(places):
        raise ValueError("two of --json, --save and --append name one file: give each its own")


def _write_json(report, file: Path) -> None:
    with environment.replacing(file) as out:
        out.write((json.dumps(report.to_dicts(), indent=1) + "\n").encode())


def _append(report) -> None:
    from digitlab import results

    results.append(report, RESULTS)


def _save(report, file: Path) -> None:
    from digitlab import recognisers

    free = recognisers.free_name(file)
    report.recogniser.save(free)
    if free != file:
        click.secho(printable(f"{file} was there already: the model is in {free}"), err=True)


def _failure(write) -> str:
    """Try to write; return what went wrong, so that whatever else is to be written still is."""
    try:
        write()
    except Exception as error:
        return _plain(error)
    return ""


def _echo(text: object) -> None:
    click.echo(printable(str(text)))


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


@contextmanager
def _plain_errors():
    """Turn an error into one plain message, without a traceback."""
    try:
        yield
    except click.ClickException:
        raise
    except Exception as error:
        raise click.ClickException(printable(_plain(error))) from error


def _plain(error: Exception) -> str:
    """Return what an error says; where nobody foresaw it, where it arose, too."""
    from digitlab.corpora import CorpusError
    from digitlab.microphone import MicrophoneError

    foreseen = (CorpusError, MicrophoneError, ValueError, ImportError, OSError, FloatingPointError)
    if isinstance(error, foreseen):
        return str(error)
    place = traceback.extract_tb(error.__traceback__)[-1]
    return (
        f"this should not have happened ({type(error).__name__}: {error}, in "
        f"{Path(place.filename).name}, line {place.lineno}): please report it, with what you did"
    )


def _known(name: str) -> str:
    from digitlab import corpora

    if name not in corpora.SOURCES:
        raise ValueError(f"there is no corpus {name!r}; there are {', '.join(corpora.SOURCES)}")
    return name


def _place(name: str) -> str:
    from digitlab import corpora
    from digitlab.layouts import sounds_in

    try:
        folder = corpora.find(name)
    except corpora.CorpusError:
        return "not in DIGITLAB_DATA"
    if folder is None:
        return "not here yet"
    n_clips = len(sounds_in(folder))
    part = f" ({n_clips:,} of them)" if n_clips < corpora.SOURCES[name].n_clips else ""
    return f"{folder}{part}"


def _table(report) -> str:
    rows = [f"{'seed':>6} {'left out':20} {'train':>7} {'test':>7}   95 % interval"]
    for run in report.parts or (report,):
        rows.append(_row(run, str(run.seed), run.fold))
    if report.parts:
        rows.append(_row(report, "all", ""))
    n_speakers = len(set(report.speakers))
    over_speakers = "One test speaker: nothing is known of others."
    if n_speakers > 1:
        low, high = report.speaker_interval
        over_speakers = f"95 % interval over speakers (Student's): {low:.3f} to {high:.3f}."
    return "\n".join(
        [
            f"{report.recipe} ({report.framework}) on {report.corpus}, {report.split} split, "
            f"{report.scale} scale, on {report.device}",
            *rows,
            f"{over_speakers} {report.n_train:,} training clips, {report.n_test:,} test clips; "
            f"{report.n_parameters:,} parameters.",
            f"Features {report.seconds_features:.1f} s"
            + (" (from the cache)" if report.features_cached else "")
            + f", training {report.seconds_training:.1f} s"
            + f" ({_clips_a_second(report):,.0f} clips a second).",
        ]
    )


def _clips_a_second(report) -> float:
    """Return how many training clips went by in a second, measuring included."""
    runs = report.parts or (report,)
    return sum(run.n_train * run.history.epochs for run in runs) / report.seconds_training


def _row(report, seed: str, fold: str) -> str:
    low, high = report.interval
    return (
        f"{seed:>6} {fold[:20]:20} {report.train_accuracy:7.3f} {report.test_accuracy:7.3f}"
        f"   {low:.3f} to {high:.3f}"
    )


if __name__ == "__main__":
    main()
