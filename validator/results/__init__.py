"""What is kept and what travels: results.json, and the history of runs."""

from validator.results.json_v1 import dump, load
from validator.results.store import Store

__all__ = [
    "Store",
    "dump",
    "load",
]
