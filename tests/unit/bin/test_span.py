"""The measured page: what counts as the probe's own fault, and what may stand in a table. The list of stacks."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "span"))
import page
import stacks

PLANNED = ["import", "device"]


def check(name="import", status="pass", message="holds", metrics=None, died=None):
    return {"name": name, "status": status, "seconds": 0.25, "message": message, "metrics": metrics or {}, "died": died}


def raising(kind, place):
    return check("device", "fail", f"{kind}: x", {"raised": kind, "raised_at": place})


def record(*checks, status="degraded", **more):
    cell = {
        "status": status,
        "reason": "the matrix says cpu",
        "content": {"torch": "2.6.0", "cuda": "12.4", "python": "3.11.2"},
        "checks": list(checks or (check(), check("device"))),
        "seconds": {"acquire": 61.0, "probe": 12.0},
    }
    stack = {"id": "torch2.6.0-py3.11", "base": "bookworm", "python": None}
    words = {"runner": "docker", "tool": "tool 1", "date": "2026-01-01", "cpu": "a CPU", "load": 1.5, "probe": "abc"}
    return {"stack": stack, "cell": cell, **words, **more}


@pytest.mark.parametrize(
    ("found", "fault"),
    [
        (record(), None),
        (record(check(status="fail"), check("device", "skip")), None),
        (record(check(), raising("RuntimeError", "validator_probe/x.py:1")), None),
        (record(check(), raising("UnpicklingError", "torch/x.py:1")), "device raised UnpicklingError: x at torch/x.py:1"),
        (record(check(), raising("TypeError", "validator_probe/x.py:1")), "device raised TypeError: x at validator_probe/x.py:1"),
        (record(check(), check("device", "fail", died="signal 11 (SIGSEGV)")), "device died: signal 11 (SIGSEGV)"),
        (record(check()), "no answer from device"),
        (record(status="error"), "the cell is an error: the matrix says cpu"),
    ],
)
def test_only_what_the_probe_did_itself_is_its_own_fault(found, fault):
    assert page.own_faults(found, PLANNED) == ([fault] if fault else [])


def test_the_page_counts_whole_reports_and_names_the_others():
    broken = record(check(message="a|b <b>\nc"))
    absent = {"stack": {"id": "torch1.0.0-py3.6", "base": None, "python": "3.6"}, "unavailable": "no python3.6"}
    text = page.render([record(), broken, absent], PLANNED)
    assert "1 of 3 stacks gave a complete report" in text
    assert "- **torch2.6.0-py3.11**: no answer from device" in text
    assert "not measured: no python3.6" in text
    assert "for whatever reason:\n\n- none\n" in text
    assert "| a\\|b &lt;b> c |" in text


def test_the_page_tells_every_failure():
    text = page.render([record(check(), check("device", "fail", "wrong numbers"))], PLANNED)
    assert "- **torch2.6.0-py3.11**, `device`: wrong numbers" in text


def test_every_row_of_a_table_has_as_many_cells_as_its_head():
    absent = {"stack": {"id": "torch1.0.0-py3.6", "base": None, "python": "3.6"}, "error": "pip ended with 1"}
    tables = [part for part in page.render([record(), absent], PLANNED).split("\n\n") if part.startswith("|")]
    assert len(tables) == 3
    for table in tables:
        assert len({line.count("|") for line in table.splitlines()}) == 1, table


def test_every_stack_says_where_it_runs_and_keeps_numpy_1_beside_a_torch_that_was_compiled_for_it():
    for stack in stacks.load():
        assert (stack.base is None) != (stack.python is None)
        release = tuple(map(int, stack.torch.split(".")[:2]))
        assert ("<" in stack.numpy) == (release < (2, 3)), stack.id


@pytest.mark.parametrize(("globs", "count"), [(("2.6.0",), 2), (("torch2.6.0-py3.13",), 1), (("1.?.*",), 5), (("nothing",), 0)])
def test_stacks_are_chosen_by_id_or_version(globs, count):
    assert len(stacks.chosen(globs)) == count
