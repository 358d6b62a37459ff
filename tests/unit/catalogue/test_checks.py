"""Which checks are sent: by level, by glob with what is needed pulled in, in the order of the registry."""

from __future__ import annotations

import pytest

from validator.base.data_files import read_mapping
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
    assert [name for name, spec in checks.registry().items() if spec.model] == ["model"]
    assert "model" not in names(EVERYTHING)
    assert set(names(checks.selected({}, inspect=False, model=True))) == {"model", *names(EVERYTHING)}


def test_an_environment_that_is_only_opened_gets_the_checks_that_need_no_gpu() -> None:
    assert names(checks.selected({}, inspect=True, model=True)) == ["import"]


@pytest.mark.parametrize(
    ("glob", "wanted"), [("train_amp_fp16", ["import", "device", "train_fp32", "train_amp_fp16"]), ("i*t", ["import"])]
)
def test_what_a_needed_check_needs_is_pulled_in_too(glob: str, wanted: list[str]) -> None:
    assert names(checks.chosen([glob], EVERYTHING)) == wanted


def test_the_matrix_may_set_any_level_but_only_of_what_it_names() -> None:
    levels = checks.levels({"device": Level.SKIP})
    assert levels["device"] is Level.SKIP
    assert {name: level for name, level in levels.items() if name != "device"} == {
        name: spec.level for name, spec in checks.registry().items() if name != "device"
    }


def test_a_check_is_what_its_row_says() -> None:
    for name, row in read_mapping("checks.yaml").items():
        spec = checks.registry()[name]
        assert (spec.name, spec.level.value, spec.deadline_seconds) == (name, row["level"], row["deadline_seconds"])
        assert (list(spec.needs), spec.inspect, spec.model) == (row["needs"], row["inspect"], row.get("model", False))
        assert spec.deadline_seconds > 0


def test_what_a_check_needs_runs_before_it_and_wherever_it_runs() -> None:
    order = list(checks.registry())
    for spec in checks.registry().values():
        for need in spec.needs:
            assert order.index(need) < order.index(spec.name)
            assert checks.registry()[need].inspect or not spec.inspect


def test_only_what_training_needs_is_required() -> None:
    required = {name for name, level in checks.levels({}).items() if level is Level.REQUIRED}
    assert required == {"import", "device", "kernels", "train_fp32", "train_amp_fp16", "train_amp_bf16", "model"}
