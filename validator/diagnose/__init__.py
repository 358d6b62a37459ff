"""Names the cause of a failure: structured evidence first, then signatures of messages, then the context that decides."""

from __future__ import annotations

from validator.diagnose.diagnosis import diagnose
from validator.diagnose.evidence import Diagnosis, Evidence, Line, Named

__all__ = ["Diagnosis", "Evidence", "Line", "Named", "diagnose"]
