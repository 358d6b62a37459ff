"""What every question can be answered in."""

from __future__ import annotations

import pkgutil
from importlib import import_module
from types import ModuleType

import pytest

from validator.report import answers
from validator.report.answers import formats

MODULES = [import_module(f"{answers.__name__}.{found.name}") for found in pkgutil.iter_modules(answers.__path__)]


def test_text_is_laid_out_for_the_width_and_json_is_not() -> None:
    made = formats(lambda answer, width: f"{answer} in {width}", lambda answer: {"answer": answer, "none": None})
    assert list(made) == ["text", "json"]
    assert made["text"]("yes", 80) == "yes in 80"
    assert made["json"]("ja – yes", 80) == '{\n  "answer": "ja – yes",\n  "none": null\n}'


@pytest.mark.parametrize("module", [each for each in MODULES if hasattr(each, "FORMATS")], ids=lambda each: each.__name__)
def test_every_question_has_its_own_text_and_json(module: ModuleType) -> None:
    assert module.FORMATS["text"] is module.as_text
    assert {"text", "json"} <= set(module.FORMATS)
    assert module.FORMATS["json"] is not module.as_json


def test_only_the_plan_is_shown_by_the_formats_of_a_report() -> None:
    assert [each.__name__ for each in MODULES if not hasattr(each, "FORMATS")] == ["validator.report.answers.plan"]
