"""Asks the rules about one cell given as plain words."""

from __future__ import annotations

from typing import Any

from validator.facts import load
from validator.model import Finding, Outlook, Prediction
from validator.rules import Inspected, Place, Subject, judge

_PLACE = {"gpu", "driver", "is_container", "open_kernel_modules", "has_gpu"}
_INSIDE = set(Inspected.__dataclass_fields__)


def predict(inside: dict[str, Any] | None = None, **words: Any) -> Prediction:
    """The prediction for one subject and place; ``cc`` is the compute capability, ``inside`` what was read in the image."""
    if "cc" in words:
        words["compute_capability"] = words.pop("cc")
    place = {name: words.pop(name) for name in list(words) if name in _PLACE or name == "compute_capability"}
    inspected = Inspected(**inside) if inside is not None else None
    return judge(Subject(**words, inspected=inspected), Place(**place), load())


def status_of(**words: Any) -> Outlook:
    """Its status."""
    return predict(**words).status


def causes(**words: Any) -> tuple[str, ...]:
    """Its causes."""
    return predict(**words).causes


def finding(cause: str, **words: Any) -> Finding:
    """Its finding of one cause; fails where there is none."""
    prediction = predict(**words)
    found = [row for row in prediction.findings if row.cause == cause]
    assert found, f"no {cause} among {prediction.causes}; missing: {prediction.missing}"
    return found[0]
