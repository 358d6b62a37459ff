"""Findings of a run: which cause of the catalogue a cell that is not green has, from what the run itself saw.

Three sources, the strongest first: structured evidence (what the engine said, how a process ended, what a check named), then what
``validator.diagnose`` reads in messages and output, then an honest ``unknown``. What a container printed is the weakest: it can
neither forge the first kind nor name a cause that only the engine could know.
"""

from validator.verdict.findings.alternatives import with_alternatives
from validator.verdict.findings.cells import joined, of_error, of_result

__all__ = ["joined", "of_error", "of_result", "with_alternatives"]
