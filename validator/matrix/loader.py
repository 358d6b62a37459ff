"""matrix.yaml → Matrix: reads the file, joins the environments and targets made of it, and checks its other settings."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import replace
from fnmatch import translate
from pathlib import Path

from validator.base.problems import Problems
from validator.base.text import quoted, suggestion
from validator.base.yaml_text import Document, read
from validator.catalogue.checks import registry
from validator.matrix import user_model, values
from validator.matrix.axes import check_sizes
from validator.matrix.environments import EnvironmentMaker, check_entry, environment_axes
from validator.matrix.file import LimitsEntry, MatrixFile
from validator.matrix.messages import validate
from validator.matrix.targets import make_targets, target_axes
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
    cell_id,
)

#: Globs of `expect` × cells.
MAX_COMPARISONS = 5_000_000


def load(path: Path) -> Matrix:
    """Read a matrix.yaml. Raises MatrixError, which names the lines and says what to do, for anything wrong in it."""
    document = read(path)
    return _Loading(document, Path(os.path.abspath(path)).parent, validate(document)).matrix()


class _Loading:
    """One reading of a file. Each stage collects all its problems, and the next one begins only if there are none."""

    def __init__(self, document: Document, folder: Path, entry: MatrixFile) -> None:
        self.document = document
        self.folder = folder
        self.entry = entry
        self.problems = Problems(document.file)

    def matrix(self) -> Matrix:
        """The matrix of the file."""
        document, problems = self.document, self.problems
        for index, entry in enumerate(self.entry.environments):
            check_entry(document, problems, index, entry)
        environments_axes = [environment_axes(document, problems, *each) for each in enumerate(self.entry.environments)]
        targets_axes = [target_axes(document, problems, *each) for each in enumerate(self.entry.targets)]
        levels, packages = self._levels(), self._packages()
        model, facts = self._model(), self._facts()
        problems.check()
        check_sizes(document, environments_axes, targets_axes)
        environments = EnvironmentMaker(document, problems, self.folder).make(self.entry.environments, environments_axes)
        targets = make_targets(document, problems, self.entry.targets, targets_axes)
        problems.check()
        expectations = self._expectations(environments, targets)
        problems.check()
        return Matrix(
            file=document.file,
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

    def _levels(self) -> dict[str, Level]:
        known = registry()
        for name in self.entry.checks:
            if name not in known:
                self.problems.add(
                    self.document.key_line(("checks", name)),
                    f"there is no check {quoted(name)}{suggestion(name, known)} (the checks are {', '.join(known)})",
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
            text = f"there is no file {quoted(self.entry.facts)}; a relative path begins at the folder of this file"
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
                f"there is no folder {quoted(text)}; a relative path begins at the folder of this file, "
                "and a URL begins with https://, http:// or file://"
            )
        return folder

    def _expectations(self, environments: Sequence[Environment], targets: Sequence[Target]) -> tuple[Expectation, ...]:
        if not self.entry.expect:
            return ()
        ids = [cell_id(environment, target) for environment in environments for target in targets]
        if len(ids) * len(self.entry.expect) > MAX_COMPARISONS:
            line = self.document.key_line(("expect",))
            self.problems.add(line, f"{len(self.entry.expect):,} globs are too many for {len(ids):,} cells; use wider ones")
            return ()
        expectations = []
        known = set(ids)
        for glob, status in self.entry.expect.items():
            line = self.document.key_line(("expect", glob))
            expectations.append(Expectation(glob, Status(status), Where(self.document.file, line)))
            is_plain = not any(char in glob for char in "*?[")
            if not (glob in known if is_plain else any(map(re.compile(translate(glob)).match, ids))):
                hint = self.problems.hint(glob, ids)
                self.problems.add(line, f"the glob {quoted(glob)} matches no cell{hint} (an id: {ids[0]})")
        return tuple(expectations)


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
