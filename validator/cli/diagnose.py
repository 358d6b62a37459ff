"""``validator diagnose``: the cause behind a log."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import click

from validator.base.text import quoted
from validator.cli.options import answer_format_option
from validator.cli.output import Output
from validator.report.answers import diagnosis as answer

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,40}")
_LONGEST_VALUE = 1000
#: First bytes of files whose text has to be unpacked first, and what unpacks them to stdout.
_MAGIC = (
    (b"\x1f\x8b", "gzip"),
    (b"\xfd7zXZ\x00", "xz"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
    (b"BZh", "bzip2"),
    (b"PK\x03\x04", "zip"),
)
_UNPACK = {"gzip": "zcat", "xz": "xzcat", "zstd": "zstdcat", "bzip2": "bzcat", "zip": "unzip -p"}


def _stated(_: click.Context, __: click.Parameter, values: tuple[str, ...]) -> dict[str, str]:
    found: dict[str, str] = {}
    for value in values:
        name, equals, text = value.partition("=")
        if not equals or not _NAME.fullmatch(name.strip()):
            raise click.BadParameter(f"{quoted(value)} is not NAME=VALUE, such as torch=2.7.1")
        if len(text) > _LONGEST_VALUE:
            raise click.BadParameter(f"the value of {name} is longer than {_LONGEST_VALUE} characters; a log goes into the file")
        found[name.strip().lower()] = text.strip()
    return found


def _packed(log: Path) -> str | None:
    """How a file is packed, by its first bytes; None if it is not, or cannot be read a second time."""
    try:
        with log.open("rb") as stream:
            head = stream.read(6) if log.is_file() else b""
    except OSError:
        return None
    return next((kind for magic, kind in _MAGIC if head.startswith(magic)), None)


@click.command("diagnose")
@click.argument("log", type=click.Path(path_type=Path, allow_dash=True))
@click.option(
    "--env",
    "stated",
    multiple=True,
    metavar="NAME=VALUE",
    callback=_stated,
    help="What is known of machine and environment: torch, cuda, python, gpu, driver, image, os, in_container, or others.",
)
@answer_format_option(answer.FORMATS)
@click.pass_obj
def command(output: Output, log: Path, stated: dict[str, str], format_name: str) -> None:
    """Name the cause behind a log.

    LOG is a file, or - for what comes on stdin: a training log, the output of docker, pip or kubectl, a kernel log; in any
    encoding, with colours and progress bars, of any length. It is read once. Exit code 0 when a cause is named, 4 when none can
    be, 3 when the log cannot be read.
    """
    from validator.base.errors import ExitCode, InvalidInputError
    from validator.diagnose import Evidence, diagnose

    try:
        if str(log) == "-":
            if sys.stdin is None or sys.stdin.closed:
                raise InvalidInputError("stdin is closed", why="`-` reads the log from it", hint="name a file, or pipe a log in")
            found = diagnose(Evidence(log=sys.stdin.buffer, stated=stated))
        else:
            with log.open("rb") as stream:
                found = diagnose(Evidence(log=stream, stated=stated))
    except OSError as error:
        raise InvalidInputError(
            f"{log}: the log cannot be read", why=error.strerror or str(error), hint="name a file, or - for stdin"
        ) from error
    output.result(answer.FORMATS[format_name](found, output.width))
    if not found.causes:
        if kind := _packed(log):
            output.note(f"{log} is packed ({kind}): give the text, such as `{_UNPACK[kind]} {log} | validator diagnose -`")
        raise click.exceptions.Exit(ExitCode.NOT_FOUND_OUT)
