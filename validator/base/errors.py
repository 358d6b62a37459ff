"""One tree of errors; each class carries the exit code that the command line ends with.

A message says three things, in this order: what is wrong and where, why it is wrong, and what to do about it.
"""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """The exit codes of every command (click owns 2 for usage errors)."""

    OK = 0
    FAILED = 1
    USAGE = 2
    INVALID_INPUT = 3
    NOT_FOUND_OUT = 4
    NOTHING_SELECTED = 5
    INTERRUPTED = 130
    TERMINATED = 143


class ValidatorError(Exception):
    """Base of all errors this package raises on purpose; anything else that escapes is a defect."""

    exit_code = ExitCode.NOT_FOUND_OUT
    cause: str | None = None
    """Ident of the catalogue's cause, for an error that stands for one."""

    def __init__(self, what: str, *, why: str = "", hint: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.why = why
        self.hint = hint

    def __str__(self) -> str:
        parts = [self.what]
        if self.why:
            parts.append(f"  why: {self.why}")
        if self.hint:
            parts.append(f"  try: {self.hint}")
        return "\n".join(parts)


class InvalidInputError(ValidatorError):
    """A file or value the user gave cannot be used."""

    exit_code = ExitCode.INVALID_INPUT


class MatrixError(InvalidInputError):
    """matrix.yaml is wrong; ``what`` begins with ``file:line:``."""


class EmptyFileError(MatrixError):
    """There is not one value in a YAML file."""


class ReportFileError(InvalidInputError):
    """A results.json cannot be read or is not one of ours."""


class NothingSelectedError(ValidatorError):
    """The globs given with -e or -t match no cell."""

    exit_code = ExitCode.NOTHING_SELECTED


class EngineUnavailableError(ValidatorError):
    """No container engine answers, or the one that did has stopped answering."""


class AcquireError(ValidatorError):
    """An environment could not be made: pull refused, build failed, no such wheel. Never a fact about the combination."""

    def __init__(self, what: str, *, why: str = "", hint: str = "", transient: bool = False) -> None:
        super().__init__(what, why=why, hint=hint)
        self.transient = transient
        """Whether the trouble may be gone in a moment (429, 5xx, a connection that broke), so that it is tried again."""


class InterruptedRunError(ValidatorError):
    """Work was given up because the run is to end."""

    exit_code = ExitCode.INTERRUPTED


class StoreError(ValidatorError):
    """The results folder cannot be written or read."""


class StoreFullError(StoreError):
    """There is no more room for the results folder: a full disk, a quota. What was kept before stays."""
