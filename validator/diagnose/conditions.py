"""The language of conditions, by which a signature means one cause here and another there.

A condition is the name of a clue, ``hit:ID``, ``near:ID``, ``predicted:CAUSE``, ``has:VALUE``, or a comparison: of versions
(``torch<1.6``, ``asked<$first``), of majors (``library!~cuda``), or with all of a list (``asked<<offered``). ``!`` in front of it
means not, ``|`` between two means or. What is not known does not hold.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from validator.base.versions import Dotted
from validator.diagnose.circumstances import Circumstances
from validator.diagnose.found_versions import untagged_in, version_in

_COMPARISON = re.compile(r"([a-z_]+)(<=|>=|<|>|==)(\$[a-z_]+|[0-9.]+)")
_OTHER_MAJOR = re.compile(r"([a-z_]+)!~([a-z_]+)")
_OUTSIDE = re.compile(r"([a-z_]+)(<<|>>)([a-z_]+)")


def holds(conditions: Iterable[str], here: Circumstances, near: frozenset[str] = frozenset()) -> bool:
    """Whether all conditions hold. ``near``: ids of the signatures that were seen close by."""
    return all(any(_holds(part.strip(), here, near) for part in condition.split("|")) for condition in conditions)


def _holds(condition: str, here: Circumstances, near: frozenset[str]) -> bool:
    if condition.startswith("!"):
        return not _holds(condition[1:], here, near)
    kind, _, name = condition.partition(":")
    match kind:
        case "near":
            return name in near
        case "hit":
            return name in here.hits
        case "predicted":
            return name in here.predicted.causes
        case "has":
            return bool(here.values.get(name))
    if hit := _COMPARISON.fullmatch(condition):
        return _compares(here, *hit.groups())
    if hit := _OTHER_MAJOR.fullmatch(condition):
        one, other = (version_in(here.values.get(name)) for name in hit.groups())
        return one is not None and other is not None and one.numbers[0] != other.numbers[0]
    if hit := _OUTSIDE.fullmatch(condition):
        return _lies_outside(here, *hit.groups())
    return condition in here.clues


def _compares(here: Circumstances, name: str, operator: str, text: str) -> bool:
    left = version_in(here.values.get(name))
    right = version_in(here.values.get(text[1:])) if text.startswith("$") else Dotted(text)
    if left is None or right is None:
        return False
    return {"<": left < right, "<=": left <= right, ">": left > right, ">=": left >= right, "==": left == right}[operator]


def _lies_outside(here: Circumstances, name: str, operator: str, of: str) -> bool:
    """Whether a version is below, or above, all of a list; a list of tagged builds alone says nothing about it."""
    asked = version_in(here.values.get(name))
    listed = untagged_in(here.values.get(of))
    # Versions 0.x are placeholders by which a project reserves its name; nobody asks for one.
    real = [version for version in listed if version.numbers[0] > 0] or listed
    if asked is None or not real:
        return False
    return asked < min(real) if operator == "<<" else asked > max(real)
