"""The environments of a matrix: entries of the file multiplied out, checked, and told apart by ids."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from validator.base.problems import Problems
from validator.base.text import quoted
from validator.base.yaml_text import Document, KeyPath
from validator.matrix import values
from validator.matrix.axes import EntryAxes, entry_axes
from validator.matrix.expand import Combination, environment_id, is_id, slug, texts
from validator.matrix.file import EnvironmentEntry
from validator.model import BuiltImage, Environment, HostInterpreter, PulledImage, Source, Where

_KINDS = ("image", "build", "interpreter")
#: Keys that mean something for some sources only.
_ONLY_FOR = {
    "args": ("build",),
    "requirements": ("build",),
    "python_command": ("image", "build"),
    "entrypoint": ("image", "build"),
}


@dataclass(frozen=True)
class _Made:
    """An environment and what it was made of."""

    environment: Environment
    template: str
    values: Mapping[str, str]


def check_entry(document: Document, problems: Problems, index: int, entry: EnvironmentEntry) -> None:
    """Check what no single key shows: that there is one source, and only keys that mean something for it."""
    place = ("environments", index)
    kinds = [kind for kind in _KINDS if getattr(entry, kind) is not None]
    if len(kinds) != 1:
        has = f"has {' and '.join(f'`{kind}`' for kind in kinds)}" if kinds else "does not say where its image comes from"
        problems.add(document.line(place), f"this environment {has}; give it exactly one of {', '.join(_KINDS)}")
        return
    for key, meant_for in _ONLY_FOR.items():
        if key in entry.model_fields_set and kinds[0] not in meant_for:
            others = " or ".join(f"`{kind}`" for kind in meant_for)
            text = f"`{key}` means nothing beside `{kinds[0]}`, only beside {others}; remove it"
            problems.add(document.key_line((*place, key)), text)


def environment_axes(document: Document, problems: Problems, index: int, entry: EnvironmentEntry) -> EntryAxes:
    """The axes of an entry of `environments`."""
    axes: dict[KeyPath, Sequence[str]] = {(name,): getattr(entry, name) for name in values.ENVIRONMENT_AXES}
    axes |= {("axes", name): listed for name, listed in entry.axes.items()}
    return entry_axes(
        document, problems, ("environments", index), axes, entry.include, entry.exclude, known=values.ENVIRONMENT_AXES
    )


@dataclass(frozen=True)
class EnvironmentMaker:
    """Makes the environments of one document; what is wrong goes to ``problems``."""

    document: Document
    problems: Problems
    folder: Path
    """Where relative paths begin."""

    def make(self, entries: Sequence[EnvironmentEntry], axes: Sequence[EntryAxes]) -> tuple[Environment, ...]:
        """Every environment of the entries (already checked by ``check_entry``), in the order written."""
        made: list[_Made] = []
        for entry, multiplied in zip(entries, axes, strict=True):
            combinations = multiplied.combinations()
            if not combinations:
                text = "exclude removes every combination of this environment; keep one, or remove the environment"
                self.problems.add(self.document.line(multiplied.place), text)
            for combination in combinations:
                one = self._environment(entry, multiplied.place, combination)
                if one:
                    made.append(one)
        self._check_distinct(made)
        return tuple(one.environment for one in made)

    def _environment(self, entry: EnvironmentEntry, place: KeyPath, combination: Combination) -> _Made | None:
        """One environment, or None where something is wrong with it."""
        given = texts(combination)
        kind = next(kind for kind in _KINDS if getattr(entry, kind) is not None)
        template = str(getattr(entry, kind))
        key: KeyPath = (kind,)  # what is being looked at, for the line of a problem
        try:
            source = self._source(kind, values.fill(template, given))
            if isinstance(source, BuiltImage):
                args = {name.upper(): text for name, text in given.items() if name not in values.ENVIRONMENT_AXES}
                for name, text in entry.args.items():
                    key = ("args", name)
                    args[name] = values.fill(text, given)
                source = replace(source, args=args, requirements=tuple(entry.requirements))
            if entry.name is None:
                key = (kind,)
                base = _base(source, given)
                identity = environment_id(given, base, values.placeholders(template) if base else set())
            else:
                key = ("name",)
                identity = values.fill(entry.name, given)
            _check_id(identity)
        except ValueError as error:
            self.problems.add(self.document.line((*place, *key)), f"`{key[-1]}`: {error}")
            return None
        environment = Environment(
            id=identity,
            source=source,
            where=Where(self.document.file, self.document.line(place)),
            torch=given.get("torch"),
            cuda=given.get("cuda"),
            python=given.get("python"),
            keep_entrypoint=entry.entrypoint != "none",
        )
        if entry.python_command is not None:
            environment = replace(environment, python_command=entry.python_command)
        return _Made(environment, template, given)

    def _source(self, kind: str, text: str) -> Source:
        if kind == "image":
            return PulledImage(values.image_reference(text))
        path = Path(os.path.abspath(self.folder / values.printable(text)))
        if kind == "interpreter":
            if "/" not in text:
                raise ValueError(f"{quoted(text)} is a name, not a path; write the whole path, such as /usr/bin/{text}")
            return HostInterpreter(path)
        if not path.is_dir():
            raise ValueError(f"there is no folder {quoted(text)}; a relative path begins at the folder of this file")
        if not (path / "Dockerfile").is_file():
            raise ValueError(f"the folder {quoted(text)} has no Dockerfile, so there is nothing to build; write one")
        return BuiltImage(path)

    def _check_distinct(self, made: Sequence[_Made]) -> None:
        """No two environments may share an id, or be the same thing under two ids."""
        by_id: dict[str, _Made] = {}
        by_content: dict[object, _Made] = {}
        for one in made:
            where = one.environment.where
            same = by_content.setdefault(_content(one.environment), one)
            twin = by_id.setdefault(one.environment.id, one)
            if same is not one:
                self.problems.add(where.line, _same_content(one, same))
            elif twin is not one:
                self.problems.add(
                    where.line,
                    f"two environments have the id {quoted(one.environment.id)}: this one and the one of line "
                    f"{twin.environment.where.line}; give one a `name:`, or use every axis in the `name:` there is",
                )


def _base(source: Source, given: Mapping[str, str]) -> str:
    """What an id begins with where the torch version does not say it."""
    if isinstance(source, HostInterpreter):
        return f"python-{slug(str(source.path))}"
    if "torch" in given:
        return ""
    return slug(source.context.name) if isinstance(source, BuiltImage) else values.image_slug(source.reference)


def _check_id(identity: str) -> None:
    if not is_id(identity):
        raise ValueError(
            f"the id {quoted(identity)} is not 1 to 100 letters, digits and . _ + - with a letter or digit first; "
            "set another `name:`"
        )


def _content(environment: Environment) -> object:
    """What tells one environment from another: two with equal content would give the same answers."""
    how = (environment.python_command, environment.keep_entrypoint)
    source = environment.source
    if isinstance(source, BuiltImage):
        versions = (environment.torch, environment.cuda, environment.python)
        return (source.context, tuple(sorted(source.args.items())), source.requirements, *versions, *how)
    return (source, *how)


def _same_content(one: _Made, same: _Made) -> str:
    both = f"{quoted(same.environment.id)} and {quoted(one.environment.id)}"
    used = values.placeholders(one.template)
    unused = [name for name, text in one.values.items() if same.values.get(name) != text and name not in used]
    if one.template == same.template and unused:
        return (
            f"the axis `{unused[0]}` is not used in {quoted(one.template)}: {both} would be the same environment; "
            f"put {{{unused[0]}}} into it, or remove the axis"
        )
    return f"{both} are the same environment; it is already on line {same.environment.where.line}, remove one of the two"
