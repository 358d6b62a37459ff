"""A name that is not known is quoted, and the one that was probably meant is suggested in the same words everywhere."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from validator.base.errors import ValidatorError
from validator.cli import cli


def said(*args: str) -> str:
    """What a person reads, in one line."""
    done = CliRunner().invoke(cli, list(args))
    assert done.exit_code != 0
    error = done.exception if isinstance(done.exception, ValidatorError) else ""
    return " ".join(f"{done.output} {error}".split())


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["rum"], "No such command 'rum'; did you mean 'run'?"),
        (["causes", "driver_to_old"], "there is no cause 'driver_to_old' try: did you mean 'driver_too_old'"),
        (["probe", "--checks", "improt"], "no check matches 'improt'; did you mean 'import'?"),
        (["check", "--torch", "2.7.1", "--cuda", "12.6", "--need", "fp61"], "--need 'fp61' is not known; did you mean 'fp16'?"),
        (["facts", "gpu", "GeForce RTX 4O90"], "no GPU 'GeForce RTX 4O90' in the facts; did you mean 'GeForce RTX 4090'"),
        (
            ["check", "--torch", "2.7.1", "--cuda", "12.6", "--gpu", "GeForce RTX 4O90"],
            "GPU 'GeForce RTX 4O90' is not in the facts; did you mean 'GeForce RTX 4090'",
        ),
        (["plan", "-t", "hots"], "-t 'hots' matches no target; did you mean 'host'?"),
    ],
    ids=lambda value: " ".join(value[:2]) if isinstance(value, list) else None,
)
def test_the_name_that_was_probably_meant_is_suggested(args: list[str], words: str) -> None:
    assert words in said(*args)


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["xyzzy"], "No such command 'xyzzy'; the commands are run, plan, "),
        (["causes", "xyzzy"], "there is no cause 'xyzzy' try: `validator causes` lists them"),
        (["probe", "--checks", "xyzzy"], "no check matches 'xyzzy' try: the checks here are import, "),
        (["check", "--torch", "2.7.1", "--cuda", "12.6", "--gpu", "xyzzy"], "GPU 'xyzzy' is not in the facts; give its compute"),
        (["plan", "-t", "xyzzy"], "-t 'xyzzy' matches no target why: "),
    ],
    ids=lambda value: " ".join(value[:2]) if isinstance(value, list) else None,
)
def test_where_no_name_is_similar_the_names_are_listed(args: list[str], words: str) -> None:
    assert words in said(*args)
