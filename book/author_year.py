"""A Sphinx extension: citations by author and year, "Mallat (2012)" or "(Mallat, 2012)"."""

from dataclasses import dataclass, field

from pybtex import plugin as pybtex_plugin
from pybtex.style.formatting.plain import Style as PlainStyle
from pybtex.style.labels import BaseLabelStyle
from sphinxcontrib.bibtex import plugin as bibtex_plugin
from sphinxcontrib.bibtex.style.referencing import BracketStyle
from sphinxcontrib.bibtex.style.referencing.author_year import AuthorYearReferenceStyle

NAME = "book_author_year"


def authors(entry):
    """Return the names that stand for an entry of references.bib: one, two, or the first's."""
    persons = entry.persons.get("author") or entry.persons["editor"]
    names = [" ".join(map(str, p.rich_prelast_names + p.rich_last_names)) for p in persons]
    return " and ".join(names) if len(names) < 3 else f"{names[0]} et al."


def round_brackets(separator=", "):
    """Return the style of brackets around a citation, with what stands between several."""
    return BracketStyle(left="(", right=")", sep=separator)


@dataclass
class RoundReferenceStyle(AuthorYearReferenceStyle):
    """How the text cites."""

    bracket_parenthetical: BracketStyle = field(default_factory=lambda: round_brackets("; "))
    bracket_textual: BracketStyle = field(default_factory=round_brackets)


class AuthorYearLabelStyle(BaseLabelStyle):
    """How the list of references names an entry: as the text does, without brackets."""

    def format_labels(self, sorted_entries):
        """Yield a label an entry."""
        for entry in sorted_entries:
            yield f"{authors(entry)}, {entry.fields['year']}"


class Style(PlainStyle):
    """The list of references, sorted by author, year and title."""

    default_label_style = AuthorYearLabelStyle


class TooltipStyle(PlainStyle):
    """What a citation stands for, family names first: print.js makes a sorted list of it."""

    default_name_style = "lastfirst"

    def __init__(self, **settings):
        super().__init__(abbreviate_names=True, **settings)


def setup(app):
    """Register the styles under the name that _config.yml gives."""
    bibtex_plugin.register_plugin(
        "sphinxcontrib.bibtex.style.referencing", NAME, RoundReferenceStyle
    )
    pybtex_plugin.register_plugin("pybtex.style.formatting", NAME, Style)
    pybtex_plugin.register_plugin("pybtex.style.formatting", f"{NAME}_tooltip", TooltipStyle)
    return {"parallel_read_safe": True}
