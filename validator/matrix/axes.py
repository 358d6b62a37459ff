"""The axes of one entry of matrix.yaml: every value checked and with its line, and how many combinations they make."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import islice

from validator.base.problems import Problems
from validator.base.text import quoted, suggestion
from validator.base.yaml_text import Document, KeyPath
from validator.matrix.expand import Axes, Combination, Value, expand, upper_bound
from validator.matrix.values import axis_value

MAX_ENVIRONMENTS = 20_000
MAX_CELLS = 100_000
#: Names of axes, and names that include rows bring, in one entry: each is compared with every other.
MAX_NAMES = 100
#: Include rows × combinations: each may add a value to each.
MAX_ADDITIONS = 1_000_000


@dataclass(frozen=True)
class EntryAxes:
    """The axes and rows of one entry."""

    place: KeyPath
    axes: Axes
    include: Sequence[Combination]
    exclude: Sequence[Combination]

    @property
    def bound(self) -> int:
        """How many combinations there can be at most."""
        return upper_bound(self.axes, self.include)

    def combinations(self) -> list[Combination]:
        """The combinations the entry stands for."""
        return expand(self.axes, self.include, self.exclude)


def entry_axes(
    document: Document,
    problems: Problems,
    place: KeyPath,
    axes: Mapping[KeyPath, Sequence[str]],
    include: Sequence[Mapping[str, str]],
    exclude: Sequence[Mapping[str, str]],
    known: Sequence[str],
) -> EntryAxes:
    """Give every value its line and check it; what is wrong goes to ``problems``.

    ``axes`` has the place of each axis below the entry (``("torch",)``, ``("axes", "cudnn")``); ``known`` are the names of
    axes that an entry of this kind may have without being declared.
    """
    given = sum(1 for texts in axes.values() if texts)
    brought = {name for row in include for name in row}
    for what, names in (("axes", given), ("names in its include rows", len(brought))):
        if names > MAX_NAMES:
            text = f"this entry has {names:,} {what}; the limit is {MAX_NAMES}. Split it into several entries"
            problems.add(document.line(place), text)
            return EntryAxes(place, {}, (), ())
    valued: dict[str, list[Value]] = {}
    for steps, texts in axes.items():
        if texts:
            found = [Value(text, document.line((*place, *steps, index))) for index, text in enumerate(texts)]
            valued[str(steps[-1])] = found
            _check_axis(problems, str(steps[-1]), found)
    entry = EntryAxes(
        place,
        valued,
        include=_with_lines(document, (*place, "include"), include),
        exclude=_with_lines(document, (*place, "exclude"), exclude),
    )
    for row in entry.include:
        _check_include(problems, row, [*known, *valued])
    texts_of = {name: dict.fromkeys(value.text for value in found) for name, found in valued.items()}
    for row in entry.exclude:
        _check_exclude(problems, row, texts_of)
    return entry


def check_sizes(document: Document, environments: Sequence[EntryAxes], targets: Sequence[EntryAxes]) -> None:
    """Refuse a matrix that is larger than anyone intends, before it is multiplied out. Raises MatrixError."""
    problems = Problems(document.file)
    for entry in (*environments, *targets):
        rows = len(entry.include)
        if entry.axes and entry.bound * rows > MAX_ADDITIONS:
            problems.add(
                document.line(entry.place),
                f"{_count(entry.bound)} combinations with {rows:,} include rows are too many; shorten the axes, or give the "
                "rows an entry of their own, without axes",
            )
    environment_count = sum(entry.bound for entry in environments)
    cell_count = environment_count * sum(entry.bound for entry in targets)
    largest = document.line(max(environments, key=lambda entry: entry.bound).place)
    if environment_count > MAX_ENVIRONMENTS:
        problems.add(
            largest,
            f"the axes multiply to {_count(environment_count)} environments; the limit is {MAX_ENVIRONMENTS:,}. "
            "Shorten the axes, or split the matrix into several files",
        )
    elif cell_count > MAX_CELLS:
        problems.add(
            largest,
            f"environments × targets make {_count(cell_count)} cells; the limit is {MAX_CELLS:,}. "
            "Shorten the axes, or split the matrix into several files",
        )
    problems.check()


def _count(number: int) -> str:
    return f"{number:,}" if number <= 10**12 else "more than a million million"


def _with_lines(document: Document, place: KeyPath, rows: Sequence[Mapping[str, str]]) -> list[Combination]:
    return [
        {name: Value(text, document.line((*place, index, name))) for name, text in row.items()} for index, row in enumerate(rows)
    ]


def _check_axis(problems: Problems, name: str, found: Sequence[Value]) -> None:
    lines: dict[str, int] = {}
    for value in found:
        if value.text in lines:
            problems.add(value.line, f"{quoted(value.text)} stands twice in the axis `{name}`; remove one of them")
        lines[value.text] = value.line
        _check_value(problems, name, value)


def _check_value(problems: Problems, name: str, value: Value) -> None:
    try:
        axis_value(name, value.text)
    except ValueError as error:
        problems.add(value.line, f"`{name}`: {error}")


def _check_include(problems: Problems, row: Combination, known: Sequence[str]) -> None:
    for name, value in row.items():
        _check_value(problems, name, value)
        # A row may bring a name of its own; one that is nearly the name of an axis is a slip.
        if name not in known and (hint := _slip(name, tuple(known))):
            problems.add(value.line, f"include names {quoted(name)}, which is not an axis here{hint}")


@cache
def _slip(name: str, known: tuple[str, ...]) -> str:
    return suggestion(name, known, cutoff=0.8)


def _check_exclude(problems: Problems, row: Combination, texts_of: Mapping[str, Collection[str]]) -> None:
    for name, value in row.items():
        if name not in texts_of:
            problems.add(
                value.line,
                f"exclude names {quoted(name)}, which is not an axis here, and so removes nothing"
                f"{problems.hint(name, texts_of)} "
                + (f"(the axes are {', '.join(texts_of)})" if texts_of else "(there are no axes)"),
            )
        elif value.text not in texts_of[name]:
            problems.add(
                value.line,
                f"exclude removes nothing: {quoted(value.text)} is not a value of the axis `{name}`"
                f"{problems.hint(value.text, texts_of[name])} (its values: "
                f"{', '.join(map(quoted, islice(texts_of[name], 10)))})",
            )
