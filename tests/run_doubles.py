"""A runner, and a keeper that is told of the progress too, for tests of the execution: their troubles are made to order."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from values import host, probe_plan, probe_report

from validator.model import Cell, CellResult, Environment, HostInfo, Intent
from validator.probe_host import ProbeReport
from validator.runners.base import OPEN, WHOLE, Gate, OnEvent, OnLine, Prepared, RunOutcome, RunRequest, Share

Trouble = Callable[[], object]


def raising(error: BaseException) -> Trouble:
    def trouble() -> object:
        raise error

    return trouble


@dataclass
class RunnerDouble:
    """Prepares and runs nothing: every environment passes, but for the troubles it is given."""

    name: str = "double"
    contained: bool = False
    prepare_trouble: dict[str, Trouble] = field(default_factory=dict)
    run_trouble: dict[str, Trouble] = field(default_factory=dict)
    answers: dict[str, ProbeReport] = field(default_factory=dict)
    """What the probe says in a cell, where it is not that all is well."""
    prepared: list[str] = field(default_factory=list)
    ran: list[str] = field(default_factory=list)
    discarded: list[str] = field(default_factory=list)
    requests: list[RunRequest] = field(default_factory=list)
    rejoined: list[RunRequest] = field(default_factory=list)
    still_there: dict[str, RunOutcome] = field(default_factory=dict)
    """What earlier requests come to, by name."""
    outcomes: dict[str, list[RunOutcome]] = field(default_factory=dict)
    """What running a cell gives, one try after another, before all is well."""
    identity: str | None = None

    def host(self) -> HostInfo:
        return host()

    def supports(self, environment: Environment) -> str | None:
        return None

    def prepare(self, environment: Environment, on_line: OnLine) -> Prepared:
        self.prepared.append(environment.id)
        on_line(f"making {environment.id}")
        if trouble := self.prepare_trouble.get(environment.id):
            trouble()
        return Prepared(environment.id, identity=self.identity and f"{self.identity} {environment.id}")

    def discard(self, prepared: Prepared) -> None:
        self.discarded.append(prepared.handle)

    def request(self, cell: Cell, prepared: Prepared, *, share: Share = WHOLE, attempt: int = 1) -> RunRequest:
        payload = {"handle": prepared.handle, "gpus": cell.gpus, "share": share}
        return RunRequest(cell.id, f"double-{cell.id}-{attempt}", payload, probe_plan(), attempt=attempt)

    def rejoin(self, request: RunRequest, on_event: OnEvent, gate: Gate = OPEN) -> RunOutcome | None:
        self.rejoined.append(request)
        return self.still_there.get(request.name)

    def run(self, request: RunRequest, on_event: OnEvent, gate: Gate = OPEN) -> RunOutcome:
        self.requests.append(request)
        self.ran.append(request.cell_id)
        on_event({"event": "check-start", "check": "import"})
        if trouble := self.run_trouble.get(request.cell_id):
            trouble()
        on_event({"event": "check-end", "check": "import", "status": "pass"})
        if outcomes := self.outcomes.get(request.cell_id):
            return outcomes.pop(0)
        return RunOutcome(self.answers.get(request.cell_id) or probe_report(), exit_code=0)

    def close(self) -> None:
        pass


@dataclass
class Log:
    """Keeper and progress in one: writes down, in order, what it is told."""

    lines: list[str] = field(default_factory=list)

    keys: dict[str, str] = field(default_factory=dict)
    intents: list[Intent] = field(default_factory=list)

    def begin(self, cell: Cell) -> None:
        self.lines.append(f"begin {cell.id}")

    def intend(self, intent: Intent) -> None:
        self.intents.append(intent)

    def keep(self, result: CellResult, key: str | None = None, *, final: bool = True) -> None:
        self.lines.append(f"keep {result.id} {result.status.value}" + ("" if final else " for now"))
        if key:
            self.keys[result.id] = key

    def keep_all(self, results: Iterable[CellResult], keys: Mapping[str, str] | None = None, *, final: bool = True) -> None:
        for result in results:
            self.keep(result, (keys or {}).get(result.id), final=final)

    def planned(self, cells: Sequence[Cell], lanes: Sequence[str]) -> None:
        self.lines.append(f"planned {len(cells)} on {', '.join(lanes)}")

    def acquiring(self, environment: Environment) -> None:
        self.lines.append(f"acquiring {environment.id}")

    def acquired(self, environment: Environment, problem: str | None) -> None:
        self.lines.append(f"acquired {environment.id}: {problem}")

    def cell_started(self, cell: Cell, lane: str) -> None:
        self.lines.append(f"started {cell.id} on {lane}")

    def note(self, about: Cell | Environment, text: str) -> None:
        self.lines.append(f"note {about.id}: {text}")

    def said(self, text: str) -> None:
        self.lines.append(f"said {text}")

    def cell_finished(self, result: CellResult) -> None:
        self.lines.append(f"finished {result.id}")
