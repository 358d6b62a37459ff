"""What is kept and what travels: results.json, and the history of runs."""

from validator.results.json_v1 import dump, load
from validator.results.locks import in_use
from validator.results.past import Durations, Entry, Newest, Unfinished
from validator.results.store import Store

__all__ = [
    "Durations",
    "Entry",
    "Newest",
    "Store",
    "Unfinished",
    "dump",
    "in_use",
    "load",
]
