"""How a run is to go: its options, and the values they stand for."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, fields
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any, TypeVar, cast

import click

from validator.model import BusyPolicy

if TYPE_CHECKING:
    from validator.run.guard import Guard
    from validator.run.settings import Settings

_F = TypeVar("_F", bound=Callable[..., Any])
#: The most environments that are made ready at once unless --jobs says otherwise: more only share the network.
_JOBS = 4
#: Processors that a cell on the CPU should have: with fewer the longer checks come close to their deadlines.
_CPUS_EACH = 4


class _Duration(click.ParamType):  # type: ignore[type-arg]  # generic in newer click only
    """Seconds, written ``90s``, ``10m``, ``1h30m`` or ``7d``."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        from validator.matrix.values import duration

        if isinstance(value, float):
            return value
        text = str(value)
        try:
            return int(text[:-1]) * 86400.0 if text[-1:] == "d" and text[:-1].isdecimal() else duration(text)
        except ValueError as error:
            self.fail(str(error), param, ctx)


class _Shard(click.ParamType):  # type: ignore[type-arg]  # as above
    """``2/4``: the second of four parts."""

    name = "shard"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, int]:
        if isinstance(value, tuple):
            return value
        part, slash, parts = str(value).partition("/")
        if slash and part.isdecimal() and parts.isdecimal() and 1 <= int(part) <= int(parts):
            return int(part), int(parts)
        self.fail(f"{value!r} is not I/N with 1 ≤ I ≤ N, such as 2/4", param, ctx)


@dataclass(frozen=True)
class Running:
    """What the options say of how a run goes."""

    jobs: int | None
    busy: str
    busy_limit: float
    fail_fast: bool
    max_failures: int | None
    rerun_failed: bool
    quick: bool
    shard: tuple[int, int] | None
    fresh: bool
    max_age: float | None
    resume: str | None
    """A run's id, empty for the last one; None for a new run."""
    prune: bool
    keep: bool
    require_patched: bool

    def settings(self, facts: str) -> Settings:
        """How many at once, how often, how long; ``facts`` stands for the user's own facts."""
        from validator.run.settings import Settings

        cpus = tuple(sorted(os.sched_getaffinity(0))) if hasattr(os, "sched_getaffinity") else ()
        return Settings(
            jobs=self.jobs or min(_JOBS, max(1, len(cpus))),
            side_by_side=self.jobs or max(1, len(cpus) // _CPUS_EACH),
            cpus=cpus,
            max_failures=1 if self.fail_fast else self.max_failures,
            prune=self.prune,
            facts=facts,
        )

    def guard(self) -> Guard:
        """What keeps cells off GPUs that others use."""
        from validator.run.guard import Guard
        from validator.run.locks import GpuLocks

        return Guard(GpuLocks(), BusyPolicy(self.busy), self.busy_limit)

    @property
    def not_before(self) -> datetime | None:
        """The oldest moment of a result that is used again."""
        return datetime.now(timezone.utc) - timedelta(seconds=self.max_age) if self.max_age else None


def running_options(function: _F) -> _F:
    """The options of ``Running``, handed over as one value ``running``."""
    from functools import wraps


    @wraps(function)
    def with_value(*args: Any, **options: Any) -> Any:
        values = {field.name: options.pop(field.name) for field in fields(Running)}
        return function(*args, running=Running(**values), **options)

    made: Any = with_value
    for option in reversed(
        [
            click.option(
                "-j",
                "--jobs",
                type=click.IntRange(1, 256),
                metavar="N",
                help="Environments made ready at once, and cells run side by side on the CPU, each on its share of it. Default: "
                f"up to {_JOBS} environments, one cell for every {_CPUS_EACH} processors. A GPU always has one cell.",
            ),
            click.option(
                "--busy",
                type=click.Choice([policy.value for policy in BusyPolicy]),
                default=BusyPolicy.WAIT.value,
                show_default=True,
                help="A GPU that other processes use: wait for it, run beside them (and say so in the table), or error.",
            ),
            click.option(
                "--busy-limit", type=_Duration(), default="1h", show_default=True, help="How long such a GPU is waited for."
            ),
            click.option("--fail-fast", is_flag=True, help="Begin nothing new after the first cell that fails."),
            click.option("--max-failures", type=click.IntRange(1), metavar="N", help="Begin nothing new after N failed cells."),
            click.option("--rerun-failed", is_flag=True, help="Only what failed or was an error the last time."),
            click.option("--quick", is_flag=True, help="The short probe: fewer steps, a smaller net."),
            click.option("--shard", type=_Shard(), metavar="I/N", help="Only the I-th of N parts of the environments."),
            click.option("--fresh", is_flag=True, help="Measure everything, also what an earlier run measured alike."),
            click.option("--max-age", type=_Duration(), metavar="DURATION", help="Use no results again that are older: 12h, 7d."),
            click.option(
                "--resume",
                is_flag=False,
                flag_value="",
                metavar="[RUN]",
                help="Take up a run that was killed or interrupted, as it was begun; without an id the last one of this matrix.",
            ),
            click.option("--prune", is_flag=True, help="Remove each image that this run pulled once its cells are through."),
            click.option(
                "--keep", is_flag=True, help="Leave the containers in place, to look at (`validator clean` removes them)."
            ),
            click.option(
                "--require-patched",
                is_flag=True,
                help="Refuse to run on a container stack with known holes, instead of warning of it.",
            ),
        ]
    ):
        made = option(made)
    return cast(_F, made)
