"""The values of this package: what a diagnosis is made from, and the diagnosis."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import BinaryIO

from validator.model import UNKNOWN_CAUSE, CheckResult, Content, NvmlInfo, Severity

#: A log as it comes: text, bytes in any encoding, a file opened in binary mode, or lines.
Log = str | bytes | BinaryIO | Iterable[str]


@dataclass(frozen=True)
class Evidence:
    """Everything known about one failure. Every field may stay empty; what is missing is not judged."""

    log: Log = ""
    """Untrusted text; read once, in bounded memory."""
    stated: Mapping[str, str] = field(default_factory=dict)
    """What is known about the environment, by name: ``torch``, ``cuda``, ``python``, ``gpu``, ``driver``, ``image``, ``os``,
    ``in_container`` (``true``/``false``), and anything else that a person states."""
    checks: tuple[CheckResult, ...] = ()
    """Checks of the probe; those that passed are ignored."""
    exit_code: int | None = None
    signal: str | None = None
    """The signal that ended the process: ``SIGKILL``, ``SIGSEGV`` …"""
    oom_killed: bool = False
    """Whether the engine or the kernel says that it was killed at its memory limit."""
    timed_out: bool = False
    engine_words: str = ""
    """What the container engine, a registry or a build printed when it failed."""
    nvml: NvmlInfo | None = None
    """What NVML says on the host."""
    content: Content | None = None
    """What was found inside the environment."""


@dataclass(frozen=True)
class Line:
    """One piece of evidence, made safe to show."""

    text: str
    line: int | None = None
    """Number of the line in the log, from 1; None for evidence from elsewhere."""
    source: str = "log"
    """``log``, ``engine``, ``check NAME``, ``exit``, ``nvml``, ``rules`` or ``stated``."""

    def __str__(self) -> str:
        where = f"line {self.line}" if self.line is not None else self.source
        return f"{where}: {self.text}"


@dataclass(frozen=True)
class Named:
    """A cause of the catalogue, with why it is named and what to do."""

    cause: str
    family: str
    title: str
    severity: Severity
    confidence: float
    """0 … 0.99; how firmly the evidence names it, considering what else it could be."""
    evidence: tuple[Line, ...]
    explanation: str
    remedy: str
    confirm: str
    """A command that confirms it; empty where there is none."""


class Unnamed(Enum):
    """Why no cause is named."""

    UNDECIDED = "nothing in this log names one"
    HEALTHY = "nothing in this log says that anything went wrong"
    EMPTY = "the log is empty"


@dataclass(frozen=True)
class Diagnosis:
    """The answer: causes, the likeliest first; or none, and the lines that say most."""

    causes: tuple[Named, ...] = ()
    informative: tuple[Line, ...] = ()
    """Where no cause is named: the lines a person would look at first, else the last ones."""
    unnamed: Unnamed | None = None
    """Why no cause is named, where none is."""
    lines: int = 0
    """How many lines the log has."""

    @property
    def cause(self) -> str:
        """The ident of the likeliest cause, or ``unknown``."""
        return self.causes[0].cause if self.causes else UNKNOWN_CAUSE

    @property
    def confidence(self) -> float:
        """That of the likeliest cause; 0 for unknown."""
        return self.causes[0].confidence if self.causes else 0.0
