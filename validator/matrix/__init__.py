"""``matrix.yaml``: read, checked, and multiplied into environments and targets. Importing this imports pydantic."""

from validator.matrix.loader import load
from validator.matrix.schema import schema_text

__all__ = ["load", "schema_text"]
