"""``validator init``: a matrix to start from."""

from __future__ import annotations

import shutil
from pathlib import Path

import click

from validator.cli.output import Output


@click.command("init")
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False), default=Path())
@click.pass_obj
def command(output: Output, folder: Path) -> None:
    """Write a matrix.yaml to start from, with the image it builds.

    Copies the shipped matrix.yaml and images/ into FOLDER (default: here). Nothing that exists is overwritten.
    """
    from validator.base.errors import InvalidInputError, StoreError
    from validator.base.resources import shipped_folder
    from validator.matrix import schema_text

    shipped = shipped_folder()
    matrix, images, schema = folder / "matrix.yaml", folder / "images", folder / "matrix.schema.json"
    for path in (matrix, images, schema):
        if path.exists():
            raise InvalidInputError(
                f"{path} exists already", why="init overwrites nothing", hint="move it away, or name another folder"
            )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        text = (shipped / "matrix.yaml").read_text(encoding="utf-8")
        matrix.write_text(text.replace("$schema=validator/data/", "$schema="), encoding="utf-8")
        schema.write_text(schema_text(), encoding="utf-8")
        shutil.copytree(shipped / "images", images)
    except OSError as error:
        raise StoreError(
            f"{error.filename or folder} cannot be written", why=error.strerror or "", hint="name a folder you may write to"
        ) from error
    output.result(f"written: {matrix}, {schema}, {images}/\nnext: edit {matrix}, then `validator plan` and `validator run`")
