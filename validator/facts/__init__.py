"""What is known of GPUs, drivers, builds and images; every row with its source. Nothing else reads ``data/facts/``."""

from validator.facts.loader import Facts, load

__all__ = [
    "Facts",
    "load",
]
