"""``validator clean``: removes what the validator left."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import closing
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
    any other option containers are meant.
    """
    if not (containers or images or environments or results or everything):
        containers = True
    from docker.errors import APIError, NotFound

    from validator.run import reaper
    from validator.runners.docker.engine import CONNECTION_ERRORS, engine_words

    left: list[Iterable[Found]] = []
    if containers or images or everything:
        left.append(_in_engine(output, containers or everything, images or everything, required=not everything))
    if environments or everything:
        from validator.runners.local.venvs import default_root

        left.append(reaper.paths([default_root()]))
    if results or everything:
        left.append(_results(out, remove=yes))
    told, refused = [], False
    for found in chain.from_iterable(left):
        if found.in_use:
            output.note(f"left alone, its run is still going: {found.what}")
            continue
        try:
            if yes:
                found.remove()
        except NotFound:
            pass  # gone meanwhile
        except (APIError, OSError, *CONNECTION_ERRORS) as error:
            refused = True
            output.warn(f"not removed: {found.what}: {engine_words(error)}")
        else:
            told.append(found.what)
    if not told:
        output.result("nothing to remove")
    elif yes:
        output.result("\n".join(f"removed {what}" for what in told))
    else:
        output.result("\n".join([*(f"would remove {what}" for what in told), "", "add --yes to remove them"]))
    if refused:
        raise click.exceptions.Exit(ExitCode.NOT_FOUND_OUT)


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
            yield from reaper.images(client)


def _results(out: Path, *, remove: bool) -> Iterator[Found]:
    """What is in the results folder; once that is removed, the folder goes too where nothing else is in it."""
    from validator.report import FILES
    from validator.results.files import remove_empty
    from validator.results.store import own_paths
    from validator.run import reaper

    ours = own_paths(out, FILES)
    yield from reaper.paths(ours)
    if remove and ours:
        remove_empty(out)
