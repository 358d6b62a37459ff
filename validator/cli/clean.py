"""``validator clean``: removes what the validator left."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path

import click

from validator.base.errors import ExitCode
from validator.cli.options import out_option
from validator.cli.output import Output


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
    removal = _Removal(output, yes)
    if containers or images or everything:
        removal.in_engine(containers or everything, images or everything, required=not everything)
    if environments or everything:
        from validator.runners.local.venvs import default_root

        removal.paths([default_root()])
    if results or everything:
        from validator.results.files import remove_empty
        from validator.results.store import own_paths

        ours = own_paths(out)
        removal.paths(ours)
        if yes and ours:
            remove_empty(out)
    if not removal.found:
        output.result("nothing to remove")
    elif yes:
        output.result("\n".join(f"removed {line}" for line in removal.found))
    else:
        output.result("\n".join([*(f"would remove {line}" for line in removal.found), "", "add --yes to remove them"]))
    if removal.refused:
        raise click.exceptions.Exit(ExitCode.NOT_FOUND_OUT)


class _Removal:
    """What is found and, with ``--yes``, removed."""

    def __init__(self, output: Output, remove: bool) -> None:
        self._output = output
        self._remove = remove
        self.found: list[str] = []
        self.refused = False

    def in_engine(self, containers: bool, images: bool, *, required: bool) -> None:
        """Containers and images by their labels; without an engine there are none, unless they alone were asked for."""
        from validator.base.errors import EngineUnavailableError
        from validator.runners import labels
        from validator.runners.docker.engine import connect

        try:
            client, _ = connect()
        except EngineUnavailableError as error:
            if required:
                raise
            self._output.warn(f"containers and images were not looked at: {error.what}")
            return
        with closing(client):
            for row in client.containers(all=True, filters={"label": labels.RUN}) if containers else ():
                what = f"container {row['Names'][0].lstrip('/')} ({row['Status']})"
                if row["State"] == "running" and labels.owner_lives(row["Labels"].get(labels.OWNER, "")):
                    self._output.note(f"left alone, its run is still going: {what}")
                else:
                    self._drop(what, partial(client.remove_container, row["Id"], force=True, v=True))
            for row in client.images(filters={"label": labels.BUILT}) if images else ():
                name = ", ".join(tag for tag in row.get("RepoTags") or () if tag != "<none>:<none>") or row["Id"]
                self._drop(f"image {name} ({row['Size'] / 2**30:.1f} GiB)", partial(client.remove_image, row["Id"], force=True))

    def paths(self, paths: list[Path]) -> None:
        """Files and folders of ours."""
        for path in paths:
            if path.is_dir():
                self._drop(f"folder {path}", partial(shutil.rmtree, path))
            elif path.exists():
                self._drop(f"file {path}", path.unlink)

    def _drop(self, what: str, remove: Callable[[], object]) -> None:
        from docker.errors import APIError, NotFound

        from validator.runners.docker.engine import CONNECTION_ERRORS, engine_words

        try:
            if self._remove:
                remove()
        except NotFound:
            return  # gone meanwhile
        except (APIError, OSError, *CONNECTION_ERRORS) as error:
            self.refused = True
            self._output.warn(f"not removed: {what}: {engine_words(error)}")
            return
        self.found.append(what)
