"""From what came back of a cell to its result: status, agreement with the prediction, causes. The door is three functions."""

from validator.verdict.agreement import foretold
from validator.verdict.outcome import of_error, of_outcome

__all__ = ["foretold", "of_error", "of_outcome"]
