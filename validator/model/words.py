"""The words that values are made of: statuses, how a thing is known, levels, severities, metrics."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum

#: What a probe may report as a metric: bounded, finite, and nothing nested deeper than a list (enforced by probe_host).
Metric = str | int | float | bool | None | list[str | int | float | bool | None]
Metrics = Mapping[str, Metric]


class Status(str, Enum):
    """What is known of a cell. ``skip`` and ``error`` are never green."""

    PASS = "pass"  # noqa: S105
    DEGRADED = "degraded"
    FAIL = "fail"
    ERROR = "error"
    SKIP = "skip"

    @property
    def works(self) -> bool:
        """Whether it trains, with or without a flaw."""
        return self in (Status.PASS, Status.DEGRADED)

    @property
    def is_fact(self) -> bool:
        """Whether it says something of the combination: it works, or it does not."""
        return self.works or self is Status.FAIL


class Basis(str, Enum):
    """How we know it, from weakest to strongest."""

    PREDICTED = "predicted"
    INSPECTED = "inspected"
    MEASURED = "measured"


class Level(str, Enum):
    """How much a check counts for the status of its cell."""

    REQUIRED = "required"
    ADVISORY = "advisory"
    SKIP = "skip"


class CheckStatus(str, Enum):
    """What one check found."""

    PASS = "pass"  # noqa: S105
    WARN = "warn"
    FAIL = "fail"
    SKIP = "skip"


class Action(str, Enum):
    """What a run will do for a cell."""

    MEASURE = "measure"
    INSPECT = "inspect"
    SKIP = "skip"


class Severity(str, Enum):
    """What a finding means for its cell, the gravest first: what is not known outweighs a known flaw."""

    FAIL = "fail"
    ERROR = "error"
    UNKNOWN = "unknown"
    DEGRADED = "degraded"
    INFO = "info"

    rank: int
    """Its place in that order; 0 is the gravest."""

    def __init__(self, _: str) -> None:
        self.rank = len(type(self).__members__)  # a plain attribute: findings are sorted by it in every cell of a plan


class Outlook(str, Enum):
    """What rules say of an environment on a target. ``unknown`` is an answer: the facts do not reach that far."""

    PASS = "pass"  # noqa: S105
    DEGRADED = "degraded"
    FAIL = "fail"
    UNKNOWN = "unknown"

    @property
    def works(self) -> bool:
        """Whether it is expected to train, with or without a flaw."""
        return self in (Outlook.PASS, Outlook.DEGRADED)


#: Stands for the ident of a cause where none could be named.
UNKNOWN_CAUSE = "unknown"


class BusyPolicy(str, Enum):
    """What is done with a GPU that others use."""

    WAIT = "wait"
    RUN = "run"
    ERROR = "error"
