"""From what came back of a cell to its result: status, agreement with the prediction, causes. The door is four functions."""

from validator.verdict.agreement import foretold
from validator.verdict.outcome import of_error, of_kept, of_outcome

__all__ = ["foretold", "of_error", "of_kept", "of_outcome"]
