"""The report for a terminal: the table, and what stands around it; readable without colour.

Nothing of a report is ever given to rich as markup: it goes in as Text, which shows ``[red]`` as those five characters.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from io import StringIO

from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.text import Text

from validator.model import Report
from validator.report.forecast import Forecast
from validator.report.grid import STYLES, grid, kinds, status_text
from validator.report.view import Bounds, CauseGroup, Detail, View, view

#: More cells than this are no table that a person reads on a terminal.
_BOUNDS = Bounds(cells=1000, details=5, kinds=15)
#: Runs named that results were taken from.
_EARLIER = 3
#: Columns if the caller does not say how many there are.
_WIDTH = 100
_LOG_LINES = 12
#: If more cells than this are skipped for one reason, they are counted instead of named: the list would bury everything else.
_NAMED_SKIPS = 6
#: Messages shown of one cause, and cells named for each; report.md and JSON have all of them.
_MESSAGES = 3
_NAMED_CELLS = 3
#: Assumptions shown; there may be one for every image.
_ASSUMED = 6


def parts(shown: Report | Forecast, *, width: int | None = None, color: bool = False) -> Iterator[str]:
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
    for part in _parts(view(shown, _BOUNDS), console):
        with console.capture() as capture:
            console.print(part)
        yield "".join(f"{line.rstrip()}\n" for line in capture.get().splitlines())


def _parts(shown: View, console: Console) -> Iterator[RenderableType]:
    if shown.title:
        yield Text(shown.title, "bold")
    if shown.interrupted:
        yield Text("INTERRUPTED: not every cell was run", "bold red")
    for cell_id, alarm in shown.alarms:
        yield Text(f"! {cell_id}: {alarm.sentence}", "bold red")
    if shown.kinds:
        for table in shown.kinds:
            yield from kinds(table, console)
        more = "-e and -t select some; --format json has every cell"
        yield Text(f"{shown.cells} cells are too many for a table, and so they are counted: {more}.")
    else:
        yield from grid(shown, console)
    unnamed = f"; without a named cause: {shown.unnamed}" if shown.unnamed else ""
    yield Text.assemble(*_spaced(shown.summary), unnamed)
    yield Text()
    for name, text in (("run", shown.run), ("runner", shown.runner), ("GPU", shown.gpu), ("engine", shown.engine)):
        if text:
            yield _labelled(name, text, indent=0)
    for text in shown.earlier[:_EARLIER]:
        yield _labelled("earlier", text, indent=0)
    if len(shown.earlier) > _EARLIER:
        yield Text(f"… and from {len(shown.earlier) - _EARLIER} more runs: --format markdown or json has them all", "dim")
    if shown.beside:
        yield _labelled("beside", shown.beside, indent=0)
    for environment, digest in shown.digests:
        yield _labelled("image", f"{environment} {digest}", indent=0)
    for text in shown.left_out:
        yield Text(f"… and {text}: --format json has them all", "dim")
    for detail in shown.details:
        yield Text()
        yield from _detail(detail)
    if shown.causes:
        yield Text()
        yield Text("Reasons given by the rules", "bold")
    for cause in shown.causes:
        yield from _cause(cause, 1 if shown.kinds else _MESSAGES, _everything(shown))
    if shown.assumed:
        yield Text()
        yield Text("Assumptions made by the rules", "bold")
    for text, number in shown.assumed[:_ASSUMED]:
        yield Padding(Text(text).append(f"  ({number} {'cell' if number == 1 else 'cells'})", "dim"), (0, 0, 0, 2))
    if len(shown.assumed) > _ASSUMED:
        more = f"… and {len(shown.assumed) - _ASSUMED} more: {_everything(shown)} has them all"
        yield Padding(Text(more, "dim"), (0, 0, 0, 2))
    for heading, label, groups in (("Skipped", "skip", shown.skips), ("A run would", "", shown.actions)):
        if groups:
            yield Text()
            yield Text(heading, "bold")
        for group in groups:
            few = group.cells <= _NAMED_SKIPS
            where = "--format json" if shown.kinds else "report.md" if not shown.actions else "--format markdown"
            cells = ", ".join(group.ids) if few else f"{group.cells} cells, each by its id in {where}"
            yield _labelled(label, group.reason) if label else Padding(Text(group.reason), (0, 0, 0, 2))
            if cells:
                yield Padding(Text(cells, "dim"), (0, 0, 0, 4))


def _spaced(summary: Sequence[tuple[str, int]]) -> Iterator[tuple[str, str]]:
    for index, (status, number) in enumerate(summary):
        yield (", " if index else "") + f"{number} {status}", STYLES[status] if number else "dim"


# ---------------------------------------------------------------- below the table


def _everything(shown: View) -> str:
    """What has all that is left out here."""
    return "--format json" if shown.kinds else "--format markdown or json"


def _cause(group: CauseGroup, most: int, everything: str) -> Iterator[RenderableType]:
    """A cause, its messages and the cells of each; of bounded length."""
    title = f"  {group.title}" if group.title else ""
    yield Padding(
        Text.assemble((group.severity, STYLES.get(group.severity, "dim")), "  ", (group.cause, "bold"), f"{title}; ")
        .append(f"{group.cells} {'cell' if group.cells == 1 else 'cells'}", "dim"),
        (0, 0, 0, 2),
    )
    for said in group.messages[:most]:
        more = f" and {said.cells - _NAMED_CELLS} more" if said.cells > _NAMED_CELLS else ""
        yield Padding(Text(said.message).append(f"  ({', '.join(said.ids[:_NAMED_CELLS])}{more})", "dim"), (0, 0, 0, 4))
        if said.remedy:
            yield _labelled("try", said.remedy, indent=6)
    if len(group.messages) > most:
        more = f"… and {len(group.messages) - most} more of this kind: {everything} has them all"
        yield Padding(Text(more, "dim"), (0, 0, 0, 4))


def _detail(detail: Detail) -> Iterator[RenderableType]:
    yield Text.assemble((detail.id, "bold"), "  ").append(status_text(detail.status, detail.basis))
    yield Padding(Text(detail.reason), (0, 0, 0, 2))
    for flag in detail.flags:
        yield Padding(Text(f"! {flag.sentence}", "bold red"), (0, 0, 0, 2))
    for note in detail.notes:
        yield _labelled("note", note)
    for about, text in (*detail.ran, *detail.sides):
        yield _labelled(about, text)
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
        if finding.title:
            yield _labelled("more", f"validator causes {finding.cause}", indent=4)
        if finding.source and not finding.from_catalogue:
            yield _labelled("source", finding.source, indent=4)
    lines = detail.log.splitlines()
    if len(lines) > _LOG_LINES:
        yield Padding(Text(f"… {len(lines) - _LOG_LINES} earlier lines are in results.json", "dim"), (0, 0, 0, 2))
    for line in lines[-_LOG_LINES:]:
        yield Padding(Text(f"| {line}", "dim"), (0, 0, 0, 2))


def _labelled(label: str, text: str, indent: int = 2) -> Padding:
    return Padding(Text.assemble((f"{label}: ", "bold"), text), (0, 0, 0, indent))
