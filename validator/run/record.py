"""The results of a run: each is kept as it comes, many together, and told of; once that fails the run comes to its end."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial

from validator.base.errors import StoreError
from validator.model import Cell, CellResult, Intent, Status
from validator.run.cache import may_be_kept
from validator.run.protocols import Keeper, Progress
from validator.verdict.findings import with_alternatives


class Record:
    """The results of cells, by their numbers in the plan."""

    def __init__(self, keeper: Keeper, progress: Progress) -> None:
        self._keeper = keeper
        self._progress = progress
        self._results: dict[int, CellResult] = {}
        self._keys: dict[int, str] = {}
        """What each result is kept under, so that later runs may use it again."""
        self._gathered: list[int] = []
        """The cells whose results are not kept yet."""
        self.failures = 0
        """Failed cells and errors, those that the matrix expects left out."""
        self.problem: StoreError | None = None
        """Why nothing more can be kept; what is measured until then is still shown."""

    def __len__(self) -> int:
        return len(self._results)

    def __contains__(self, number: int) -> bool:
        return number in self._results

    def foretell(self, results: Mapping[int, CellResult]) -> None:
        """Take and keep what nothing is run for."""
        self._results |= results
        if results:
            self._keep(partial(self._keeper.keep_all, results.values()))
        for result in results.values():
            self._progress.cell_finished(result)

    def stands(self, number: int, result: CellResult) -> None:
        """Take what is kept already."""
        self._results[number] = result

    def add(self, number: int, result: CellResult, key: str | None = None) -> None:
        """Take the result of a cell. It is kept under the key if it may be used again, or was."""
        self._results[number] = result
        self.failures += result.status in (Status.FAIL, Status.ERROR) and result.status is not result.expect
        if key is not None and (result.cached or may_be_kept(result)):
            self._keys[number] = key
        self._gathered.append(number)

    def keep_gathered(self) -> None:
        """Keep the results that have gathered, in one transaction, then tell of them."""
        if self._gathered:
            results = [self._results[number] for number in self._gathered]
            keys = {self._results[number].id: self._keys[number] for number in self._gathered if number in self._keys}
            self._keep(partial(self._keeper.keep_all, results, keys))
            self._gathered = []
            for result in results:
                self._progress.cell_finished(result)

    def begin(self, cell: Cell, intent: Intent | None) -> None:
        """Write down that a cell begins, and what is about to be started for it."""
        self._keep(partial(self._keeper.begin, cell))
        if intent is not None:
            self._keep(partial(self._keeper.intend, intent))

    def close(self, unfinished: Mapping[int, CellResult]) -> None:
        """Take what is said of cells that have yet to run, in another run or this one taken up again."""
        self.keep_gathered()
        self._results |= unfinished
        if unfinished:
            self._keep(partial(self._keeper.keep_all, unfinished.values(), final=False))

    def advised(self) -> tuple[CellResult, ...]:
        """All results in the plan's order, now that they are there: a remedy can name what else works on the same target."""
        results = [self._results[number] for number in range(len(self._results))]
        advised: Sequence[CellResult] = with_alternatives(results)
        changed = [number for number, (before, after) in enumerate(zip(results, advised, strict=True)) if after is not before]
        if changed:
            keys = {advised[number].id: self._keys[number] for number in changed if number in self._keys}
            self._keep(partial(self._keeper.keep_all, [advised[number] for number in changed], keys))
        return tuple(advised)

    def _keep(self, keep: Callable[[], None]) -> None:
        if self.problem is None:
            try:
                keep()
            except StoreError as error:
                self.problem = error
                self._progress.said(f"results can no longer be kept, so nothing new is begun: {error.what}")
