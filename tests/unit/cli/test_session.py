"""From options to values: which file goes before which, and what is said of one that cannot be read."""

from __future__ import annotations

from pathlib import Path

import pytest
from values import every_kind, matrix

from validator.base.errors import InvalidInputError, ReportFileError
from validator.cli.output import Output
from validator.cli.session import load_facts, load_matrix, load_results, needs_of, this_machine
from validator.facts import load
from validator.results import dump

OWN = "gpus:\n  {name}: {{cc: '9.0', line: datacenter, memory_gb: 80}}\n"
MATRIX = "version: 1\nenvironments:\n  - image: mine/torch:{torch}\n    torch: ['2.7.1']\ntargets: [host]\n"


def test_facts_of_the_option_go_before_those_of_the_matrix(tmp_path: Path) -> None:
    option, of_matrix = tmp_path / "option.yaml", tmp_path / "matrix-facts.yaml"
    option.write_text(OWN.format(name="Option GPU"), encoding="utf-8")
    of_matrix.write_text(OWN.format(name="Matrix GPU"), encoding="utf-8")
    both = matrix(facts=of_matrix)
    assert "Option GPU" in load_facts(option, both).raw["gpus"]
    assert "Matrix GPU" not in load_facts(option, both).raw["gpus"]
    assert "Matrix GPU" in load_facts(None, both).raw["gpus"]
    assert load_facts(None).raw["gpus"].keys() == load().raw["gpus"].keys()


def test_a_matrix_is_the_one_named_else_the_one_here_else_the_one_shipped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    shipped = load_matrix(None, Output())
    assert len(shipped.environments) > 2
    assert "no matrix.yaml here: using the one shipped" in capsys.readouterr().err
    Path("matrix.yaml").write_text(MATRIX, encoding="utf-8")
    assert [each.torch for each in load_matrix(None, Output()).environments] == ["2.7.1"]
    Path("other.yaml").write_text(MATRIX.replace("2.7.1", "2.6.0"), encoding="utf-8")
    assert [each.torch for each in load_matrix(Path("other.yaml"), Output()).environments] == ["2.6.0"]
    assert capsys.readouterr().err == ""


def test_results_are_read_whole(tmp_path: Path) -> None:
    file = tmp_path / "results.json"
    file.write_text(dump(every_kind()), encoding="utf-8")
    assert load_results(file).run == every_kind().run


def test_results_that_cannot_be_read_say_why(tmp_path: Path) -> None:
    with pytest.raises(ReportFileError, match=r"none\.json cannot be read\n.*No such file"):
        load_results(tmp_path / "none.json")
    (tmp_path / "bytes.json").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ReportFileError, match=r"bytes\.json cannot be read\n.*it is not UTF-8 text"):
        load_results(tmp_path / "bytes.json")
    (tmp_path / "other.json").write_text("{}", encoding="utf-8")
    with pytest.raises(ReportFileError, match=r"other\.json"):
        load_results(tmp_path / "other.json")


@pytest.mark.parametrize(
    ("lists", "needs"),
    [((), ()), (("",), ()), (("bf16,fp8", "compile bf16"), ("bf16", "fp8", "compile")), (("fp16",), ("fp16",))],
)
def test_what_must_work_is_named_in_one_list_or_several(lists: tuple[str, ...], needs: tuple[str, ...]) -> None:
    assert needs_of(lists, load()) == needs


def test_what_nobody_knows_cannot_be_needed() -> None:
    with pytest.raises(InvalidInputError, match="--need 'speed' is not known") as raised:
        needs_of(("bf16,speed",), load())
    assert "bf16" in raised.value.hint
    assert "-3." not in raised.value.hint  # a row for one Python is no need of its own


def test_this_machine_asks_no_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("validator.runners.docker.engine.connect", lambda *_: pytest.fail("an engine was asked"))
    assert this_machine().engine.problem == "not asked: nothing is run"
