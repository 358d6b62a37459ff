"""From what came back to the status of a cell. Pure; the one place where pass, degraded, fail and error are told apart."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from packaging.version import InvalidVersion, Version

from validator.base.text import one_line
from validator.base.versions import Dotted
from validator.model import (
    Action,
    Basis,
    Cell,
    CellResult,
    CheckResult,
    CheckStatus,
    Content,
    Environment,
    Level,
    Metric,
    Seconds,
    Status,
)
from validator.probe_host import TOTAL_DEADLINE, CheckEvent
from validator.runners.base import Prepared, RunOutcome

#: What engines and shells say when the interpreter is not in the image, or cannot be run there. That is a fact about the image;
#: every other failure to start is the engine's, and so an error.
_NOT_RUNNABLE = re.compile(
    r"executable file not found|no such file or directory|exec format error|not found in \$PATH|: not found",
    re.IGNORECASE,
)
#: Words of an engine that could not do its own part: they too end in "no such file or directory", and say nothing of the image.
_ENGINES_OWN = re.compile(
    r"nvidia-|libnvidia|hook|mount|shared object|OCI runtime error \(open|exec: \"[^\"]*\b(?:runc|crun)\"", re.IGNORECASE
)
#: NVIDIA's hook compared what the image requires (NVIDIA_REQUIRE_CUDA) with the driver, and refused: a fact about the two.
_GATE_SHUT = re.compile(r"nvidia-container-cli: requirement error: (unsatisfied condition: .*)", re.IGNORECASE)
#: Exit codes by which a shell (as in an image's entrypoint) says "cannot execute" and "not found".
_SHELL_CANNOT_RUN = (126, 127)
#: What the last step of a container's start leaves on its stderr when the kernel refuses the program: built for another
#: processor, or its loader is not in the image. The exit status that goes with it differs between versions (1, 255).
_KERNEL_REFUSED = re.compile(r"^exec [^:\n]+: (?:exec format error|no such file or directory)$", re.MULTILINE)


@dataclass(frozen=True)
class Verdict:
    """A status, how it is known, and why, in one line."""

    status: Status
    basis: Basis | None
    reason: str


def judge(cell: Cell, prepared: Prepared, outcome: RunOutcome, levels: Mapping[str, Level]) -> CellResult:
    """The result of a cell that ran."""
    checks = tuple(_result(event, levels) for event in outcome.report.checks)
    content = _content(checks, prepared, outcome.report.facts)
    mismatches = _mismatches(cell.environment, content)
    verdict = _verdict(cell, prepared, outcome, checks, mismatches)
    return CellResult(
        id=cell.id,
        environment=cell.environment,
        target=cell.target,
        status=verdict.status,
        basis=verdict.basis,
        reason=verdict.reason,
        checks=checks,
        content=content,
        digest=prepared.digest,
        notes=(*prepared.notes, *(text for text in mismatches if text != verdict.reason)),
        seconds=Seconds(
            acquire=prepared.seconds,
            start=outcome.start_seconds,
            probe=outcome.probe_seconds,
            total=prepared.seconds + (outcome.start_seconds or 0.0) + (outcome.probe_seconds or 0.0),
        ),
        expect=cell.expect,
        predicted=cell.predicted,
        log_tail="\n".join(part for part in (outcome.report.stray, outcome.stderr) if part),
    )


def _verdict(
    cell: Cell,
    prepared: Prepared,
    outcome: RunOutcome,
    checks: Sequence[CheckResult],
    mismatches: Sequence[str],
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
        return _not_started(cell, prepared, basis, outcome.start_problem)
    if not report.started and _refused(cell, outcome):
        return _no_interpreter(cell, basis, _last_line(outcome.stderr))

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
        arch = _content(checks, prepared, report.facts).arch_list
        code = f"; has code for {' '.join(arch)}" if arch else ""
        return Verdict(Status.SKIP, basis, one_line(f"opened, not trained: {torch}{code}", 400))
    if mismatches:
        return Verdict(Status.DEGRADED, basis, mismatches[0])
    for check in checks:
        if check.status is CheckStatus.SKIP and check.level is Level.REQUIRED:
            return Verdict(Status.DEGRADED, basis, f"{check.name} not run: {check.message}")
    for check in checks:
        if check.status in (CheckStatus.WARN, CheckStatus.FAIL):
            return Verdict(Status.DEGRADED, basis, f"{check.name}: {_in_short(check)}")
    return Verdict(Status.PASS, basis, _passed(checks))


def _not_started(cell: Cell, prepared: Prepared, basis: Basis, words: str) -> Verdict:
    if shut := _GATE_SHUT.search(words):
        said = one_line(shut.group(1), 200).removesuffix(": unknown")
        return Verdict(Status.FAIL, basis, f"NVIDIA's container toolkit does not start this image on this driver: {said}")
    programs = (cell.environment.python_command, prepared.handle, *prepared.entrypoint[:1])
    if any(_names(words, program) for program in programs) and not _ENGINES_OWN.search(words):
        return _no_interpreter(cell, basis, words)
    return Verdict(Status.ERROR, None, f"could not be started: {one_line(words, 300)}")


def _refused(cell: Cell, outcome: RunOutcome) -> bool:
    """Whether the started container itself says that the interpreter cannot be run in it."""
    by_shell = outcome.exit_code in _SHELL_CANNOT_RUN and _names(outcome.stderr, cell.environment.python_command)
    return bool(by_shell or _KERNEL_REFUSED.search(outcome.stderr))


def _names(words: str, program: str) -> bool:
    """Whether a line says of that very program that it cannot be run. Devices, mounts and shims are not found either."""
    name = re.compile(rf"(?<![\w.-]){re.escape(program)}(?![\w.-])")
    return any(_NOT_RUNNABLE.search(line) and name.search(line) for line in words.splitlines())


def _no_interpreter(cell: Cell, basis: Basis, words: str) -> Verdict:
    command = cell.environment.python_command
    said = one_line(words, 300)
    return Verdict(Status.FAIL, basis, f"no {command} to run in this environment: {said}; `python_command:` names another")


def _untrustworthy(cell: Cell, prepared: Prepared, outcome: RunOutcome) -> str | None:
    """Why what came back proves nothing, or None when it is whole."""
    report = outcome.report
    if outcome.timed_out:
        doing = f" during {report.running}" if report.running else ""
        return f"killed{doing}: no end within limits.timeout and its grace"
    if report.violations:
        return f"the probe's answer broke its protocol: {one_line(report.violations[0])}"
    if not report.started:
        last = _last_line(outcome.stderr) or _last_line(report.stray)
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
        return f"the probe reported to its end, and yet exited with status {outcome.exit_code}"
    return None


def _out_of_time(check: CheckResult) -> bool:
    """Whether the run's total deadline ended it, which says nothing of the check itself."""
    return bool(check.died and check.died.startswith(TOTAL_DEADLINE))


def _result(event: CheckEvent, levels: Mapping[str, Level]) -> CheckResult:
    return CheckResult(
        name=event.name,
        status=event.status,
        level=levels[event.name],
        message=event.message,
        seconds=event.seconds,
        metrics=event.metrics,
        died=event.died,
        output=event.output,
    )


def _content(checks: Sequence[CheckResult], prepared: Prepared, facts: Mapping[str, Metric]) -> Content:
    """What the probe read inside, over what the engine says of the image."""
    metrics: Mapping[str, Metric] = next((check.metrics for check in checks if check.name == "import"), {})

    def text(name: str) -> str | None:
        value = metrics.get(name)
        return str(value) if isinstance(value, (str, int)) and not isinstance(value, bool) else None

    arch = metrics.get("arch_list")
    libc, platform = text("libc") or facts.get("libc"), facts.get("platform")
    return Content(
        torch=text("torch_version"),
        cuda=text("cuda_runtime"),
        python=text("python_version"),
        arch_list=tuple(str(item) for item in arch) if isinstance(arch, list) else (),
        libc=libc if isinstance(libc, str) else None,
        numpy=text("numpy_version"),
        cudnn=text("cudnn_version"),
        platform=platform if isinstance(platform, str) else prepared.image.platform,
        variables=prepared.image.variables,
        labels=prepared.image.labels,
        compat_driver=text("compat_driver"),
        from_image=prepared.image.from_image,
    )


def _mismatches(environment: Environment, content: Content) -> tuple[str, ...]:
    """Where what is inside is not what the matrix calls it, a sentence each."""
    found = []
    if content.torch is None:
        return ()
    if environment.torch and not _same_torch(environment.torch, content.torch):
        found.append(f"the matrix says torch {environment.torch}, inside is {content.torch}")
    if environment.is_cpu and content.cuda:
        found.append(f"the matrix says cpu, inside is a build for CUDA {content.cuda}")
    elif environment.cuda and not environment.is_cpu and not _same_cuda(environment.cuda, content.cuda):
        found.append(f"the matrix says CUDA {environment.cuda}, inside is {content.cuda or 'a CPU build'}")
    if environment.python and content.python and not (content.python + ".").startswith(environment.python + "."):
        found.append(f"the matrix says Python {environment.python}, inside is {content.python}")
    return tuple(found)


def _same_torch(asked: str, found: str) -> bool:
    """The same release (``2.7`` is ``2.7.0``), whatever the build; a local part counts only where the matrix gives one."""
    try:
        inside, wanted = Version(found), Version(asked)
    except InvalidVersion:
        return asked == found
    return inside == wanted if wanted.local else Version(inside.public) == wanted


def _same_cuda(asked: str, found: str | None) -> bool:
    """Same major and minor; old releases of torch report more (``10.0.130``)."""
    if found is None:
        return False
    try:
        return _major_minor(asked) == _major_minor(found)
    except ValueError:
        return asked == found


def _major_minor(version: str) -> tuple[int, ...]:
    return (*Dotted(version).numbers, 0)[:2]


def _passed(checks: Sequence[CheckResult]) -> str:
    held = [check.name for check in checks if check.status is CheckStatus.PASS]
    trained = [name.removeprefix("train_") for name in held if name.startswith("train_")]
    if "model" in held:
        trained.append("your model")
    return f"trains: {', '.join(trained)}" if trained else "all checks hold"


def _in_short(check: CheckResult) -> str:
    died = f" ({check.died})" if check.died and check.died not in check.message else ""
    return one_line(check.message, 300) + died


def _last_line(text: str) -> str:
    return next((one_line(line) for line in reversed(text.splitlines()) if line.strip()), "")
