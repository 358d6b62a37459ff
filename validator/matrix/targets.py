"""The targets of a matrix: entries of the file multiplied out, checked, and told apart by ids."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from validator.base.problems import Problems
from validator.base.text import quoted
from validator.base.yaml_text import Document, KeyPath
from validator.matrix.axes import EntryAxes, entry_axes
from validator.matrix.expand import Combination, is_id, target_id, texts
from validator.matrix.file import TargetEntry, TargetRow
from validator.matrix.values import TARGET_AXES
from validator.model import Target, Where

_HOST = Target("host", is_host=True)


def target_axes(document: Document, problems: Problems, index: int, entry: TargetEntry | str) -> EntryAxes:
    """The axes of an entry of `targets`; `host` has none."""
    place = ("targets", index)
    if isinstance(entry, str):
        return EntryAxes(place, {}, (), ())
    axes: dict[KeyPath, Sequence[str]] = {(name,): getattr(entry, name) for name in TARGET_AXES}
    include, exclude = map(_given, (entry.include, entry.exclude))
    return entry_axes(document, problems, place, axes, include, exclude, TARGET_AXES)


def make_targets(
    document: Document, problems: Problems, entries: Sequence[TargetEntry | str], axes: Sequence[EntryAxes]
) -> tuple[Target, ...]:
    """Every target of the entries, in the order written; what is wrong goes to ``problems``."""
    found: dict[str, Target] = {}
    lines: dict[str, int] = {}
    for entry, multiplied in zip(entries, axes, strict=True):
        line = document.line(multiplied.place)
        combinations = multiplied.combinations()
        if not combinations:
            problems.add(line, "exclude removes every combination of this target; keep one, or remove the target")
        for combination in combinations:
            try:
                target = replace(_HOST if isinstance(entry, str) else _target(combination), where=Where(document.file, line))
            except ValueError as error:
                problems.add(line, str(error))
                continue
            if target.id in found:
                problems.add(
                    line,
                    f"the target {quoted(target.id)} is already on line {lines[target.id]}; "
                    "a target has no `name:`, so remove one of the two, or word the GPU differently",
                )
            found[target.id] = target
            lines[target.id] = line
    return tuple(found.values())


def _given(rows: Sequence[TargetRow]) -> list[dict[str, str]]:
    """The rows without the keys that the file leaves out."""
    return [row.model_dump(exclude_unset=True) for row in rows]


def _target(combination: Combination) -> Target:
    given = texts(combination)
    kinds = given.keys() & {"gpu", "compute_capability"}
    if len(kinds) != 1:
        has = "both `gpu` and `compute_capability`" if kinds else "neither `gpu` nor `compute_capability`"
        raise ValueError(f"a combination of this target has {has}; give it one of the two")
    identity = target_id(given)
    if not is_id(identity):
        raise ValueError(f"no id can be made of the target {quoted(given['gpu'])}; name the GPU as nvidia-smi prints it")
    return Target(identity, gpu=given.get("gpu"), compute_capability=given.get("compute_capability"), driver=given.get("driver"))
