"""Which checks are sent: by level, by glob with what is needed pulled in, in the order of the registry."""

from __future__ import annotations

import pytest

from validator.catalogue import checks
from validator.model import Level


def names(specs: list[checks.CheckSpec]) -> list[str]:
    return [spec.name for spec in specs]


EVERYTHING = checks.selected({}, inspect=False)


def test_a_glob_pulls_in_what_is_needed_and_keeps_the_order() -> None:
    assert names(checks.chosen(["train_amp_*"], EVERYTHING)) == [
        "import",
        "device",
        "train_fp32",
        "train_amp_fp16",
        "train_amp_bf16",
    ]
    assert names(checks.chosen(["device", "import"], EVERYTHING)) == ["import", "device"]


def test_a_glob_that_matches_nothing_is_named() -> None:
    with pytest.raises(KeyError, match="trian"):
        checks.chosen(["import", "trian*"], EVERYTHING)


def test_a_check_set_to_skip_is_not_brought_back_by_a_glob() -> None:
    without = checks.selected({"train_amp_bf16": Level.SKIP}, inspect=False)
    assert "train_amp_bf16" not in names(checks.chosen(["train_*"], without))


def test_what_a_user_model_is_needed_for_is_left_out_without_one() -> None:
    wanting = {name for name, spec in checks.registry().items() if spec.model}
    assert wanting.isdisjoint(names(EVERYTHING))
    assert wanting <= set(names(checks.selected({}, inspect=False, model=True)))


def test_only_import_and_the_training_checks_are_required() -> None:
    required = {name for name, level in checks.levels({}).items() if level is Level.REQUIRED}
    assert {"import", "device", "train_fp32", "train_amp_fp16", "train_amp_bf16"} <= required
