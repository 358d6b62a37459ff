"""docs/upgrade.md shows what the commands really print: every `$ validator …` in it is run again, on the matrix it shows.

`python tests/unit/docs/test_upgrade_page.py` writes the output anew.
"""

from __future__ import annotations

import os
import re
import sys
import tempfile
from pathlib import Path
from unittest import mock

from click.testing import CliRunner

from validator.cli import cli
from validator.model import NvmlInfo

DOCUMENT = Path(__file__).parents[3] / "docs" / "upgrade.md"
_BLOCK = re.compile(r"```console\n\$ validator ([^\n]+)\n(.*?)```\n", re.DOTALL)
_WIDTH = "110"


def _output(arguments: str, folder: Path) -> str:
    """What a command prints beside the matrix, on a machine without a GPU."""
    import shlex

    nvml = NvmlInfo(problem="no NVIDIA driver is loaded", problem_kind="no_driver")
    environ = {"COLUMNS": _WIDTH, "DOCKER_HOST": "unix:///run/docker.sock"}
    before = Path.cwd()
    os.chdir(folder)
    try:
        with mock.patch("validator.host.nvml.query", return_value=nvml):
            done = CliRunner(env=environ).invoke(cli, shlex.split(arguments))
    finally:
        os.chdir(before)
    assert done.exit_code in (0, 1), done.output
    # The version of the validator is no part of the example.
    return re.sub(r", validator [0-9][\w.+-]*", "", done.stdout)


def _renewed(text: str) -> str:
    matrix = re.search(r"```yaml\n(version: 1\n.*?)```", text, re.DOTALL)
    assert matrix is not None
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "matrix.yaml").write_text(matrix[1], encoding="utf-8")
        return _BLOCK.sub(lambda block: f"```console\n$ validator {block[1]}\n{_output(block[1], Path(folder))}```\n", text)


def test_every_example_is_what_the_command_prints() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    assert len(_BLOCK.findall(text)) == 4
    assert _renewed(text) == text


if __name__ == "__main__":
    DOCUMENT.write_text(_renewed(DOCUMENT.read_text(encoding="utf-8")), encoding="utf-8")
    sys.exit()
