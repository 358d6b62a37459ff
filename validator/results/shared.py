"""What thousands of cells have in common stands once in their file, and they refer to it by its place.

A file of few cells has every value where it belongs. In one of many, ``shared`` has a list of each kind, and a whole number in
place of a value is its place in that list. Kinds do not refer to each other, so that no file can blow itself up in reading.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

#: More cells than this share; a file of up to so many is read by validators that know no ``shared``.
INLINE_CELLS = 2000
ENVIRONMENTS, TARGETS, FINDINGS, TEXTS = "environments", "targets", "findings", "texts"
KINDS = (ENVIRONMENTS, TARGETS, FINDINGS, TEXTS)


class Sharing:
    """Values by kind, each once, in the order of their first appearance."""

    def __init__(self) -> None:
        self._places: dict[str, dict[Hashable, int]] = {kind: {} for kind in KINDS}
        self.tables: dict[str, list[Any]] = {kind: [] for kind in KINDS}

    def place(self, kind: str, key: Hashable, value: Any = None) -> int:
        """The place of a value, put there if it is new; ``key`` is what makes it the same as another, by default the value."""
        places = self._places[kind]
        at = places.get(key)
        if at is None:
            at = places[key] = len(places)
            self.tables[kind].append(key if value is None else value)
        return at


class NotSharedError(ValueError):
    """A value refers to something that is not there."""

    def __init__(self, path: str, kind: str, place: int) -> None:
        super().__init__(f"{path} refers to shared.{kind}[{place}]")
        self.path, self.kind, self.place = path, kind, place


def resolved(cell: Any, tables: Mapping[str, Any]) -> Any:
    """A cell as it was read, with the values that it refers to in their places. Raises NotSharedError."""
    if not isinstance(cell, dict):
        return cell
    whole = dict(cell)
    _one(whole, "", "environment", tables, ENVIRONMENTS)
    _one(whole, "", "target", tables, TARGETS)
    _one(whole, "", "reason", tables, TEXTS)
    _each(whole, "", "findings", tables, FINDINGS)
    _each(whole, "", "notes", tables, TEXTS)
    if isinstance(predicted := whole.get("predicted"), dict):
        whole["predicted"] = predicted = dict(predicted)
        _each(predicted, "predicted.", "findings", tables, FINDINGS)
        _each(predicted, "predicted.", "assumptions", tables, TEXTS)
        _each(predicted, "predicted.", "missing", tables, TEXTS)
    return whole


def _one(tree: dict[str, Any], path: str, name: str, tables: Mapping[str, Any], kind: str) -> None:
    if name in tree:
        tree[name] = _at(tree[name], path + name, tables, kind)


def _each(tree: dict[str, Any], path: str, name: str, tables: Mapping[str, Any], kind: str) -> None:
    if isinstance(items := tree.get(name), list):
        tree[name] = [_at(item, f"{path}{name}[{index}]", tables, kind) for index, item in enumerate(items)]


def _at(value: Any, path: str, tables: Mapping[str, Any], kind: str) -> Any:
    if type(value) is not int:
        return value
    if not 0 <= value < len(tables[kind]):
        raise NotSharedError(path, kind, value)
    return tables[kind][value]
