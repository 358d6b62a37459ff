"""The rules asked about a matrix before anything runs: predictions, recommendations, what an upgrade would change."""

from validator.advice.predictor import Predictor
from validator.advice.recommendation import recommend
from validator.advice.upgrading import upgrade

__all__ = [
    "Predictor",
    "recommend",
    "upgrade",
]
