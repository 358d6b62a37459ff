"""The rules: what is to be expected of an environment on a place, from facts alone. Pure; nothing is run, read or asked.

A ``Judge`` answers any number of questions; ``judge`` answers one. docs/verdicts.md says in words how a verdict comes about.
"""

from validator.rules.judging import Judge, judge
from validator.rules.subject import Inspected, Place, Subject

__all__ = ["Inspected", "Judge", "Place", "Subject", "judge"]
