"""The table on a terminal, in the form that fits: whole reasons, causes by their idents, or lines.

Nothing is ever given to rich as markup: it goes in as Text, which shows ``[red]`` as those five characters.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich import box
from rich.cells import cell_len
from rich.console import Console, RenderableType
from rich.measure import Measurement
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from validator.report.view import KindTable, TableCell, TableRow, View

STYLES = {"pass": "green", "degraded": "yellow", "fail": "bold red", "error": "magenta", "skip": "dim"}
#: A column narrower than this breaks reasons into slivers.
_NARROWEST_COLUMN = 24
#: With idents, a column only has to hold the longest part of one ("supported"), or of a target's id ("535.183.01").
_IDENT_COLUMN = 10
#: Columns of the terminal that such a table takes besides: on its left and right, and between two of its columns.
_EDGES, _BETWEEN = 2, 2
#: More tables than this under each other are harder to read than lines.
_MOST_TABLES = 4


def grid(shown: View, console: Console) -> Iterator[RenderableType]:
    """The table with every target; if that is too wide, without the targets that only skip (named below it); else narrower.

    The narrower form of a report with predictions shows causes by their idents, in as few tables as fit; the reasons are below.
    If that does not fit either, and for a report without predictions, it is lines.
    """
    everything = range(len(shown.targets))
    busy = [index for index in everything if index not in shown.idle_targets]
    for columns in (everything, busy):
        table = _table(shown, columns)
        if columns and _fits(table, console):
            yield table
            left_out = [shown.targets[index] for index in everything if index not in columns]
            if left_out:
                yield Text(f"Left out, since every cell is a skip (the reasons are below): {', '.join(left_out)}")
            return
    if not shown.inferred:
        yield from _lines(shown)
    elif tables := _ident_tables(shown, console):
        yield from tables
        yield Text("Cells without a basis are predicted. The reasons are below, by cause.", "dim")
    else:
        yield from _grouped(shown)


def status_text(status: str, known: str | None) -> Text:
    """``fail (measured)``, the status in its colour; ``known`` is how it is known."""
    return Text.assemble((status, STYLES[status]), f" ({known})" if known else "")


def kinds(table: KindTable, console: Console) -> Iterator[RenderableType]:
    """Very many cells in short: a row a kind, or a line where the terminal is too narrow for a table."""
    made = Table(box=box.HORIZONTALS, title_justify="left")
    made.add_column(Text(table.heading), overflow="fold", min_width=_IDENT_COLUMN)
    for status in table.statuses:
        made.add_column(Text(status), justify="right", no_wrap=True)
    made.add_column(Text("most frequent causes"), overflow="fold", min_width=_NARROWEST_COLUMN)
    for row in table.rows:
        numbers = (_number(*each) for each in zip(row.counts, table.statuses, strict=True))
        made.add_row(Text(row.name), *numbers, Text(", ".join(row.causes), "dim"))
    if _fits(made, console):
        yield made
        return
    yield Text(table.heading, "bold")
    for row in table.rows:
        counts = ", ".join(f"{n} {status}" for n, status in zip(row.counts, table.statuses, strict=True) if n)
        yield Padding(Text(f"{row.name}: {counts}").append(f"  {', '.join(row.causes)}", "dim"), (0, 0, 0, 2))


def _number(number: int, status: str) -> Text:
    return Text(str(number), STYLES[status] if number else "dim")


def _fits(table: Table, console: Console) -> bool:
    unlimited = console.options.update(width=1_000_000)  # a measurement is cut to the width it is asked for
    return Measurement.get(console, unlimited, table).minimum <= console.width


def _table(shown: View, columns: Sequence[int]) -> Table:
    table = Table(box=box.HORIZONTALS, show_lines=True)
    ids = [row.environment for row in shown.rows]
    table.add_column(Text("environment"), overflow="fold", min_width=max(map(cell_len, [*ids, "environment"])))
    for index in columns:
        target = shown.targets[index]
        table.add_column(Text(target), overflow="fold", min_width=max(cell_len(target), _NARROWEST_COLUMN))
    for row in shown.rows:
        table.add_row(Text(row.environment), *(_cell(row.cells[index]) for index in columns))
    return table


def _cell(cell: TableCell | None) -> Text:
    if cell is None:
        return Text("not in this run", "dim")
    text = status_text(cell.status, cell.known)
    for flag in cell.flags:
        text.append(f"\n! {flag.short}", "bold red")
    return text.append(f"\n{cell.cause}")


def _lines(shown: View) -> Iterator[Text]:
    for cell in (cell for row in shown.rows for cell in row.cells if cell is not None):
        flags = "".join(f"  ! {flag.short}" for flag in cell.flags)
        text = Text(f"{cell.id}  ").append(status_text(cell.status, cell.known))
        yield text.append(flags, "bold red").append(f"  {cell.cause}")


# ---------------------------------------------------------------- by the idents of the causes


def _ident_tables(shown: View, console: Console) -> list[Table]:
    """The targets shared among as few tables as fit; none if that would be too many."""
    first = max((cell_len(part) for row in shown.rows for part in _parts(row.environment)), default=0)
    first = max(first, len("environment"))
    per_table = (console.width - _EDGES - (first + 1)) // (_IDENT_COLUMN + _BETWEEN)
    if per_table < 1:
        return []
    number = -(-len(shown.targets) // per_table)
    if number > _MOST_TABLES:
        return []
    per_table = -(-len(shown.targets) // number)  # as many in each
    tables = []
    for begin in range(0, len(shown.targets), per_table):
        table = Table(box=box.HORIZONTALS, show_lines=True, padding=(0, 1, 0, 0))
        table.add_column(Text("environment"), overflow="fold", min_width=first)
        columns = range(begin, min(begin + per_table, len(shown.targets)))
        for index in columns:
            table.add_column(Text(_broken(shown.targets[index])), overflow="fold", min_width=_IDENT_COLUMN)
        for row in shown.rows:
            table.add_row(Text(_broken(row.environment, first)), *(_ident_cell(row.cells[index]) for index in columns))
        if not _fits(table, console):
            return []
        tables.append(table)
    return tables


def _ident_cell(cell: TableCell | None) -> Text:
    if cell is None:
        return Text("-", "dim")
    text = Text(cell.status, STYLES[cell.status])
    if cell.basis and cell.basis != "predicted":
        text.append(f"\n{cell.basis}", "default")
    for mark in cell.marks:
        text.append(f"\n{_broken(mark)}", "default")
    for flag in cell.flags:
        text.append(f"\n! {_broken(flag.short)}", "bold red")
    for word in cell.words:
        text.append(f"\n{_broken(word)}", "default")
    return text


def _broken(text: str, width: int = _IDENT_COLUMN) -> str:
    """An id broken into lines after dashes, underscores and spaces, so that versions and words stay whole."""
    lines = [""]
    for part in _parts(text):
        if lines[-1] and cell_len(lines[-1] + part.rstrip()) > width:
            lines.append("")
        lines[-1] += part
    return "\n".join(line.rstrip() for line in lines)


def _parts(text: str) -> list[str]:
    parts = [""]
    for character in text:
        parts[-1] += character
        if character in "-_ ":
            parts.append("")
    return [part for part in parts if part]


# ---------------------------------------------------------------- lines, grouped


def _grouped(shown: View) -> Iterator[RenderableType]:
    """Under each environment, the targets that have the same answer on one line."""
    for row in shown.rows:
        yield Text(row.environment, "bold")
        for cell, targets in _same_answers(shown, row):
            flags = "".join(f"  ! {flag.short}" for flag in cell.flags)
            words = ", ".join(cell.words) or ("" if cell.basis == "predicted" else cell.cause)
            text = status_text(cell.status, cell.known).append(flags, "bold red")
            yield Padding(text.append(f"  {words + ': ' if words else ''}{', '.join(targets)}"), (0, 0, 0, 2))


def _same_answers(shown: View, row: TableRow) -> list[tuple[TableCell, list[str]]]:
    groups: dict[tuple[object, ...], tuple[TableCell, list[str]]] = {}
    for target, cell in zip(shown.targets, row.cells, strict=True):
        if cell is not None:
            key = (cell.status, cell.known, tuple(flag.kind for flag in cell.flags), cell.words or cell.cause)
            groups.setdefault(key, (cell, []))[1].append(target)
    return list(groups.values())
