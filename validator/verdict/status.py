"""The truth table: the one place where pass, degraded, fail and error are told apart. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from validator.base.text import one_line
from validator.model import Action, Basis, Cell, CheckResult, CheckStatus, Content, Level, Mismatch, Status
from validator.probe_host import TOTAL_DEADLINE
from validator.runners.base import Prepared, RunOutcome
from validator.verdict.content import sentence
from validator.verdict.judgement import Verdict
from validator.verdict.start import last_line, no_interpreter, not_started, refused


def verdict_of(
    cell: Cell,
    prepared: Prepared,
    outcome: RunOutcome,
    checks: Sequence[CheckResult],
    content: Content,
    mismatches: Sequence[Mismatch],
) -> Verdict:
    """In this order; the first that holds decides.

    =============================================================  ========
    the engine went away, or its answer is missing                 error
    NVIDIA's container hook: the driver is not what is required    fail
    the interpreter is not in the image                            fail
    the environment could not be started for another reason        error
    a required check failed, by a valid event                      fail
    no valid end, an invalid event, a bad exit, the time was up    error
    opened only (``inspect``)                                      skip
    content is not what the matrix calls it                        degraded
    a required check was skipped                                   degraded
    a check warned, or an advisory one failed                      degraded
    otherwise                                                      pass
    =============================================================  ========

    A failed check stands before an incomplete answer: it was measured, and what came after cannot undo it.
    """
    report = outcome.report
    basis = Basis.INSPECTED if cell.action is Action.INSPECT else Basis.MEASURED
    seen = basis if checks else None

    if outcome.engine_problem:
        return Verdict(Status.ERROR, seen, outcome.engine_problem)
    if outcome.start_problem:
        return not_started(cell, prepared, basis, outcome.start_problem)
    if not report.started and refused(cell, outcome):
        return no_interpreter(cell, basis, last_line(outcome.stderr))

    failed = [check for check in checks if check.status is CheckStatus.FAIL]
    for check in failed:
        if check.level is Level.REQUIRED and not _out_of_time(check):
            memory = "; the memory limit was reached" if outcome.oom_killed else ""
            return Verdict(Status.FAIL, basis, f"{check.name}: {_in_short(check)}{memory}")
    if problem := _untrustworthy(cell, prepared, outcome):
        return Verdict(Status.ERROR, seen, problem)
    late = next((check for check in failed if _out_of_time(check)), None)
    not_held = (CheckStatus.FAIL, CheckStatus.SKIP)
    if late and any(check.level is Level.REQUIRED and check.status in not_held for check in checks):
        return Verdict(Status.ERROR, basis, f"{late.name} was still running at the {late.died}; raise limits.timeout")

    if cell.action is Action.INSPECT:
        torch = next((check.message for check in checks if check.name == "import"), "nothing was read")
        code = f"; has code for {' '.join(content.arch_list)}" if content.arch_list else ""
        return Verdict(Status.SKIP, basis, one_line(f"opened, not trained: {torch}{code}", 400))
    if mismatches:
        return Verdict(Status.DEGRADED, basis, sentence(mismatches[0]))
    for check in checks:
        if check.status is CheckStatus.SKIP and check.level is Level.REQUIRED:
            return Verdict(Status.DEGRADED, basis, f"{check.name} not run: {check.message}")
    for check in checks:
        if check.status in (CheckStatus.WARN, CheckStatus.FAIL):
            return Verdict(Status.DEGRADED, basis, f"{check.name}: {_in_short(check)}")
    return Verdict(Status.PASS, basis, _passed(checks))


def _untrustworthy(cell: Cell, prepared: Prepared, outcome: RunOutcome) -> str | None:
    """Why what came back proves nothing, or None when it is whole."""
    report = outcome.report
    if outcome.timed_out:
        doing = f" during {report.running}" if report.running else ""
        return f"killed{doing}: no end within limits.timeout and its grace"
    if report.violations:
        return f"the probe's answer broke its protocol: {one_line(report.violations[0])}"
    if not report.started:
        last = last_line(outcome.stderr) or last_line(report.stray)
        said = f"; it said: {last}" if last else ""
        hint = ""
        if prepared.entrypoint and cell.environment.keep_entrypoint:
            hint = f"; the image's entrypoint ({one_line(' '.join(prepared.entrypoint), 60)}) may not pass the command on: "
            hint += "`entrypoint: none` goes without it"
        elif outcome.exit_code == 0 and not last:
            hint = "; is what was started a Python interpreter?"
        return f"no answer from the probe (exit status {outcome.exit_code}){said}{hint}"
    if not report.complete:
        where = f" during {report.running}" if report.running else ""
        memory = "; the memory limit was reached" if outcome.oom_killed else ""
        return f"the probe ended without its final event{where} (exit status {outcome.exit_code}){memory}"
    if outcome.exit_code != 0:
        return f"the probe reported everything, yet exited with status {outcome.exit_code}"
    return None


def _out_of_time(check: CheckResult) -> bool:
    """Whether the run's total deadline ended it, which says nothing of the check itself."""
    return bool(check.died and check.died.startswith(TOTAL_DEADLINE))


def _passed(checks: Sequence[CheckResult]) -> str:
    held = [check.name for check in checks if check.status is CheckStatus.PASS]
    trained = [name.removeprefix("train_") for name in held if name.startswith("train_")]
    if "model" in held:
        trained.append("your model")
    return f"trains: {', '.join(trained)}" if trained else "all checks hold"


def _in_short(check: CheckResult) -> str:
    died = f" ({check.died})" if check.died and check.died not in check.message else ""
    return one_line(check.message, 300) + died
