"""The command ``digitlab run``: a system is trained and tested, or all that the book quotes."""

import json
import sys
from pathlib import Path

import click

from digitlab import environment
from digitlab.cli.shared import echo, plain
from digitlab.environment import FRAMEWORKS, PRECISIONS, SCALES, printable, reports_here

RESULTS = Path("book/results.csv")


@click.command()
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
    default=lambda: environment.launched()[0],
    show_default="1, or as many as torchrun started",
    help="How many GPUs share a training, or processes without one: where Lightning trains.",
)
@click.option(
    "--nodes",
    type=click.IntRange(min=1),
    default=lambda: environment.launched()[1],
    show_default="1, or as many as torchrun uses",
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
        _refuse_beside_all(context)
        sys.exit(_complete_results(recipe))
    if recipe is None:
        raise click.UsageError("name a recipe, such as K2, or say --all --append")
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
    if sys.stderr.isatty():
        click.echo(f"Trainings: {len(plan.folds)}. This may take many minutes.", err=True)
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
    echo(_table(report))
    for note in report.notes:
        echo(note)
    for failure in failures:
        click.secho(printable(failure), fg="red", err=True)
    sys.exit(1 if failures else 0)


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
    _refuse_results()
    from digitlab import planned, recipes

    names = {recipes.find(recipe).name} if recipe else set(recipes.RECIPES)
    runs = [run for run in planned.PLANNED if run.recipe in names]
    echo(f"Comparing {RESULTS} with {len(runs)} planned runs ...")
    missing, impossible = planned.missing(RESULTS, runs)
    failures = {_title(run): why for run, why in impossible.items()}
    with planned.Progress(missing) as progress:
        for what in missing:
            try:
                for report in planned.complete(what, RESULTS):
                    progress.record(what, report)
            except Exception as error:
                failures[_title(what.planned)] = plain(error)
    for title, why in failures.items():
        click.secho(printable(f"{title}: {why}"), fg="red", err=True)
    return 1 if failures else 0


def _title(run) -> str:
    corpora = f"{run.corpus}, tested on {run.test_corpus}" if run.test_corpus else run.corpus
    return f"{run.recipe} ({run.framework}) on {corpora}, {run.split} split"


def _refuse_results() -> None:
    if not RESULTS.parent.is_dir():
        raise ValueError(f"there is no folder {RESULTS.parent}: run this in the book's folder")
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
        return plain(error)
    return ""


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
