"""The frozen values that flow through a run. No I/O, no behaviour beyond what is derived from the fields."""

from validator.model.results import *  # noqa: F403
