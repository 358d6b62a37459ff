"""Words of engines, shells and kernels that refused to start a program: a fact about the image, or their own trouble."""

from __future__ import annotations

import re

from validator.base.text import one_line
from validator.model import Basis, Cell, Status
from validator.runners.base import Prepared, RunOutcome
from validator.verdict.judgement import Verdict

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


def not_started(cell: Cell, prepared: Prepared, basis: Basis, words: str) -> Verdict:
    """The verdict on an environment that an engine did not start, from the engine's words."""
    if shut := _GATE_SHUT.search(words):
        said = one_line(shut.group(1), 200).removesuffix(": unknown")
        return Verdict(Status.FAIL, basis, f"NVIDIA's container toolkit does not start this image on this driver: {said}")
    programs = (cell.environment.python_command, prepared.handle, *prepared.entrypoint[:1])
    if any(_names(words, program) for program in programs) and not _ENGINES_OWN.search(words):
        return no_interpreter(cell, basis, words)
    return Verdict(Status.ERROR, None, f"could not be started: {one_line(words, 300)}")


def refused(cell: Cell, outcome: RunOutcome) -> bool:
    """Whether the started container itself says that the interpreter cannot be run in it."""
    by_shell = outcome.exit_code in _SHELL_CANNOT_RUN and _names(outcome.stderr, cell.environment.python_command)
    return bool(by_shell or _KERNEL_REFUSED.search(outcome.stderr))


def _names(words: str, program: str) -> bool:
    """Whether a line says of that very program that it cannot be run. Devices, mounts and shims are not found either."""
    name = re.compile(rf"(?<![\w.-]){re.escape(program)}(?![\w.-])")
    return any(_NOT_RUNNABLE.search(line) and name.search(line) for line in words.splitlines())


def no_interpreter(cell: Cell, basis: Basis, words: str) -> Verdict:
    """The verdict on an image whose interpreter is absent, or cannot be run."""
    command = cell.environment.python_command
    said = one_line(words, 300)
    return Verdict(Status.FAIL, basis, f"no {command} to run in this environment: {said}; `python_command:` names another")


def last_line(text: str) -> str:
    """The last line that says something; empty where none does."""
    return next((one_line(line) for line in reversed(text.splitlines()) if line.strip()), "")
