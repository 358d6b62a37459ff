"""What a runner is: three values (what was made ready, what will be sent, what came back) and a small protocol."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from validator import probe_host
from validator.base.stopping import Stop
from validator.catalogue import checks
from validator.host import NOT_ASKED
from validator.model import Action, Cell, Content, EngineInfo, Environment, HostInfo, Matrix
from validator.probe_host import ProbePlan, ProbeReport

#: Called with each accepted probe event while the probe runs.
OnEvent = Callable[[Mapping[str, object]], None]
#: Called with each line of progress while an environment is made or pulled.
OnLine = Callable[[str], None]

#: What a runner adds to the probe's own total deadline before it kills the probe: time for the container to start, and for the
#: supervisor, which enforces the deadline itself, to report. Only a probe that cannot report is killed from outside.
GRACE_SECONDS = 30.0


class Turn(Protocol):
    """A wish to measure with no other cell of the run beside it."""

    @property
    def granted(self) -> bool:
        """Whether it is this cell's turn; asked again and again while the probe waits."""

    def end(self) -> None:
        """Give it back, granted or not; may be called more than once."""


class Gate(Protocol):
    """Who lets cells measure their rates one at a time (checks with ``alone``)."""

    def ask(self) -> Turn:
        """Ask for a turn; does not wait."""


class _Open:
    """A gate for a cell that has no others beside it."""

    granted = True

    def ask(self) -> Turn:
        return self

    def end(self) -> None:
        pass


OPEN: Gate = _Open()


@dataclass(frozen=True)
class Share:
    """The part of a machine that one cell has, so that cells beside it do not disturb it."""

    cpus: tuple[int, ...] = ()
    """Numbers of the processors it may use; empty for all."""
    memory_bytes: int | None = None
    """What it may use where the matrix sets no limit; None leaves that to the runner."""


WHOLE = Share()


@dataclass(frozen=True)
class RunContext:
    """What all requests of one run share."""

    run_id: str
    owner: str
    """Who runs it, as a label: see ``labels.owner``."""
    keep: bool = False
    """Leave containers in place for a person to look at."""
    engine: EngineInfo = NOT_ASKED
    """The container engine of this machine, as far as it was asked."""
    stop: Stop = field(default_factory=Stop)
    """Looked at wherever a runner waits; what is under way then ends with InterruptedRunError."""


@dataclass(frozen=True)
class Prepared:
    """An environment made ready to run."""

    handle: str
    """What the runner runs: an image id, or the path of an interpreter."""
    digest: str | None = None
    """``sha256:…`` of the image, where there is one."""
    entrypoint: tuple[str, ...] = ()
    """The image's own ENTRYPOINT."""
    notes: tuple[str, ...] = ()
    """What the report must say about how it was made."""
    seconds: float = 0.0
    identity: str | None = None
    """What decides the content: the image's id, or a hash of all that is installed. None where that is not known; results of
    such an environment are not used again."""
    was_there: bool = False
    """Whether it was ready already, and so is not this run's to throw away."""
    volumes: tuple[str, ...] = ()
    """Where the image declares volumes: each is given bounded room in memory instead of the engine's disk."""
    image: Content = field(default_factory=Content)
    """What the engine says of the image: its platform, and the variables and labels that matter for GPUs."""


@dataclass(frozen=True)
class RunRequest:
    """Everything a runner would send for one cell: a value, printable and testable with no engine at hand."""

    cell_id: str
    name: str
    """Deterministic from run, cell and attempt, so that a lost answer can be looked up."""
    payload: Mapping[str, Any]
    """What is submitted: the engine's create body, or the process to start."""
    plan: ProbePlan = field(repr=False)
    deadline_seconds: float = 0.0
    keep: bool = False
    attempt: int = 1


@dataclass(frozen=True)
class RunOutcome:
    """What came back from running one request."""

    report: ProbeReport
    exit_code: int | None = None
    """Exit status; 128+N for signal N; None when it never ran or the engine lost it."""
    timed_out: bool = False
    oom_killed: bool = False
    start_problem: str | None = None
    """The engine's words when the environment could not be started."""
    engine_problem: str | None = None
    """Why the engine's answer is missing, when it is: the cell is then an error, not a verdict."""
    transient: bool = False
    """Whether the trouble is of the machine and may be gone in a moment (the engine restarted, the GPU was away), so that the
    cell is tried again. Never so of anything that the environment itself did."""
    stuck: bool = False
    """Whether what was started could not be ended: the GPU it holds cannot be used again in this run."""
    stderr: str = ""
    """Cleaned, bounded tail."""
    start_seconds: float | None = None
    probe_seconds: float | None = None


class Runner(Protocol):
    """Makes environments ready and runs probes in them. Small on purpose."""

    name: str
    contained: bool
    """Whether environments run in containers, so that the rules about containers hold for all of them: what an image requires
    of the driver, which libraries of the driver are brought inside."""

    def host(self) -> HostInfo:
        """The machine that cells are measured on. What cannot be read of it is stated, never raised."""

    def supports(self, environment: Environment) -> str | None:
        """Why this runner cannot run that environment, or None when it can."""

    def prepare(self, environment: Environment, on_line: OnLine) -> Prepared:
        """Make the environment ready; several at once, each in a thread of its own.

        Raises AcquireError, EngineUnavailableError, or InterruptedRunError once the run's ``stop`` is asked.
        """

    def discard(self, prepared: Prepared) -> None:
        """Throw an environment away that this run made ready and needs no more. Says nothing where it cannot."""

    def request(self, cell: Cell, prepared: Prepared, *, share: Share = WHOLE, attempt: int = 1) -> RunRequest:
        """The request for a cell: pure but for its fresh nonce."""

    def run(self, request: RunRequest, on_event: OnEvent, gate: Gate = OPEN) -> RunOutcome:
        """Run a request to its end, or until the run's ``stop`` says now; several at once, each in a thread of its own.

        Whatever was started is gone when this returns or raises, unless it is to be kept or is ``stuck``.
        Raises InterruptedRunError.
        """

    def rejoin(self, request: RunRequest, on_event: OnEvent, gate: Gate = OPEN) -> RunOutcome | None:
        """Go on with what an earlier process started for this very request, and read it to its end; None where it is not there
        any more. Raises InterruptedRunError."""

    def close(self) -> None:
        """Close connections."""


class RunnerFactory(Protocol):
    """How a runner's module makes it."""

    def __call__(self, matrix: Matrix, context: RunContext) -> Runner:
        """Make a runner for this matrix; must not fail because an engine is absent."""


def asked(environment: Environment) -> dict[str, str | None]:
    """What the matrix says is inside an environment, as the probe is told of it."""
    return {"torch": environment.torch, "cuda": environment.cuda, "python": environment.python}


def probe_plan(cell: Cell, matrix: Matrix, scratch: str | None = None) -> ProbePlan:
    """What the probe is told to do for a cell, under a fresh nonce."""
    inspecting = cell.action is Action.INSPECT
    selected = checks.selected(matrix.levels, inspect=inspecting, model=matrix.model is not None)
    return ProbePlan(
        nonce=probe_host.new_nonce(),
        checks=tuple(checks.in_short(selected) if matrix.quick else selected),
        device="none" if inspecting else "cuda" if cell.gpu else "cpu",
        host_gpu=cell.gpu,
        deadline_seconds=matrix.limits.timeout_seconds,
        scratch=scratch,
        asked=asked(cell.environment),
        quick=matrix.quick,
        model=matrix.model,
        turns=True,
    )
