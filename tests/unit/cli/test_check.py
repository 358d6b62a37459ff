"""validator check: the JSON of its answer, its exit codes, and what it says to values that are none."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from hypothesis import given, settings
from hypothesis import strategies as st

from validator.base.errors import InvalidInputError
from validator.catalogue.causes import catalogue
from validator.cli import cli


def _check(*args: str) -> Result:
    return CliRunner().invoke(cli, ["check", *args])


def test_the_answer_as_json() -> None:
    volta = ("--torch", "2.7.1", "--cuda", "12.8", "--gpu", "Tesla V100-SXM2-32GB", "--driver", "570.124.06")
    result = _check(*volta, "--format", "json")
    answer = json.loads(result.stdout)
    assert result.exit_code == 1
    assert list(answer) == ["verdict", "basis", "findings", "assumptions", "missing"]
    assert answer["verdict"] == "fail"
    assert answer["basis"] == "predicted"
    first = answer["findings"][0]
    assert list(first) == ["cause", "family", "severity", "message", "evidence", "remedy", "source"]
    assert first["cause"] == "arch_not_supported"
    assert "sm_75" in first["evidence"][0]
    assert "cu126" in first["remedy"]
    assert all(row["cause"] in catalogue() for row in answer["findings"])


@pytest.mark.parametrize(
    ("args", "code", "word"),
    [
        (("--torch", "2.7.1", "--cuda", "12.8", "--gpu", "RTX 5090", "--driver", "570.133.07"), 0, "pass"),
        (("--torch", "2.5.1", "--gpu", "T4", "--driver", "535.183.01"), 0, "degraded"),
        (("--torch", "2.15.0", "--gpu", "T4", "--driver", "535.183.01"), 1, "fail"),
        (("--torch", "2.99.0", "--gpu", "T4"), 4, "unknown"),
        (("--torch", "2.13.0", "--cuda", "cpu"), 0, "pass"),
        (("--cc", "12.0", "--torch", "2.6.0"), 1, "fail"),
        (("--image", "pytorch/pytorch:2.7.1-cuda12.8-cudnn9-runtime", "--gpu", "4090", "--driver", "550"), 0, "pass"),
        (("--torch", "2.2.2", "--cuda", "12.1", "--gpu", "V100", "--need", "bf16"), 1, "fail"),
        (("--gpu", "Tesla P4", "--driver", "580.95.05", "--open-modules"), 1, "fail"),
        (("--torch", "2.2.2", "--numpy", "2.0.0"), 1, "fail"),
        (("--torch", "2.7.1", "--glibc", "2.27"), 1, "fail"),
    ],
)
def test_exit_codes(args: tuple[str, ...], code: int, word: str) -> None:
    result = _check(*args)
    assert result.stdout.startswith(word)
    assert result.exit_code == code


@pytest.mark.parametrize(
    ("args", "says"),
    [
        ((), "nothing to judge"),
        (("--torch", "banana"), "torch version"),
        (("--torch", ""), "--torch is empty"),
        (("--torch", "2.7.1", "--cuda", "twelve"), "CUDA version"),
        (("--torch", "2.7.1", "--cc", "x"), "compute capability"),
        (("--gpu", "T4", "--driver", "12"), "driver"),
        (("--torch", "2.7.1", "--python", "three"), "Python version"),
        (("--torch", "2.7.1", "--need", "speed"), "--need"),
        (("--torch", "2.7.1", "--numpy", "new"), "version"),
        (("--torch", "2.7.1", "--glibc", "musl"), "musl (Alpine)"),
        (("--torch", "2.1.0+cu121", "--cuda", "11.8"), "contradict"),
        (("--torch", "2.1.0+cpu", "--cuda", "cu118"), "contradict"),
    ],
)
def test_values_that_are_none_are_invalid_input_and_say_what_would_be(args: tuple[str, ...], says: str) -> None:
    result = _check(*args)
    assert isinstance(result.exception, InvalidInputError)
    assert result.exception.exit_code == 3
    assert says in str(result.exception)
    assert result.exception.hint


@pytest.mark.parametrize("text", ["12", "12.0", "sm_120", "120"])
def test_a_capability_in_every_spelling(text: str) -> None:
    done = _check("--torch", "2.7.0", "--cuda", "12.6", "--cc", text)
    assert done.exit_code == 1
    assert "12.0" in done.stdout


def test_a_facts_file_of_ones_own(tmp_path: Path) -> None:
    path = tmp_path / "facts.yaml"
    path.write_text("gpus:\n  Thing 9000: {cc: 8.6, line: workstation}\n", encoding="utf-8")
    stack = ("--torch", "2.7.1", "--cuda", "12.8", "--gpu", "Thing 9000", "--driver", "570.133.07")
    assert _check(*stack).exit_code == 4
    assert _check(*stack, "--facts", str(path)).exit_code == 0


def test_the_text_shows_evidence_remedy_and_what_was_assumed() -> None:
    text = _check("--torch", "2.15.0", "--gpu", "4090", "--driver", "575.57.08").stdout
    assert "575.57.08 < 580.65.06" in text
    assert "install driver 580.65.06" in text
    assert "assumed:" in text
    assert "CUDA 13.2" in text


_OPTIONS = ("--torch", "--cuda", "--python", "--image", "--gpu", "--cc", "--driver", "--numpy", "--glibc", "--need")
_ODD = ("9" * 99, "2.7.1+" + "a" * 300, "2.7.0rc3", "2.5.0+xpu", "cu99999", "CUDA 99.9", "99xx", "nvidia/cuda:99.9", "@")
_LIKE_VERSIONS = st.text(alphabet="0123456789.+-_abcudevrox٣² ½\n\x00", max_size=30)
_VALUES = st.text(max_size=40) | _LIKE_VERSIONS | st.sampled_from(_ODD)


@settings(max_examples=150, deadline=None)
@given(given_values=st.dictionaries(st.sampled_from(_OPTIONS), _VALUES, max_size=6))
def test_whatever_is_given_there_is_a_verdict_or_an_error_that_says_what_is_wrong(given_values: dict[str, str]) -> None:
    result = _check(*(f"{option}={value}" for option, value in given_values.items()))
    if result.exit_code not in (0, 1, 4):
        assert isinstance(result.exception, InvalidInputError)
        assert len(str(result.exception)) < 2000


def test_a_value_of_absurd_length_is_not_repeated() -> None:
    for option in _OPTIONS[:7]:
        result = _check(option, "9" * 50_000)
        assert isinstance(result.exception, InvalidInputError)
        assert "50000 characters" in str(result.exception)


@pytest.mark.parametrize(
    "given",
    [
        ("--torch", "2.7.1"),
        ("--cuda", "12.8"),
        ("--python", "3.12"),
        ("--image", "a:1"),
        ("--gpu", "T4"),
        ("--cc", "7.5"),
        ("--driver", "580.95.05"),
    ],
)
def test_one_value_is_enough_to_judge_by(given: tuple[str, str]) -> None:
    assert _check(*given).exit_code in (0, 4)


@pytest.mark.parametrize("given", [("--numpy", "1.26.4"), ("--glibc", "2.27"), ("--need", "bf16"), ("--open-modules",)])
def test_what_only_stands_beside_something_is_not(given: tuple[str, ...]) -> None:
    assert "nothing to judge" in str(_check(*given).exception)


@pytest.mark.parametrize(("length", "is_judged"), [(500, True), (501, False)])
def test_the_longest_value_that_is_judged(length: int, is_judged: bool) -> None:
    result = _check("--torch", "2.7.1", "--image", "a" * length)
    assert (result.exit_code in (0, 4)) is is_judged
    if not is_judged:
        assert str(result.exception) == "--image has 501 characters\n  why: no value has more than 500"
