"""``validator clean``: removes what the validator left."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import ExitStack, closing, contextmanager
from functools import partial
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import click

from validator.base.errors import ExitCode
from validator.cli.options import out_option
from validator.cli.output import Output

if TYPE_CHECKING:
    from validator.run.reaper import Found


@click.command("clean")
@click.option("--containers", is_flag=True, help="Containers of runs (kept with --keep, or left by a killed run).")
@click.option("--images", is_flag=True, help="Images the validator built; pulled ones are yours and stay.")
@click.option("--environments", is_flag=True, help="Virtual environments of the local runner.")
@click.option("--results", is_flag=True, help="The results folder and its history.")
@click.option("--all", "everything", is_flag=True, help="All of these.")
@click.option("-y", "--yes", is_flag=True, help="Remove; without it only a list is printed.")
@out_option
@click.pass_obj
def command(
    output: Output,
    containers: bool,
    images: bool,
    environments: bool,
    results: bool,
    everything: bool,
    yes: bool,
    out: Path,
) -> None:
    """Remove what the validator left: containers, images, environments, results.

    Without --yes it lists what would go and removes nothing. Containers and images are found by the validator's labels; without
    any other option containers are meant. What a run uses that still goes is left alone.
    """
    if not (containers or images or environments or results or everything):
        containers = True
    left: list[Iterable[Found]] = []
    if containers or images or everything:
        left.append(_in_engine(output, containers or everything, images or everything, required=not everything))
    if environments or everything:
        left.append(_environments())
    if results or everything:
        left.append(_results(out, remove=yes))
    done = _Done(output)
    for found in chain.from_iterable(left):
        if found.in_use:
            done.left_alone(found.what, found.in_use)
        elif yes:
            done.remove(found)
        else:
            done.would_remove(found.what)
    done.conclude(yes)


class _Done:
    """What was done about each thing, said as it is done: a removal may take its time."""

    def __init__(self, output: Output) -> None:
        self._output = output
        self._removed = 0
        self._alone = 0
        self._refused = 0

    def would_remove(self, what: str) -> None:
        self._removed += 1
        self._output.result(f"would remove {what}")

    def left_alone(self, what: str, why: str) -> None:
        self._alone += 1
        self._output.note(f"left alone, {why}: {what}")

    def remove(self, found: Found) -> None:
        from docker.errors import APIError, NotFound

        from validator.run.reaper import GoneError, InUseError
        from validator.runners.docker.engine import CONNECTION_ERRORS, engine_words

        try:
            found.remove()
        except (GoneError, NotFound, FileNotFoundError):
            pass
        except InUseError as error:
            self.left_alone(found.what, str(error))
        except (APIError, OSError, *CONNECTION_ERRORS) as error:
            self._refused += 1
            self._output.warn(f"not removed: {found.what}: {engine_words(error)}")
        else:
            self._removed += 1
            self._output.result(f"removed {found.what}")

    def conclude(self, yes: bool) -> None:
        """Say what it came to; exit code 4 where something is left that was to be removed."""
        if self._refused:
            raise click.exceptions.Exit(ExitCode.NOT_FOUND_OUT)
        if not self._removed:
            self._output.result("nothing to remove" + (" but what is in use" if self._alone else ""))
        elif not yes:
            self._output.result("\nadd --yes to remove them")


def _in_engine(output: Output, containers: bool, images: bool, *, required: bool) -> Iterator[Found]:
    """What is in the container engine; without an engine that is nothing, unless it alone was asked for."""
    from validator.base.errors import EngineUnavailableError
    from validator.run import reaper
    from validator.runners.docker.engine import connect

    try:
        client, _ = connect()
    except EngineUnavailableError as error:
        if required:
            raise
        output.warn(f"containers and images were not looked at: {error.what}")
        return
    with closing(client):
        if containers:
            yield from reaper.containers(client)
        if images:
            yield from reaper.images(client, _image_unused)


@contextmanager
def _image_unused(image: str) -> Iterator[None]:
    """Keeps the runs of this user from using an image."""
    from validator.run.reaper import InUseError
    from validator.runners.docker.images import use_of
    from validator.runners.docker.once_each import unused

    held = unused(use_of(image))
    if held is None:
        raise InUseError("a run uses it")
    with held:
        yield


def _environments() -> Iterator[Found]:
    """The virtual environments of the local runner; their lock files stay, which are empty."""
    from validator.run import reaper
    from validator.runners.local.uses import environments
    from validator.runners.local.venvs import default_root

    for folder in environments(default_root()):
        yield from reaper.paths([folder], partial(_environment_unused, folder))


@contextmanager
def _environment_unused(folder: Path) -> Iterator[None]:
    """Keeps runs from making or using a virtual environment."""
    from validator.run.reaper import InUseError
    from validator.runners.local.uses import unused

    try:
        held = ExitStack()
        held.enter_context(unused(folder))
    except BlockingIOError:
        raise InUseError("a run makes or uses it") from None
    with held:
        yield


def _results(out: Path, *, remove: bool) -> Iterator[Found]:
    """What is in the results folder; once that is removed, the folder goes too where nothing else is in it."""
    from validator.report import FILES
    from validator.results.files import remove_empty
    from validator.results.locks import in_use, whole_folder
    from validator.results.store import own_paths
    from validator.run import reaper

    ours = own_paths(out, FILES)
    lock = whole_folder(out) if ours and remove else None
    if ours and (lock is None if remove else in_use(out)):
        yield reaper.Found(f"results in {out}", lambda: None, in_use="a run writes there")
        return
    yield from reaper.paths(ours)
    if lock:
        lock.release()
        remove_empty(out)
