"""``validator schema``: the JSON Schema of matrix.yaml."""

from __future__ import annotations

from pathlib import Path

import click

from validator.cli.output import Output


@click.command("schema")
@click.option(
    "--write",
    type=click.Path(path_type=Path, dir_okay=False),
    is_flag=False,
    flag_value="matrix.schema.json",
    help="Write it to a file instead (without a name: matrix.schema.json).",
)
@click.pass_obj
def command(output: Output, write: Path | None) -> None:
    """Print the JSON Schema of matrix.yaml.

    Editors complete and check a matrix by it: name it in the first line of the file,
    `# yaml-language-server: $schema=PATH`.
    """
    from validator.base.errors import StoreError
    from validator.matrix import schema_text

    text = schema_text()
    if write is None:
        output.result(text)
        return
    try:
        write.write_text(text, encoding="utf-8")
    except OSError as error:
        raise StoreError(f"{write} cannot be written", why=error.strerror or "", hint="name another file") from error
    output.note(f"written: {write}")
