"""What an event of the probe may look like: one hostile line → checked, bounded, cleaned values, or EventRefused."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping
from typing import NoReturn

from validator.base.text import clean, one_line
from validator.model import CheckStatus, Metric, Metrics

#: Characters kept of what an environment printed.
OUTPUT_CHARS = 4000
_DEPTH = 4
_METRICS = 128
_VARIABLES = 64
_LIST_ITEMS = 256
_TEXT_CHARS = 1000
_METRIC_NAME = re.compile(r"[a-z0-9_.]{1,64}", re.ASCII)
_VARIABLE_NAME = re.compile(r"[A-Za-z0-9_]{1,100}", re.ASCII)


class EventRefused(ValueError):
    """A line is not an event; ``ours`` tells whether it carried our nonce."""

    def __init__(self, why: str, *, ours: bool = True) -> None:
        super().__init__(why)
        self.ours = ours


def parse(line: bytes) -> dict[str, object]:
    """One line as JSON, bounded in depth. Raises EventRefused."""
    try:
        document = json.loads(
            line.decode("ascii"), object_pairs_hook=_unique, parse_constant=_not_finite, parse_float=_float, parse_int=_int
        )
        depth = _depth(document)  # runs out of stack before the parser does
    except RecursionError:
        raise EventRefused("nested too deep") from None
    except EventRefused:
        raise
    except ValueError as error:
        raise EventRefused(f"not JSON in ASCII ({error})") from None
    if depth > _DEPTH:
        raise EventRefused("nested too deep")
    assert isinstance(document, dict)  # noqa: S101 - the line begins with a brace
    return document


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise EventRefused("a duplicate key")
    return result


def _not_finite(text: str) -> NoReturn:
    raise EventRefused(f"{text} is not JSON")


def _float(text: str) -> float:
    value = float(text)
    return value if math.isfinite(value) else _not_finite(text)


def _int(text: str) -> int:
    # Cut before converting: thousands of digits take long to convert, and newer Pythons refuse them in their own words.
    return integer(int(text[:24]))


def _depth(value: object) -> int:
    if isinstance(value, dict):
        return 1 + max(map(_depth, value.values()), default=0)
    return 1 + max(map(_depth, value), default=0) if isinstance(value, list) else 0


def integer(value: object) -> int:
    """An integer that fits into 64 bits with its sign. Raises EventRefused."""
    if not isinstance(value, int) or isinstance(value, bool) or not -(2**63) <= value < 2**63:
        raise EventRefused("not an integer of 64 bits")
    return value


def _seconds(value: object) -> float:
    if not isinstance(value, (int, float)) or isinstance(value, bool) or value < 0:
        raise EventRefused("not a number of seconds")
    return float(value)


def _text(limit: int) -> Callable[[object], str]:
    def check(value: object) -> str:
        if not isinstance(value, str):
            raise EventRefused("not a text")
        return one_line(value, limit)

    return check


def _output(value: object) -> str:
    if not isinstance(value, str):
        raise EventRefused("not a text")
    return clean(value, OUTPUT_CHARS)


def _died(value: object) -> str | None:
    return None if value is None else _text(200)(value)


def _names(value: object) -> list[str]:
    if not isinstance(value, list) or len(value) > _LIST_ITEMS:
        raise EventRefused("not a list of names")
    return [_text(100)(item) for item in value]


def _status(value: object) -> CheckStatus:
    try:
        return CheckStatus(value)
    except ValueError:
        raise EventRefused("unknown status") from None


def _variables(value: object) -> dict[str, str]:
    if not isinstance(value, dict) or len(value) > _VARIABLES or not all(map(_VARIABLE_NAME.fullmatch, value)):
        raise EventRefused("not environment variables")
    return {key: _text(_TEXT_CHARS)(item) for key, item in value.items()}


def _metrics(value: object) -> Metrics:
    if not isinstance(value, dict) or len(value) > _METRICS or not all(map(_METRIC_NAME.fullmatch, value)):
        raise EventRefused("not metrics")
    return {key: _metric(item) for key, item in value.items()}


def _metric(value: object) -> Metric:
    if isinstance(value, list):
        if len(value) > _LIST_ITEMS:
            raise EventRefused("a metric of too many values")
        return [_scalar(item) for item in value]
    return _scalar(value)


def _scalar(value: object) -> str | int | float | bool | None:
    if isinstance(value, str):
        if len(value) > _TEXT_CHARS:
            raise EventRefused("a metric of too long a text")
        return clean(value)
    if value is None or isinstance(value, (bool, int, float)):
        return value
    raise EventRefused("a metric nested too deep")


#: The fields of every event, each with what reads and bounds it.
SCHEMA: Mapping[str, Mapping[str, Callable[[object], object]]] = {
    "start": {
        "protocol": integer,
        "python": _text(_TEXT_CHARS),
        "executable": _text(_TEXT_CHARS),
        "platform": _text(_TEXT_CHARS),
        "libc": _text(_TEXT_CHARS),
        "environment": _variables,
        "checks": _names,
    },
    "worker-start": {"worker": integer, "pid": integer},
    "turn": {"check": _text(100)},
    "check-start": {"check": _text(100), "worker": integer},
    "check-end": {
        "check": _text(100),
        "status": _status,
        "message": _text(2000),
        "seconds": _seconds,
        "metrics": _metrics,
        "died": _died,
        "output": _output,
    },
    "end": {"seconds": _seconds, "checks": integer},
}
