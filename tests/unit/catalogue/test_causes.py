"""The catalogue as it is loaded: every row of every file, with every field."""

from __future__ import annotations

import pytest

from validator.base.data_files import read_mapping
from validator.base.resources import DATA
from validator.catalogue.causes import Family, catalogue
from validator.model import UNKNOWN_CAUSE, Severity

FILES = {family: read_mapping(f"causes/{family.value}.yaml") for family in Family}


def test_every_file_is_a_family_and_every_family_a_file() -> None:
    assert {path.stem for path in (DATA / "causes").iterdir()} == {family.value for family in Family}


def test_causes_stand_in_the_order_of_the_families_and_their_files() -> None:
    """So no ident is in two files either: one of the two would be missing."""
    assert list(catalogue()) == [ident for rows in FILES.values() for ident in rows]


@pytest.mark.parametrize("family", Family)
def test_a_cause_has_what_its_row_says(family: Family) -> None:
    assert FILES[family]
    for ident, row in FILES[family].items():
        cause = catalogue()[ident]
        assert (cause.ident, cause.family) == (ident, family)
        assert cause.severity.value == row["severity"]
        for field in ("title", "explanation", "remedy", "confirm", "neighbours"):
            assert getattr(cause, field) == row[field], f"{ident}: {field}"
        assert list(cause.sources) == row["sources"]


def test_a_cause_that_everyone_meets() -> None:
    cause = catalogue()["driver_too_old"]
    assert (cause.family, cause.severity) == (Family.ENVIRONMENT, Severity.FAIL)


def test_no_cause_has_the_name_that_stands_for_none() -> None:
    assert UNKNOWN_CAUSE == "unknown", "results.json has this word"
    assert UNKNOWN_CAUSE not in catalogue()
