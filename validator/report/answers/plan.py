"""The JSON of ``validator plan``; as a table it is a report like any other."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from validator.model import Cell, CellResult, Prediction
from validator.report.answers import prediction
from validator.report.forecast import Forecast


def json_parts(forecast: Forecast, inline_cells: int | None = None) -> Iterator[str]:
    """Every cell as predicted, and what a run would do with it, made one cell at a time.

    More cells than ``inline_cells`` share what they have in common as they do in results.json: a number in place of a finding, of
    a sentence or of a cell's ``reason`` is its place in ``shared.findings`` or ``shared.texts``.
    """
    from validator.results.json_parts import clean_json, object_parts
    from validator.results.shared import INLINE_CELLS, Sharing

    sharing = Sharing() if len(forecast.cells) > (INLINE_CELLS if inline_cells is None else inline_cells) else None
    pairs = list(zip(forecast.plan.cells, forecast.cells, strict=True))
    members: dict[str, str | Iterable[str]] = {
        "runner": clean_json(forecast.plan.runner, None),
        "runner_reason": clean_json(forecast.plan.runner_reason, None),
        "facts_as_of": clean_json(forecast.facts_as_of, None),
    }
    if sharing is not None:
        for cell, foretold in pairs:
            _cell(cell, foretold, sharing)  # every value finds its place before the first cell is written
        findings, texts = (sharing.tables[kind] for kind in ("findings", "texts"))
        members["shared"] = clean_json({"findings": list(map(prediction.finding_as_json, findings)), "texts": texts}, None)
    indent = 2 if sharing is None else None
    members["cells"] = (clean_json(_cell(cell, foretold, sharing), indent) for cell, foretold in pairs)
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
