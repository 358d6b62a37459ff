"""Names the cause of a failure, from structured evidence, messages, and the circumstances that decide between causes."""

from __future__ import annotations

from validator.diagnose.diagnosis import diagnose
from validator.diagnose.evidence import Diagnosis, Evidence, Line, Named

__all__ = ["Diagnosis", "Evidence", "Line", "Named", "diagnose"]
