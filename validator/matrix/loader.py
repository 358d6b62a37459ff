"""matrix.yaml → Matrix: read, checked, multiplied out. All that is wrong in a file is told at once, with lines."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path

from validator.base.problems import Problems, quote
from validator.base.yaml_text import Document, Place, read
from validator.catalogue.checks import registry
from validator.matrix import user_model, values
from validator.matrix.axes import MAX_COMPARISONS, EntryAxes, check_sizes, entry_axes
from validator.matrix.environments import EnvironmentMaker, check_entry
from validator.matrix.expand import Combination, is_id, target_id, texts
from validator.matrix.file import EnvironmentEntry, LimitsEntry, MatrixFile, TargetEntry, TargetRow
from validator.matrix.messages import validate
from validator.matrix.values import suggestion
from validator.model import (
    BuildOptions,
    Environment,
    Expectation,
    Level,
    Limits,
    Matrix,
    PackageOptions,
    Status,
    Target,
    UserModel,
    Where,
)


def load(path: Path) -> Matrix:
    """Read a matrix.yaml. Raises MatrixError, which names the lines and says what to do, for anything wrong in it."""
    document = read(path)
    return _Loading(document, Path(os.path.abspath(path)).parent, validate(document)).matrix()


class _Loading:
    """One reading of a file. Each stage collects all its problems; the next one begins only when there are none."""

    def __init__(self, document: Document, folder: Path, entry: MatrixFile) -> None:
        self.document = document
        self.folder = folder
        self.entry = entry
        self.problems = Problems(document.file)

    def matrix(self) -> Matrix:
        """The matrix of the file."""
        for index, entry in enumerate(self.entry.environments):
            check_entry(self.document, self.problems, ("environments", index), entry)
        environment_axes = [self._environment_axes(index, entry) for index, entry in enumerate(self.entry.environments)]
        target_axes = [self._target_axes(index, entry) for index, entry in enumerate(self.entry.targets)]
        levels, packages = self._levels(), self._packages()
        model, facts = self._model(), self._facts()
        self.problems.check()
        check_sizes(self.document, environment_axes, target_axes)
        environments = EnvironmentMaker(self.document, self.problems, self.folder).make(self.entry.environments, environment_axes)
        targets = self._targets(target_axes)
        self.problems.check()
        expectations = self._expectations(environments, targets)
        self.problems.check()
        return Matrix(
            file=self.document.file,
            environments=environments,
            targets=targets,
            levels=levels,
            limits=_limits(self.entry.limits),
            pull=self.entry.pull,
            build=BuildOptions(network=self.entry.build.network),
            packages=packages,
            expectations=expectations,
            model=model,
            facts=facts,
        )

    def _environment_axes(self, index: int, entry: EnvironmentEntry) -> EntryAxes:
        axes: dict[Place, Sequence[str]] = {(name,): getattr(entry, name) for name in values.ENVIRONMENT_AXES}
        axes |= {("axes", name): texts for name, texts in entry.axes.items()}
        place = ("environments", index)
        return entry_axes(self.document, self.problems, place, axes, entry.include, entry.exclude, values.ENVIRONMENT_AXES)

    def _target_axes(self, index: int, entry: TargetEntry | str) -> EntryAxes:
        place = ("targets", index)
        if isinstance(entry, str):
            return EntryAxes(place, {}, (), ())
        axes: dict[Place, Sequence[str]] = {(name,): getattr(entry, name) for name in values.TARGET_AXES}
        include, exclude = map(_rows, (entry.include, entry.exclude))
        return entry_axes(self.document, self.problems, place, axes, include, exclude, values.TARGET_AXES)

    def _targets(self, axes: Sequence[EntryAxes]) -> tuple[Target, ...]:
        found: dict[str, Target] = {}
        lines: dict[str, int] = {}
        for entry, multiplied in zip(self.entry.targets, axes, strict=True):
            line = self.document.line(multiplied.place)
            combinations = multiplied.combinations()
            if not combinations:
                self.problems.add(line, "exclude removes every combination of this target; keep one, or remove the target")
            for combination in combinations:
                try:
                    target = Target("host", is_host=True) if isinstance(entry, str) else _target(combination)
                except ValueError as error:
                    self.problems.add(line, str(error))
                    continue
                if target.id in found:
                    self.problems.add(
                        line,
                        f"the target {quote(target.id)} is already on line {lines[target.id]}; "
                        "a target has no `name:`, so remove one of the two, or word the GPU differently",
                    )
                found[target.id] = target
                lines[target.id] = line
        return tuple(found.values())

    def _levels(self) -> dict[str, Level]:
        known = registry()
        for name in self.entry.checks:
            if name not in known:
                self.problems.add(
                    self.document.key_line(("checks", name)),
                    f"there is no check {quote(name)}{suggestion(name, known)} (the checks are {', '.join(known)})",
                )
        return {name: Level(level) for name, level in self.entry.checks.items()}

    def _model(self) -> UserModel | None:
        entry = self.entry.model
        if entry is None:
            return None
        options = {"dtype": entry.dtype, "loss": entry.loss, "batch_size": entry.batch, "amp": entry.amp}
        try:
            if (entry.file is None) == (entry.module is None):
                raise ValueError("a model has one of `file` and `module`: where the factory is")
            if entry.module is not None:
                return user_model.from_module(entry.module, entry.factory, entry.input, **options)
            path = Path(os.path.abspath(self.folder / values.printable(entry.file or "")))
            return user_model.from_file(path, entry.factory, entry.input, **options)
        except ValueError as error:
            self.problems.add(self.document.key_line(("model",)), f"`model`: {error}")
            return None

    def _packages(self) -> PackageOptions:
        entry = self.entry.packages
        find_links = []
        for index, text in enumerate(entry.find_links):
            try:
                find_links.append(self._find_links(text))
            except ValueError as error:
                self.problems.add(self.document.line(("packages", "find_links", index)), f"`find_links`: {error}")
        return PackageOptions(entry.index, tuple(entry.extra_indexes), tuple(find_links), entry.channel_url)

    def _facts(self) -> Path | None:
        if self.entry.facts is None:
            return None
        try:
            path = Path(os.path.abspath(self.folder / values.printable(self.entry.facts)))
            if path.is_file():
                return path
            text = f"there is no file {quote(self.entry.facts)}; a relative path begins at the folder of this file"
        except ValueError as error:
            text = str(error)
        self.problems.add(self.document.line(("facts",)), f"`facts`: {text}")
        return None

    def _find_links(self, text: str) -> str:
        if "://" in text:
            return values.url(text)
        folder = os.path.abspath(self.folder / values.printable(text))
        if not os.path.isdir(folder):
            raise ValueError(
                f"there is no folder {quote(text)}; a relative path begins at the folder of this file, "
                "and a URL begins with https://, http:// or file://"
            )
        return folder

    def _expectations(self, environments: Sequence[Environment], targets: Sequence[Target]) -> tuple[Expectation, ...]:
        if not self.entry.expect:
            return ()
        ids = [f"{environment.id}@{target.id}" for environment in environments for target in targets]
        if len(ids) * len(self.entry.expect) > MAX_COMPARISONS:
            line = self.document.key_line(("expect",))
            self.problems.add(line, f"{len(self.entry.expect):,} globs are too many for {len(ids):,} cells; use wider ones")
            return ()
        expectations = []
        for glob, status in self.entry.expect.items():
            line = self.document.key_line(("expect", glob))
            expectations.append(Expectation(glob, Status(status), Where(self.document.file, line)))
            if not any(fnmatchcase(cell, glob) for cell in ids):
                self.problems.add(line, f"the glob {quote(glob)} matches no cell{suggestion(glob, ids[:1000])} (an id: {ids[0]})")
        return tuple(expectations)


def _rows(rows: Sequence[TargetRow]) -> list[dict[str, str]]:
    return [row.model_dump(exclude_unset=True) for row in rows]


def _target(combination: Combination) -> Target:
    given = texts(combination)
    kinds = given.keys() & {"gpu", "compute_capability"}
    if len(kinds) != 1:
        has = "both `gpu` and `compute_capability`" if kinds else "neither `gpu` nor `compute_capability`"
        raise ValueError(f"a combination of this target has {has}; give it one of the two")
    identity = target_id(given)
    if not is_id(identity):
        raise ValueError(f"no id can be made of the target {quote(given['gpu'])}; name the GPU as nvidia-smi prints it")
    return Target(identity, gpu=given.get("gpu"), compute_capability=given.get("compute_capability"), driver=given.get("driver"))


def _limits(entry: LimitsEntry) -> Limits:
    """The limits of the file over the model's own."""
    chosen = {
        "timeout_seconds": entry.timeout,
        "memory_bytes": entry.memory,
        "shm_bytes": entry.shm,
        "scratch_bytes": entry.scratch,
        "pids": entry.pids,
    }
    return replace(Limits(), **{name: value for name, value in chosen.items() if value is not None})  # type: ignore[arg-type]
