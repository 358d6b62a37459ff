"""Every error says what, why and what to do, and knows the exit code it ends with."""

from __future__ import annotations

import pytest

from validator.base.errors import (
    AcquireError,
    EngineUnavailableError,
    ExitCode,
    InvalidInputError,
    MatrixError,
    NothingSelectedError,
    ReportFileError,
    StoreError,
    ValidatorError,
)


def test_the_message_says_what_why_and_what_to_do_in_that_order() -> None:
    error = ValidatorError("it broke", why="it was thin", hint="take a thicker one")
    assert str(error).splitlines() == ["it broke", "  why: it was thin", "  try: take a thicker one"]


def test_what_is_not_known_is_not_mentioned() -> None:
    assert str(ValidatorError("it broke")) == "it broke"
    assert str(ValidatorError("it broke", hint="mend it")) == "it broke\n  try: mend it"


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        (InvalidInputError, 3),
        (MatrixError, 3),
        (ReportFileError, 3),
        (AcquireError, 4),
        (EngineUnavailableError, 4),
        (StoreError, 4),
        (NothingSelectedError, 5),
    ],
)
def test_exit_codes_are_those_the_command_line_promises(kind: type[ValidatorError], code: int) -> None:
    assert kind("what").exit_code == code


def test_the_codes_themselves_are_a_promise_to_scripts() -> None:
    assert {code.name: code.value for code in ExitCode} == {
        "OK": 0,
        "FAILED": 1,
        "USAGE": 2,
        "INVALID_INPUT": 3,
        "NOT_FOUND_OUT": 4,
        "NOTHING_SELECTED": 5,
        "INTERRUPTED": 128 + 2,  # what a shell gives it
        "TERMINATED": 128 + 15,
    }
