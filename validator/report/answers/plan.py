"""The JSON of ``validator plan``; as a table it is a report like any other."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

from validator.base.text import clean_tree
from validator.model import Cell, CellResult, Prediction
from validator.report.answers import prediction
from validator.report.forecast import Forecast


def json_parts(forecast: Forecast, inline_cells: int | None = None) -> Iterator[str]:
    """Every cell as predicted, and what a run would do with it, made one cell at a time.

    More cells than ``inline_cells`` share what they have in common as they do in results.json: a number in place of a finding, of
    a sentence or of a cell's ``reason`` is its place in ``shared.findings`` or ``shared.texts``.
    """
    from validator.results.json_parts import object_parts
    from validator.results.shared import INLINE_CELLS, Sharing

    sharing = Sharing() if len(forecast.cells) > (INLINE_CELLS if inline_cells is None else inline_cells) else None
    pairs = list(zip(forecast.plan.cells, forecast.cells, strict=True))
    members: dict[str, str | Iterable[str]] = {
        "runner": _text(forecast.plan.runner),
        "runner_reason": _text(forecast.plan.runner_reason),
        "facts_as_of": _text(forecast.facts_as_of),
    }
    if sharing is not None:
        for cell, foretold in pairs:
            _cell(cell, foretold, sharing)  # every value finds its place before the first cell is written
        findings, texts = (sharing.tables[kind] for kind in ("findings", "texts"))
        members["shared"] = _text({"findings": list(map(prediction.finding_as_json, findings)), "texts": texts})
    members["cells"] = (_text(_cell(cell, foretold, sharing), lines=sharing is None) for cell, foretold in pairs)
    return object_parts(members.items())


def _cell(cell: Cell, foretold: CellResult, sharing: Any) -> dict[str, Any]:
    predicted = None
    if cell.predicted:
        predicted = prediction.as_json(cell.predicted) if sharing is None else _sharing(cell.predicted, sharing)
    return {
        "id": cell.id,
        "environment": cell.environment.id,
        "target": cell.target.id,
        "status": foretold.status.value,
        "predicted": predicted,
        "action": cell.action.value,
        "reason": cell.reason if sharing is None else sharing.place("texts", cell.reason),
        "gpu": cell.gpu.uuid if cell.gpu else None,
        "expect": cell.expect.value if cell.expect else None,
    }


def _sharing(predicted: Prediction, sharing: Any) -> dict[str, Any]:
    return {
        "verdict": predicted.status.value,
        "basis": predicted.basis.value,
        "findings": [sharing.place("findings", each) for each in predicted.findings],
        "assumptions": [sharing.place("texts", each.text) for each in predicted.assumptions],
        "missing": [sharing.place("texts", each.text) for each in predicted.missing],
    }


def _text(document: object, *, lines: bool = False) -> str:
    separators = None if lines else (",", ":")
    return json.dumps(clean_tree(document), indent=2 if lines else None, ensure_ascii=False, separators=separators)
