"""A plan made and carried out, cell by cell."""

from validator.run.execution import Execution, execute
from validator.run.plan import make_plan

__all__ = [
    "Execution",
    "execute",
    "make_plan",
]
