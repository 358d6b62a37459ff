"""The words that answers and results files hold are frozen: files that people keep, and programs that read them, have them."""

from __future__ import annotations

from enum import Enum

import pytest

from validator.model import Action, AssumptionKind, Basis, CheckStatus, Level, MissingKind, Outlook, Severity, Status

FROZEN: dict[type[Enum], str] = {
    Status: "pass degraded fail error skip",
    Basis: "predicted inspected measured",
    Level: "required advisory skip",
    CheckStatus: "pass warn fail skip",
    Action: "measure inspect skip",
    Severity: "fail error unknown degraded info",
    Outlook: "pass degraded fail unknown",
    AssumptionKind: "image_name gpu_name driver_name default nearest not_given container unstated",
    MissingKind: "no_gpu_here facts image input unstated",
}


@pytest.mark.parametrize("kind", FROZEN)
def test_the_words_of_a_kind(kind: type[Enum]) -> None:
    assert [member.value for member in kind] == FROZEN[kind].split()


def test_severities_rank_in_the_order_in_which_they_count() -> None:
    assert [severity.rank for severity in Severity] == [0, 1, 2, 3, 4]
    assert min((Severity.DEGRADED, Severity.UNKNOWN), key=lambda severity: severity.rank) is Severity.UNKNOWN


@pytest.mark.parametrize(
    ("status", "works", "fact"),
    [
        (Status.PASS, True, True),
        (Status.DEGRADED, True, True),
        (Status.FAIL, False, True),
        (Status.ERROR, False, False),
        (Status.SKIP, False, False),
    ],
)
def test_what_a_status_says(status: Status, works: bool, fact: bool) -> None:
    assert (status.works, status.is_fact) == (works, fact)


@pytest.mark.parametrize("outlook", Outlook)
def test_only_pass_and_degraded_are_expected_to_train(outlook: Outlook) -> None:
    assert outlook.works is (outlook in (Outlook.PASS, Outlook.DEGRADED))
