"""What a check concluded, for the tests of the probe."""

from __future__ import annotations

from typing import Any

from validator.catalogue.causes import catalogue


def verdict(result: Any) -> tuple[str, str | None]:
    """Status and cause; a cause must be one of the catalogue."""
    cause = result.metrics.get("cause")
    assert cause is None or cause in catalogue()
    assert result.message
    return result.status, cause
