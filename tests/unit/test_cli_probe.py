"""``validator probe``: the result as an object for programs, and an exit code that says what it is."""

from __future__ import annotations

import json
import subprocess
import sys


def probe(*options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "validator", "-q", "probe", *options], capture_output=True, text=True, timeout=120, check=False
    )


def test_json_is_one_object_with_every_check() -> None:
    # The interpreter of the tests has no torch, on purpose: the host side never needs it.
    done = probe("--device", "cpu", "--format", "json")
    document = json.loads(done.stdout)
    assert document["status"] == "fail"
    assert next(check["name"] for check in document["checks"]) == "import"
    assert done.returncode == 1


def test_an_interpreter_that_is_not_there_is_named() -> None:
    done = probe("--python", "/nowhere/python3")
    assert done.returncode == 3
    assert "/nowhere/python3" in done.stderr
    assert "Traceback" not in done.stderr
