"""Very many cells in short: by GPU, by driver and by build of PyTorch, how many have each status, and the causes met most."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from validator.model import CellResult, Status, gravest
from validator.report.view.lines import line

#: Causes named of one row.
_CAUSES = 2


@dataclass(frozen=True)
class KindRow:
    """The cells of one GPU, driver or build."""

    name: str
    counts: tuple[int, ...]
    """One for each of ``KindTable.statuses``."""
    causes: tuple[str, ...]
    """The causes by their idents, ``driver_too_old (120)``, the most frequent first."""


@dataclass(frozen=True)
class KindTable:
    """Every cell, counted by one of its sides."""

    heading: str
    statuses: tuple[str, ...]
    """Those that occur."""
    rows: tuple[KindRow, ...]


def kind_tables(cells: Sequence[CellResult], most_rows: int) -> tuple[KindTable, ...]:
    """The three tables; each counts every cell once. Kinds beyond ``most_rows`` are one row together."""
    statuses = tuple(status for status in Status if any(cell.status is status for cell in cells))
    causes = [tuple(dict.fromkeys(finding.cause for finding in gravest(cell.findings))) for cell in cells]
    return tuple(_table(heading, of, cells, causes, statuses, most_rows) for heading, of in _SIDES)


def _table(
    heading: str,
    of: Callable[[CellResult], str],
    cells: Iterable[CellResult],
    causes: Iterable[tuple[str, ...]],
    statuses: tuple[Status, ...],
    most_rows: int,
) -> KindTable:
    counts: dict[str, Counter[Status]] = {}
    met: dict[str, Counter[str]] = {}
    for cell, found in zip(cells, causes, strict=True):
        name = of(cell)
        counts.setdefault(name, Counter())[cell.status] += 1
        met.setdefault(name, Counter()).update(found)
    names = list(counts)
    rows = [_row(line(name), counts[name], met[name], statuses) for name in names[:most_rows]]
    if others := names[most_rows:]:
        summed = sum((counts[name] for name in others), Counter[Status]())
        rows.append(_row(f"{len(others)} more", summed, sum((met[name] for name in others), Counter[str]()), statuses))
    return KindTable(heading, tuple(status.value for status in statuses), tuple(rows))


def _row(name: str, counts: Counter[Status], met: Counter[str], statuses: tuple[Status, ...]) -> KindRow:
    causes = tuple(f"{line(cause)} ({number})" for cause, number in met.most_common(_CAUSES))
    return KindRow(name, tuple(counts[status] for status in statuses), causes)


def _gpu(cell: CellResult) -> str:
    target = cell.target
    if target.gpu:
        return target.gpu
    if target.compute_capability:
        return f"compute capability {target.compute_capability}"
    return "this machine's" if target.is_host else "not said"


def _driver(cell: CellResult) -> str:
    return cell.target.driver or ("this machine's" if cell.target.is_host else "not said")


def _build(cell: CellResult) -> str:
    torch, cuda = cell.environment.torch, cell.environment.cuda
    if torch is None:
        return "not said"
    return f"{torch} {'cpu' if cuda == 'cpu' else f'CUDA {cuda}'}" if cuda else torch


_SIDES = (("GPU", _gpu), ("driver", _driver), ("PyTorch", _build))
