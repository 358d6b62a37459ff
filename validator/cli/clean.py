"""``validator clean``: removes what the validator left."""

from __future__ import annotations

import shutil
from pathlib import Path

import click

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
    found: list[str] = []
    if containers or images or everything:
        found += _in_engine(output, containers or everything, images or everything, yes)
    if environments or everything:
        from validator.venvs import default_root

        found += _folder(default_root(), yes)
    if results or everything:
        found += _folder(out, yes)
    if not found:
        output.result("nothing to remove")
    elif yes:
        output.result("\n".join(f"removed {line}" for line in found))
    else:
        output.result("\n".join([*(f"would remove {line}" for line in found), "", "add --yes to remove them"]))


def _in_engine(output: Output, containers: bool, images: bool, remove: bool) -> list[str]:
    from docker.errors import APIError

    from validator import labels
    from validator.engine import connect, engine_words

    client, _ = connect()
    found = []
    try:
        if containers:
            for row in client.containers(all=True, filters={"label": labels.RUN}):
                if remove:
                    client.remove_container(row["Id"], force=True, v=True)
                found.append(f"container {row['Names'][0].lstrip('/')} ({row['Status']})")
        if images:
            for row in client.images(all=False, filters={"label": labels.BUILT}):
                name = ", ".join(tag for tag in row.get("RepoTags") or () if tag != "<none>:<none>") or row["Id"]
                if remove:
                    client.remove_image(row["Id"], force=True)
                found.append(f"image {name} ({row['Size'] / 2**30:.1f} GiB)")
    except APIError as error:
        output.warn(f"the engine refused: {engine_words(error)}")
    finally:
        client.close()
    return found


def _folder(folder: Path, remove: bool) -> list[str]:
    from validator.errors import StoreError

    if not folder.is_dir():
        return []
    if remove:
        try:
            shutil.rmtree(folder)
        except OSError as error:
            raise StoreError(f"{folder} cannot be removed", why=error.strerror or "", hint="remove it by hand") from error
    return [f"folder {folder}"]
