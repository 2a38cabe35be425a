"""Model cards: what a recogniser is, how well it does for whom, and what it is not for.

A card is text for people, computed from answers to recordings. :func:`may_replace` says whether a
new recogniser may take the place of an old one.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from digitlab.corpora import DIGITS, Corpus
from digitlab.environment import sha256
from digitlab.evaluation import (
    NonInferiority,
    non_inferiority,
    speaker_interval,
    with_wilson,
)
from digitlab.layouts import OTHER
from digitlab.recognisers import Recogniser

GROUPS = ("accent", "native_speaker", "gender", "age")
READABLE = {
    "accent": str.title,  # AudioMNIST has "German" and "german"
    "native_speaker": {True: "yes", False: "no"}.__getitem__,
    "age": lambda age: f"{age // 10 * 10} to {age // 10 * 10 + 9}",
}
AT_ONCE = 1024  # clips that are in memory together
MOST_SPEAKERS = 10  # that a card lists
FEWEST_SPEAKERS = 5  # of a group, for its figures to say anything about other people
MOST_CONFUSIONS = 5
HEAD = "| {} | clips | recognised | 95 %, over clips | speakers | 95 %, over speakers |"
RULE = "|:--|--:|--:|--:|--:|--:|"


def answers(recogniser: Recogniser, corpus: Corpus) -> pd.DataFrame:
    """Ask a recogniser about every clip of a corpus.

    Parameters
    ----------
    recogniser : Recogniser
        What is tested.
    corpus : Corpus
        Its recordings, of any rate and length.

    Returns
    -------
    pandas.DataFrame
        A row a clip, in the corpus's order: ``true``, ``predicted``, ``correct``, ``speaker``, and
        what else is known of the speaker: ``accent``, ``native_speaker``, ``gender``, ``age`` (in
        decades). For a recogniser of digits, any other word is ``"other"``.

    Raises
    ------
    ValueError
        If the recogniser knows none of the words that are said.
    CorpusError
        If files cannot be used; it names them.

    Examples
    --------
    >>> from digitlab import corpora, pretrained
    >>> clips = corpora.load("voices").select(range(0, 4800, 400))
    >>> answers(pretrained.load(), clips).columns.tolist()
    ['true', 'predicted', 'correct', 'speaker']
    """
    if set(recogniser.classes) <= {*DIGITS, OTHER}:
        corpus = corpus.as_digits()
    true = np.array(corpus.classes)[corpus.table["label"]]
    if not set(recogniser.classes) & set(true.tolist()) - {OTHER}:
        raise ValueError(
            f"{corpus.title} holds none of the words that {recogniser.recipe} knows "
            f"({', '.join(recogniser.classes)}): name another corpus"
        )
    batches = corpus.batches(recogniser.preparation, AT_ONCE)
    predicted = np.concatenate([recogniser.labels(batch()) for batch in batches])
    table = pd.DataFrame({"true": true, "predicted": predicted, "correct": true == predicted})
    known = [name for name in ("speaker", *GROUPS) if name in corpus.table]
    table[known] = corpus.table[known].to_numpy()
    for column in set(known) & set(READABLE):
        table[column] = table[column].map(READABLE[column], na_action="ignore")
    return table


def by_group(answered: pd.DataFrame, column: str) -> pd.DataFrame:
    """Return the accuracy of each group of clips, such as those of an accent, the lowest first.

    Parameters
    ----------
    answered : pandas.DataFrame
        Of :func:`answers`; perhaps a part of its rows.
    column : str
        What makes the groups: ``"speaker"``, ``"accent"``, ``"true"``, ...

    Returns
    -------
    pandas.DataFrame
        A row a group: ``accuracy`` over clips, ``n_clips``, Wilson's interval over clips (``low``,
        ``high``), ``n_speakers``, and Student's over speakers (``speakers_low``,
        ``speakers_high``), which is missing for a single speaker.

    Examples
    --------
    >>> clips = {"speaker": ["anna", "anna", "ben"], "correct": [True, False, True]}
    >>> answered = pd.DataFrame(clips)
    >>> by_group(answered, "speaker")["accuracy"].to_dict()
    {'anna': 0.5, 'ben': 1.0}
    """
    groups = answered.groupby(column)
    table = groups.agg(
        accuracy=("correct", "mean"), n_clips=("correct", "size"), n_speakers=("speaker", "nunique")
    )
    table = with_wilson(table)
    bounds = [speaker_interval(part["correct"], part["speaker"]) for _, part in groups]
    table[["speakers_low", "speakers_high"]] = np.reshape(bounds, (-1, 2))
    return table.sort_values("accuracy", kind="stable")


def may_replace(
    new: Recogniser, old: Recogniser, corpus: Corpus, *, margin: float = 0.02
) -> NonInferiority:
    """Tell whether a new recogniser may replace an old one: it is no worse, but for a margin.

    Parameters
    ----------
    new, old : Recogniser
        Both answer the same clips.
    corpus : Corpus
        Recordings that neither was trained on.
    margin : float
        The largest loss of accuracy that does not matter. Choose it before looking.

    Returns
    -------
    NonInferiority
        See :func:`digitlab.evaluation.non_inferiority`. Few clips or few speakers show nothing,
        so with them it may not.

    Raises
    ------
    ValueError, CorpusError
        As for :func:`answers`.

    Examples
    --------
    A recogniser may replace itself, but 12 clips do not show it:

    >>> from digitlab import corpora, pretrained
    >>> clips, recogniser = corpora.load("voices").select(range(0, 4800, 400)), pretrained.load()
    >>> verdict = may_replace(recogniser, recogniser, clips)
    >>> verdict.difference, verdict.is_shown
    (0.0, False)
    """
    first, second = answers(new, corpus), answers(old, corpus)
    return non_inferiority(first["correct"], second["correct"], first["speaker"], margin=margin)


def card(recogniser: Recogniser, corpus: Corpus, *, file: Path | None = None) -> str:
    """Write the model card of a recogniser, as tested on a corpus.

    Parameters
    ----------
    recogniser : Recogniser
        What is described.
    corpus : Corpus
        Recordings that it was not trained on; where it was, the card says so.
    file : pathlib.Path, optional
        Where it is kept: the card names the file's SHA-256.

    Returns
    -------
    str
        Markdown.

    Raises
    ------
    ValueError, CorpusError
        As for :func:`answers`.

    Notes
    -----
    M. Mitchell et al., "Model cards for model reporting", FAT* 2019. Taught in chapter 17.

    Examples
    --------
    >>> from digitlab import corpora, pretrained
    >>> clips = corpora.load("voices").select(range(0, 4800, 400))
    >>> print(card(pretrained.load(), clips).splitlines()[0])
    # Model card: B2 (torch)
    """
    answered = answers(recogniser, corpus)
    parts = [
        _what_it_is(recogniser, file),
        _training(recogniser),
        _test(recogniser, corpus, answered),
        *_groups(answered),
        _confusions(answered),
        _limits(recogniser, answered),
    ]
    return "\n\n".join(parts) + "\n"


def _what_it_is(recogniser: Recogniser, file: Path | None) -> str:
    preparation = recogniser.preparation
    lines = [
        f"# Model card: {recogniser.recipe} ({recogniser.framework})",
        "",
        "| | |",
        "|:--|:--|",
        f"| Model | `{recogniser.builder}` on `{recogniser.features}` |",
        f"| Answers | {', '.join(recogniser.classes)} |",
        f"| Takes | one word of at most {preparation.seconds:.2f} s at {preparation.rate:,} Hz; "
        "other recordings are brought to that |",
    ]
    if OTHER in recogniser.classes:
        limit = f'answers "{OTHER}" above a probability of {recogniser.refuse_above:.3f}'
        lines.append(f"| Refuses | {limit} |")
    if file:
        lines.append(f"| File | `{file.name}`, SHA-256 `{sha256(file)}` |")
    return "\n".join(lines)


def _training(recogniser: Recogniser) -> str:
    corpora = ", ".join(recogniser.corpora)
    return (
        "## What it was trained on\n\n"
        f"{recogniser.n_train:,} clips of {corpora} ({recogniser.split} split, {recogniser.scale} "
        f"scale, seed {recogniser.seed}; corpus digest `{recogniser.corpus_digest:.16}`). "
        f"Its own test then: {recogniser.test_accuracy:.3f} of the clips."
    )


def _test(recogniser: Recogniser, corpus: Corpus, answered: pd.DataFrame) -> str:
    lines = [
        f"## How well it does on {corpus.title}",
        "",
        f"{len(answered):,} clips by {answered['speaker'].nunique()} speakers; corpus digest "
        f"`{corpus.digest:.16}`.",
        "",
        HEAD.format(""),
        RULE,
    ]
    is_word = answered["true"] != OTHER
    kinds = np.where(is_word, "words it should recognise", "other words, refused")
    lines += _rows(answered.assign(kind=kinds), "kind").values()
    refused = (answered["predicted"] == OTHER)[is_word].sum()
    if OTHER in recogniser.classes:
        lines += ["", f"It refused {refused} of {is_word.sum():,} words that it should recognise."]
    if corpus.name.partition(",")[0] in recogniser.corpora:
        text = f"**No test**: it was trained on recordings of {corpus.title}, perhaps on these."
        lines += ["", text]
    return "\n".join(lines)


def _rows(answered: pd.DataFrame, column: str) -> dict:
    """Return a line of a table for each group, the lowest accuracy first."""
    rows = {}
    for group in by_group(answered, column).itertuples():
        cells = [
            f"{group.Index}",
            f"{group.n_clips:,}",
            f"{group.accuracy:.3f}",
            f"{group.low:.3f} to {group.high:.3f}",
            f"{group.n_speakers}",
            _over_speakers(group.speakers_low, group.speakers_high),
        ]
        rows[group.Index] = f"| {' | '.join(cells)} |"
    return rows


def _over_speakers(low: float, high: float) -> str:
    if np.isnan(low):
        return "unknown"
    return f"{low:.3f} to {high:.3f}" if low < high else "all alike"  # which says nothing


def _groups(answered: pd.DataFrame) -> Iterator[str]:
    """Yield a table for each thing that is known of the speakers, the hardest groups first."""
    words = answered[answered["true"] != OTHER]
    for column in ("speaker", *GROUPS):
        if column not in words or words[column].nunique() < 2:
            continue
        rows = list(_rows(words, column).values())
        name = column.replace("_", " ")
        title = f"## By {name}"
        if column == "speaker" and len(rows) > MOST_SPEAKERS:
            title += f": the hardest {MOST_SPEAKERS} of {len(rows)}"
            rows = rows[:MOST_SPEAKERS]
        yield "\n".join([title, "", HEAD.format(name), RULE, *rows])


def _confusions(answered: pd.DataFrame) -> str:
    wrong = answered[~answered["correct"]].groupby(["true", "predicted"]).size()
    totals = answered.groupby("true").size()
    most = wrong.sort_values(ascending=False, kind="stable").head(MOST_CONFUSIONS)
    lines = [
        f"- {true} taken for {predicted}: {count} of {totals[true]:,} clips"
        for (true, predicted), count in most.items()
    ]
    return "\n".join(["## Most frequent errors", "", *(lines or ["None."])])


def _limits(recogniser: Recogniser, answered: pd.DataFrame) -> str:
    words = ", ".join(word for word in recogniser.classes if word != OTHER)
    lines = [
        f"- Anything but single English words of these: {words}. Of several words in a recording "
        "the loudest is taken.",
        "- Anything that matters to somebody, without a person who checks the answer.",
        "- Telling who speaks.",
    ]
    if OTHER not in recogniser.classes:
        lines.append("- Recordings that may hold another word: it never refuses one.")
    rare = [
        f"{name} ({column.replace('_', ' ')}, {n_speakers})"
        for column in GROUPS
        if column in answered
        for name, n_speakers in answered.groupby(column)["speaker"].nunique().items()
        if n_speakers < FEWEST_SPEAKERS
    ]
    if rare:
        heading = f"- Speakers of groups with fewer than {FEWEST_SPEAKERS} speakers here, of whom "
        lines.append(f"{heading}nothing can be said: {', '.join(rare)}.")
    if unknown := [column.replace("_", " ") for column in GROUPS if column not in answered]:
        text = "- Statements on differences by what this corpus does not know of its speakers: "
        lines.append(text + ", ".join(unknown) + ".")
    return "\n".join(["## What it is not for", "", *lines])
