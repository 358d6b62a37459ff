"""What a change would do to the matrix: the answer of ``validator upgrade``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from validator.model import causes_of, gravest
from validator.report.answers import formats, prediction

if TYPE_CHECKING:
    from validator.advice.upgrading import Affected, Change, Effect

#: Cells named behind one reason.
_NAMED = 4


@dataclass(frozen=True)
class Upgraded:
    """Every cell with what the change does to it, and what was asked."""

    change: Change
    cells: tuple[Affected, ...]
    remarks: tuple[str, ...]
    run_id: str | None = None
    """The earlier run that was the baseline, where one was given."""


def as_json(answer: Upgraded) -> dict[str, Any]:
    """Every cell, before and after."""
    from validator.advice.upgrading import Effect

    return {
        "change": {name: value for name, value in asdict(answer.change).items() if value is not None},
        "remarks": list(answer.remarks),
        "summary": {effect.value: sum(each.effect is effect for each in answer.cells) for effect in Effect},
        "cells": [
            {
                "id": each.id,
                "effect": each.effect.value,
                "reason": each.reason,
                "before": {"verdict": each.before.value, "basis": each.basis.value},
                "after": prediction.as_json(each.after),
            }
            for each in answer.cells
        ],
    }


def as_text(answer: Upgraded, _width: int) -> str:
    """By effect, what stops working first; then by reason."""
    from validator.advice.upgrading import Effect

    baseline = f"what run {answer.run_id} measured, else what is predicted" if answer.run_id else "what is predicted"
    lines = [f"With {answer.change} (compared with {baseline}):", ""]
    for effect in (Effect.STOPS, Effect.STARTS, Effect.UNKNOWN, Effect.NONE):
        found = [each for each in answer.cells if each.effect is effect]
        lines.append(f"{effect.value}: {len(found)} of {len(answer.cells)} cells")
        lines += _reasons(found, effect)
    lines += ["", *answer.remarks] if answer.remarks else []
    return "\n".join(lines)


def _reasons(found: Sequence[Affected], effect: Effect) -> list[str]:
    """The cells of one effect by what the rules say, the reason that holds for most of them first."""
    from validator.advice.upgrading import Effect

    groups: dict[tuple[str, str, tuple[str, ...]], list[str]] = {}
    for each in found:
        grave = gravest(each.after.findings) if effect is Effect.STOPS else ()
        reason = each.reason if effect is not Effect.NONE else f"{each.before.value} {each.basis.value} today"
        remedies = tuple(dict.fromkeys(finding.remedy for finding in grave if finding.remedy))
        groups.setdefault((causes_of(grave), reason, remedies), []).append(each.id)
    lines = []
    for (causes, reason, remedies), ids in sorted(groups.items(), key=lambda item: -len(item[1])):
        more = f" and {len(ids) - _NAMED} more" if len(ids) > _NAMED else ""
        lines.append(f"  {causes + ': ' if causes else ''}{reason}")
        if effect is not Effect.NONE:
            lines.append(f"    {', '.join(ids[:_NAMED])}{more}")
        else:
            lines[-1] += f": {len(ids)}"
        lines += [f"    try: {remedy}" for remedy in remedies]
    return lines


FORMATS = formats(as_text, as_json)
