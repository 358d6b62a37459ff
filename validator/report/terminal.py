"""The report for a terminal: a table where it fits, a line a cell where it does not; readable without colour.

Nothing of a report is ever given to rich as markup: it goes in as Text, which shows ``[red]`` as those five characters.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from io import StringIO

from rich import box
from rich.cells import cell_len
from rich.console import Console, RenderableType
from rich.measure import Measurement
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from validator.model import Report
from validator.report.view import Detail, TableCell, View, view

#: Columns where nobody says how many there are.
_WIDTH = 100
#: A column narrower than this breaks reasons into slivers.
_NARROWEST_COLUMN = 24
_LOG_LINES = 12
#: More cells that are skipped for one reason than this are counted here instead of named: they would bury what was found.
_NAMED_SKIPS = 6
_STYLES = {"pass": "green", "degraded": "yellow", "fail": "bold red", "error": "magenta", "skip": "dim"}


def render(report: Report, *, width: int | None = None, color: bool = False) -> str:
    """The report for a terminal of ``width`` columns, with ANSI colours if asked for."""
    console = Console(
        file=StringIO(),
        width=width or _WIDTH,
        color_system="standard" if color else None,
        force_terminal=color,
        no_color=not color,
        force_jupyter=False,
        legacy_windows=False,
    )
    with console.capture() as capture:
        for part in _parts(view(report), console):
            console.print(part)
    return "\n".join(line.rstrip() for line in capture.get().splitlines()) + "\n"


def _parts(shown: View, console: Console) -> Iterator[RenderableType]:
    if shown.interrupted:
        yield Text("INTERRUPTED: not every cell was run", "bold red")
    for cell_id, alarm in shown.alarms:
        yield Text(f"! {cell_id}: {alarm}", "bold red")
    yield from _grid(shown, console)
    unnamed = f"; without a named cause: {shown.unnamed}" if shown.unnamed else ""
    yield Text.assemble(*_spaced(shown.summary), unnamed)
    yield Text()
    for name, text in (("run", shown.run), ("runner", shown.runner), ("GPU", shown.gpu), ("engine", shown.engine)):
        yield _labelled(name, text, indent=0)
    for environment, digest in shown.digests:
        yield _labelled("image", f"{environment} {digest}", indent=0)
    for detail in shown.details:
        yield Text()
        yield from _detail(detail)
    if shown.skips:
        yield Text()
        yield Text("Skipped", "bold")
    for group in shown.skips:
        few = len(group.ids) <= _NAMED_SKIPS
        cells = ", ".join(group.ids) if few else f"{len(group.ids)} cells, each by its id in report.md"
        yield _labelled("skip", group.reason)
        yield Padding(Text(cells, "dim"), (0, 0, 0, 4))


def _spaced(summary: Sequence[tuple[str, int]]) -> Iterator[tuple[str, str]]:
    for index, (status, number) in enumerate(summary):
        yield (", " if index else "") + f"{number} {status}", _STYLES[status] if number else "dim"


# ---------------------------------------------------------------- the table


def _grid(shown: View, console: Console) -> Iterator[RenderableType]:
    """The table with every target; else without those that only skip, named below it; else a line a cell."""
    everything = range(len(shown.targets))
    busy = [index for index in everything if index not in shown.idle_targets]
    unlimited = console.options.update(width=1_000_000)  # a measurement is cut to the width it is asked for
    for columns in (everything, busy):
        table = _table(shown, columns)
        if columns and Measurement.get(console, unlimited, table).minimum <= console.width:
            yield table
            left_out = [shown.targets[index] for index in everything if index not in columns]
            if left_out:
                yield Text(f"Not in the table, every cell a skip (why: below): {', '.join(left_out)}")
            return
    yield from _lines(shown)


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
    text = _status(cell.status, cell.basis)
    for flag in cell.flags:
        text.append(f"\n! {flag}", "bold red")
    return text.append(f"\n{cell.cause}")


def _lines(shown: View) -> Iterator[Text]:
    for cell in (cell for row in shown.rows for cell in row.cells if cell is not None):
        flags = "".join(f"  ! {flag}" for flag in cell.flags)
        yield Text(f"{cell.id}  ").append(_status(cell.status, cell.basis)).append(flags, "bold red").append(f"  {cell.cause}")


def _status(status: str, basis: str | None) -> Text:
    return Text.assemble((status, _STYLES[status]), f" ({basis})" if basis else "")


# ---------------------------------------------------------------- below the table


def _detail(detail: Detail) -> Iterator[RenderableType]:
    yield Text.assemble((detail.id, "bold"), "  ").append(_status(detail.status, detail.basis))
    yield Padding(Text(detail.reason), (0, 0, 0, 2))
    for flag in detail.flags:
        yield Padding(Text(f"! {flag}", "bold red"), (0, 0, 0, 2))
    for note in detail.notes:
        yield _labelled("note", note)
    for check in detail.checks:
        died = f" ({check.died})" if check.died and check.died not in check.message else ""
        yield _labelled(f"{check.name} {check.status}, {check.level}", check.message + died)
    for finding in detail.findings:
        said = ". ".join(text for text in (finding.title, finding.message) if text)
        yield _labelled(f"cause {finding.cause}", said or "could not be named")
        for text in finding.evidence:
            yield _labelled("seen", text, indent=4)
        if finding.remedy:
            yield _labelled("try", finding.remedy, indent=4)
        if finding.source:
            yield _labelled("more", finding.source, indent=4)
    lines = detail.log.splitlines()
    if len(lines) > _LOG_LINES:
        yield Padding(Text(f"… {len(lines) - _LOG_LINES} earlier lines are in results.json", "dim"), (0, 0, 0, 2))
    for line in lines[-_LOG_LINES:]:
        yield Padding(Text(f"| {line}", "dim"), (0, 0, 0, 2))


def _labelled(label: str, text: str, indent: int = 2) -> Padding:
    return Padding(Text.assemble((f"{label}: ", "bold"), text), (0, 0, 0, indent))
