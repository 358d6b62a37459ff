"""What is known of the place: what a person stated, what the log says of itself, clues; and whether a condition holds on them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from validator.base.versions import Dotted
from validator.diagnose.predicted import NOTHING
from validator.model import Prediction

_COMPARISON = re.compile(r"([a-z_]+)(<=|>=|<|>|==)(\$[a-z_]+|[0-9.]+)")
_OTHER_MAJOR = re.compile(r"([a-z_]+)!~([a-z_]+)")
_OUTSIDE = re.compile(r"([a-z_]+)(<<|>>)([a-z_]+)")
#: An entry of a list of versions that no local tag (``+cu118``) ties to an index of its own.
_PLAIN = re.compile(r"(?:^|(?<=[\s,]))(\d+(?:\.\d+){1,3})(?=[\s,]|$|\.?post)")
_NUMBERS = re.compile(r"\d+(?:\.\d+){0,3}")
_TRUE = frozenset({"1", "true", "yes", "on"})
_FALSE = frozenset({"0", "false", "no", "off"})


@dataclass(frozen=True)
class Place:
    """Facts that conditions are held against."""

    values: Mapping[str, str]
    """By name (``torch``, ``driver``, ``gpu`` …); stated ones first, then what the log says of itself."""
    clues: frozenset[str]
    hits: frozenset[str]
    """Ids of the signatures that occur."""
    predicted: Prediction = NOTHING
    """What the rules say of it."""

    def holds(self, conditions: Iterable[str], near: frozenset[str] = frozenset()) -> bool:
        """Whether all conditions hold; what is not known does not hold. ``near``: ids of what was seen close by."""
        return all(any(self._one(part.strip(), near) for part in condition.split("|")) for condition in conditions)

    def _one(self, condition: str, near: frozenset[str]) -> bool:
        if condition.startswith("!"):
            return not self._one(condition[1:], near)
        if condition.startswith("near:"):
            return condition[5:] in near
        if condition.startswith("hit:"):
            return condition[4:] in self.hits
        if condition.startswith("predicted:"):
            return condition[10:] in self.predicted.causes
        if condition.startswith("has:"):
            return bool(self.values.get(condition[4:]))
        if hit := _COMPARISON.fullmatch(condition):
            return self._compare(*hit.groups())
        if hit := _OTHER_MAJOR.fullmatch(condition):
            one, other = (_NUMBERS.search(self.values.get(name, "")) for name in hit.groups())
            return bool(one and other and one.group().split(".")[0] != other.group().split(".")[0])
        if hit := _OUTSIDE.fullmatch(condition):
            return self._outside(*hit.groups())
        return condition in self.clues

    def _outside(self, name: str, operator: str, of: str) -> bool:
        """Whether a version lies below, or above, all of a list; an index that has tagged builds only says nothing of it."""
        known = _NUMBERS.search(self.values.get(name, ""))
        listed = [Dotted(text) for text in _PLAIN.findall(self.values.get(of, ""))]
        # Placeholders, by which a project keeps its name, are no versions that anybody can have.
        real = [version for version in listed if version.numbers[0] > 0] or listed
        if known is None or not real:
            return False
        asked = Dotted(known.group())
        return asked < min(real) if operator == "<<" else asked > max(real)

    def _compare(self, name: str, operator: str, text: str) -> bool:
        known = _NUMBERS.search(self.values.get(name, ""))
        other = _NUMBERS.search(self.values.get(text[1:], "") if text.startswith("$") else text)
        if known is None or other is None:
            return False
        left, right = Dotted(known.group()), Dotted(other.group())
        return {"<": left < right, "<=": left <= right, ">": left > right, ">=": left >= right, "==": left == right}[operator]


def truth(text: str | None) -> bool | None:
    """What a person means by a yes or a no; None where it is neither."""
    word = (text or "").strip().lower()
    return True if word in _TRUE else False if word in _FALSE else None
