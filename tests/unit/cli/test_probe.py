"""``validator probe``: the result as an object for programs, and an exit code that says what it is."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from validator.catalogue.checks import registry


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


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--checks", "trian_*"], ["no check matches 'trian_*'", "the checks here are import, "]),
        (["--model", "a:b", "--input", "3", "--device", "none"], ["--model with --device none"]),
        (["--checks", "model"], ["no check matches 'model'", "needs --model"]),
        (["--model", "net.py:build"], ["--model needs --input"]),
        (["--input", "3x8x8", "--batch", "2"], ["--input, --batch without --model"]),
        (["--model", "/nowhere/net.py:build", "--input", "3x8x8"], ["/nowhere/net.py' cannot be read: No such file"]),
        (["--model", "net.py", "--input", "3x8x8"], ["'net.py' is not path.py:factory or module:factory"]),
        (["--model", "a:b", "--input", "3x8", "--amp-dtype", "fp16"], ["'fp16' is not float16 or bfloat16"]),
    ],
)
def test_what_cannot_be_asked_is_answered_in_one_sentence(options: list[str], said: list[str]) -> None:
    done = probe(*options)
    assert done.returncode == 3
    assert "Traceback" not in done.stderr
    for words in said:
        assert words in done.stderr


def test_only_the_checks_asked_for_run_and_what_they_need() -> None:
    done = probe("--device", "cpu", "--format", "json", "--checks", "train_amp_fp16,bf16")
    names = [check["name"] for check in json.loads(done.stdout)["checks"]]
    assert names == ["import", "device", "train_fp32", "train_amp_fp16", "bf16"]


def test_quick_is_import_device_and_training() -> None:
    names = {check["name"] for check in json.loads(probe("--device", "cpu", "--format", "json", "--quick").stdout)["checks"]}
    assert names == {"import", "device", "train_fp32", "train_amp_fp16", "train_amp_bf16"}


def test_the_checks_are_listed_with_their_levels() -> None:
    done = probe("--list")
    assert done.returncode == 0
    assert [line.split()[0] for line in done.stdout.splitlines()] == list(registry())
    assert "required" in done.stdout.splitlines()[0]
