"""plan, recommend, upgrade and facts on the command line: what they print, their exit codes, and that they ask no engine."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from values import L4_HOST, environment, report, result

from validator.base.errors import InvalidInputError, ReportFileError
from validator.cli import cli
from validator.model import Content, HostInfo, NvmlInfo, Status
from validator.results import dump

MATRIX = """\
version: 1
environments:
  - image: pytorch/pytorch:{torch}-cuda{cuda}-cudnn9-runtime
    include:
      - {torch: "2.10.0", cuda: "12.6"}
      - {torch: "2.10.0", cuda: "13.0"}
targets:
  - host
  - {gpu: NVIDIA L4, driver: ["535.183.01", "580.95.05"]}
  - {gpu: NVIDIA GeForce RTX 5090, driver: "580.95.05"}
"""
L4_OLD, L4_NEW, RTX = "l4-535.183.01", "l4-580.95.05", "rtx-5090-580.95.05"


@pytest.fixture(autouse=True)
def nothing_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without a GPU, an engine address at which nobody may knock, and the matrix in the current folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DOCKER_HOST", "tcp://192.0.2.1:2375")  # TEST-NET: a question there would hang
    no_driver = NvmlInfo(problem="no driver here", problem_kind="no_driver")
    monkeypatch.setattr("validator.host.nvml.query", lambda _timeout: no_driver)
    monkeypatch.setattr("validator.runners.docker.engine.connect", lambda *_: pytest.fail("an engine was asked"))
    Path("matrix.yaml").write_text(MATRIX, encoding="utf-8")


def asked(*args: str) -> Result:
    return CliRunner().invoke(cli, list(args))


def answer(*args: str) -> dict[str, Any]:
    return json.loads(asked(*args, "--format", "json").stdout)  # type: ignore[no-any-return]


# ---------------------------------------------------------------- plan


def test_plan_predicts_every_cell_and_says_what_a_run_would_do() -> None:
    shown = answer("plan")
    status = {row["id"]: row["status"] for row in shown["cells"]}
    assert status == {
        "torch2.10.0-cu126@host": "skip",
        f"torch2.10.0-cu126@{L4_OLD}": "pass",
        f"torch2.10.0-cu126@{L4_NEW}": "pass",
        f"torch2.10.0-cu126@{RTX}": "fail",
        "torch2.10.0-cu130@host": "skip",
        f"torch2.10.0-cu130@{L4_OLD}": "fail",
        f"torch2.10.0-cu130@{L4_NEW}": "pass",
        f"torch2.10.0-cu130@{RTX}": "pass",
    }
    row = next(row for row in shown["cells"] if row["id"] == f"torch2.10.0-cu126@{RTX}")
    assert row["predicted"]["findings"][0]["cause"] == "arch_not_supported"
    assert (row["action"], shown["runner"]) == ("skip", "docker")
    assert "not asked" in shown["runner_reason"]


@pytest.mark.parametrize("format_name", ["table", "markdown"])
def test_plan_is_readable_in_both_forms(format_name: str) -> None:
    done = asked("plan", "--format", format_name)
    assert done.exit_code == 0
    text = done.stdout.replace("\\_", "_")
    for word in ("Predicted: nothing was run", "arch_not_supported", "driver_too_old"):
        assert word in text
    assert ("Try:" if format_name == "markdown" else "try:") in text
    assert "A run would" in text


def test_plan_says_what_would_be_opened() -> None:
    text = asked("plan", "--inspect").stdout
    assert "open: opened without a GPU" in text
    assert all(row["action"] == "inspect" for row in answer("plan", "--inspect")["cells"])


def test_plan_takes_facts_of_ones_own_from_the_matrix_and_from_the_option() -> None:
    Path("own.yaml").write_text('gpus:\n  Own GPU 9000: {cc: "9.0", line: datacenter, memory_gb: 80}\n', encoding="utf-8")
    matrix = MATRIX + "  - {gpu: Own GPU 9000, driver: '580.95.05'}\n"
    Path("matrix.yaml").write_text(matrix, encoding="utf-8")
    own_cell = "torch2.10.0-cu126@own-gpu-9000-580.95.05"
    assert {row["id"]: row["status"] for row in answer("plan")["cells"]}[own_cell] == "skip"
    assert {row["id"]: row["status"] for row in answer("plan", "--facts", "own.yaml")["cells"]}[own_cell] == "pass"
    Path("matrix.yaml").write_text(matrix + "facts: own.yaml\n", encoding="utf-8")
    assert {row["id"]: row["status"] for row in answer("plan")["cells"]}[own_cell] == "pass"


def test_plan_needs_neither_torch_nor_an_engine_to_be_imported() -> None:
    code = "import sys; from click.testing import CliRunner; from validator.cli import cli; CliRunner().invoke(cli, ['plan'])\n"
    code += "print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "False"


# ---------------------------------------------------------------- recommend


def test_recommend_gives_lines_to_copy_and_a_cause_for_each_of_the_rest() -> None:
    done = asked("recommend", "--gpu", "Tesla V100-SXM2-16GB", "--driver", "535.183.01")
    assert done.exit_code == 0
    assert "FROM pytorch/pytorch:" in done.stdout
    assert "docker pull pytorch/pytorch:" in done.stdout
    found = answer("recommend", "--gpu", "Tesla V100-SXM2-16GB", "--driver", "535.183.01")
    assert {row["verdict"] for row in found["recommended"]} <= {"pass", "degraded"}
    assert all(row["predicted"]["findings"] for row in found["rejected"])
    for row in found["rejected"]:
        assert row["id"] in done.stdout


def test_every_line_of_a_dockerfile_is_one_and_what_nobody_has_seen_is_marked_above_it() -> None:
    lines = [line.strip() for line in asked("recommend", "--gpu", "H100", "--driver", "580.95.05", "--all").stdout.splitlines()]
    for number, line in enumerate(lines):
        if line.startswith("FROM"):
            assert re.fullmatch(r"FROM [\w./:+-]+", line)
            assert lines[number + 1] == f"docker pull {line.removeprefix('FROM ')}"
            if lines[number - 1].startswith("#"):
                assert lines[number + 2].startswith("pip install torch==")
    assert any(line.startswith("# named as its family is") for line in lines)
    assert any(line.startswith("FROM") and not lines[number - 1].startswith("#") for number, line in enumerate(lines))


def test_recommend_goes_further_back_where_no_recent_torch_fits() -> None:
    kepler = answer("recommend", "--gpu", "Tesla K80", "--driver", "470.82.01")["recommended"]
    assert (kepler[0]["torch"], kepler[0]["cuda"]) == ("2.3.1", "11.8")
    nothing = answer("recommend", "--gpu", "Quadro K6000", "--driver", "470.82.01")
    assert nothing["recommended"] == []
    assert nothing["rejected"]


def test_recommend_chooses_among_the_environments_of_a_matrix() -> None:
    found = answer("recommend", "--gpu", "RTX 5090", "--driver", "580.95.05", "-m", "matrix.yaml")
    assert [row["id"] for row in found["recommended"]] == ["torch2.10.0-cu130"]
    assert [(row["id"], row["predicted"]["findings"][0]["cause"]) for row in found["rejected"]] == [
        ("torch2.10.0-cu126", "arch_not_supported")
    ]


def test_recommend_needs() -> None:
    on_t4 = ("recommend", "--gpu", "T4", "--driver", "580.95.05", "-m", "matrix.yaml")
    assert asked(*on_t4).exit_code == 0
    rejected = asked(*on_t4, "--need", "fp8")
    assert rejected.exit_code == 1
    assert "fp8_unsupported" in rejected.stdout


def test_recommend_for_a_python_gives_wheels() -> None:
    found = answer("recommend", "--gpu", "L4", "--driver", "580", "--python", "3.12")
    assert all("pip" in row and "from" not in row for row in found["recommended"])
    old = answer("recommend", "--gpu", "L4", "--driver", "580", "--python", "3.9")
    causes = {finding["cause"] for row in old["rejected"] for finding in row["predicted"]["findings"]}
    assert "python_version_unsupported" in causes


def test_recommend_puts_what_was_measured_first() -> None:
    measured = environment("torch2.10.0-cu126", cuda="12.6", torch="2.10.0")
    kept = report(result(Status.PASS, measured, reason="trains: fp32"), host=L4_HOST)
    Path("results.json").write_text(dump(kept), encoding="utf-8")
    found = answer("recommend", "--gpu", "L4", "--driver", "580.95.05", "-m", "matrix.yaml", "--results", "results.json")
    first = found["recommended"][0]
    assert (first["id"], first["basis"], first["reason"]) == ("torch2.10.0-cu126", "measured", "measured: trains: fp32")


def test_recommend_without_a_gpu_here_wants_to_know_which() -> None:
    done = asked("recommend")
    assert isinstance(done.exception, InvalidInputError)
    assert "--gpu" in done.exception.hint


@pytest.mark.parametrize(
    ("options", "target", "asked_about"),
    [
        ((), "NVIDIA L4, driver 580.95.05", ("NVIDIA L4", None, "580.95.05")),
        (("--driver", "535.183.01"), "NVIDIA L4, driver 535.183.01", ("NVIDIA L4", None, "535.183.01")),
        (("--gpu", "T4"), "T4", ("T4", None, None)),
        (("--cc", "9.0", "--driver", "580"), "compute capability 9.0, driver 580", (None, "9.0", "580")),
    ],
)
def test_recommend_takes_from_this_machine_what_is_not_given(
    options: tuple[str, ...], target: str, asked_about: tuple[str | None, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("validator.host.nvml.query", lambda _timeout: L4_HOST.nvml)
    assert asked("recommend", "-m", "matrix.yaml", *options).stdout.startswith(f"For {target} (facts of ")
    assert tuple(answer("recommend", "-m", "matrix.yaml", *options)["target"].values()) == asked_about


def test_recommend_wants_a_name_or_a_capability_and_not_both() -> None:
    done = asked("recommend", "--gpu", "T4", "--cc", "7.5")
    assert (done.exit_code, "--gpu or --cc, not both" in done.output) == (2, True)


def test_recommend_among_a_matrix_for_a_python_leaves_out_what_holds_another() -> None:
    matrix = MATRIX.replace('{torch: "2.10.0", cuda: "13.0"}', '{torch: "2.10.0", cuda: "13.0", python: "3.11"}')
    Path("matrix.yaml").write_text(matrix, encoding="utf-8")
    place = ("recommend", "--gpu", "L4", "--driver", "580.95.05", "-m", "matrix.yaml", "--python")
    assert len(answer(*place[:-1])["recommended"]) == 2
    assert len(answer(*place, "3.11")["recommended"]) == 2
    assert len(answer(*place, "3.12")["recommended"]) == 1


def test_recommend_shows_five_or_all_and_where_nothing_fits_exits_1() -> None:
    few, every = (asked("recommend", "--gpu", "L4", "--driver", "580.95.05", *more).stdout for more in ((), ("--all",)))
    assert "\n5. " in few
    assert "\n6. " not in few
    assert "\n6. " in every
    assert asked("recommend", "--gpu", "Quadro K6000", "--driver", "470.82.01").exit_code == 1


def test_recommend_without_a_driver_says_that_none_was_judged() -> None:
    done = asked("recommend", "--gpu", "L4")
    assert re.search(r"^ +assumed: no driver is given: this holds from driver 580.65.06 on", done.stdout, re.MULTILINE)
    assert "assumed: no driver" not in asked("recommend", "--gpu", "NVIDIA L4", "--driver", "580.95.05").stdout


def test_recommend_for_a_gpu_nobody_knows_is_not_known() -> None:
    done = asked("recommend", "--gpu", "Voodoo 2", "--driver", "580.95.05")
    assert done.exit_code == 4
    assert "Not known:" in done.stdout


# ---------------------------------------------------------------- upgrade


def test_upgrade_of_the_driver_says_what_newly_works() -> None:
    done = asked("upgrade", "--driver", "580.95.05")
    assert done.exit_code == 0
    found = answer("upgrade", "--driver", "580.95.05")
    assert found["summary"] == {"stops working": 0, "newly works": 1, "unknown": 2, "unaffected": 5}
    (row,) = [row for row in found["cells"] if row["effect"] == "newly works"]
    assert (row["id"], row["before"]["verdict"]) == (f"torch2.10.0-cu130@{L4_OLD}", "fail")


def test_upgrade_that_breaks_something_exits_1_with_cause_and_remedy() -> None:
    done = asked("upgrade", "--driver", "535.183.01")
    assert done.exit_code == 1
    assert "driver_too_old" in done.stdout
    assert "try: install driver 580.65.06 or newer" in done.stdout


def test_upgrade_of_torch_and_cuda_names_the_images_it_would_take() -> None:
    found = answer("upgrade", "--cuda", "13.0")
    broken = {row["id"] for row in found["cells"] if row["effect"] == "stops working"}
    assert broken == {f"torch2.10.0-cu126@{L4_OLD}"}


def test_upgrade_starts_from_what_was_measured() -> None:
    """The rules say that this works today; a run has seen it fail, so a change that breaks it breaks nothing."""
    failed = result(Status.FAIL, environment("torch2.10.0-cu126", cuda="12.6", torch="2.10.0"), on=L4_NEW, reason="broken")
    host = HostInfo(NvmlInfo(problem="none"), L4_HOST.engine, "Linux", "3.12", 2, None)
    Path("results.json").write_text(dump(report(failed, host=host)), encoding="utf-8")
    found = answer("upgrade", "--gpu", "NVIDIA GeForce RTX 5090", "--results", "results.json")
    effect = {row["id"]: row for row in found["cells"]}
    assert effect[f"torch2.10.0-cu126@{L4_NEW}"]["effect"] == "unaffected"
    assert effect[f"torch2.10.0-cu126@{L4_NEW}"]["before"] == {"verdict": "fail", "basis": "measured"}
    assert effect[f"torch2.10.0-cu126@{L4_OLD}"]["effect"] == "stops working"


def test_upgrade_judges_by_what_was_found_inside_while_an_environment_stays_as_it_is() -> None:
    """The run read a CUDA 13 build out of what the matrix calls 12.6: an old driver stops it, unless it is replaced as well."""
    inside = Content(torch="2.10.0+cu130", cuda="13.0", arch_list=("sm_80", "sm_90"))
    found = result(Status.PASS, environment("torch2.10.0-cu126", cuda="12.6", torch="2.10.0"), on=L4_NEW, content=inside)
    Path("results.json").write_text(dump(report(found, host=L4_HOST)), encoding="utf-8")

    def effect(*change: str) -> str:
        rows = answer("upgrade", *change, "--results", "results.json")["cells"]
        return str({row["id"]: row["effect"] for row in rows}[f"torch2.10.0-cu126@{L4_NEW}"])

    assert effect("--driver", "535.183.01") == "stops working"
    assert effect("--driver", "535.183.01", "--torch", "2.9.1") == "unaffected"


def test_upgrade_of_which_nothing_can_be_told_exits_4() -> None:
    Path("matrix.yaml").write_text(MATRIX[: MATRIX.index("  - {gpu")], encoding="utf-8")
    done = asked("upgrade", "--gpu", "Voodoo 2")
    assert done.exit_code == 4
    assert "unknown: 2 of 2 cells" in done.stdout


@pytest.mark.parametrize("change", [("--driver", "580.95.05"), ("--cuda", "twelve"), ("--torch", "x")])
def test_upgrade_says_which_value_is_wrong(change: tuple[str, str]) -> None:
    exception = asked("upgrade", *change).exception
    assert isinstance(exception, InvalidInputError) is (change[0] != "--driver")
    if isinstance(exception, InvalidInputError):
        assert exception.what.startswith(f"{change[0]}: ")


def test_upgrade_says_what_it_compares_with() -> None:
    assert "(compared with what is predicted):" in asked("upgrade", "--driver", "580.95.05").stdout
    Path("results.json").write_text(dump(report(result(), host=L4_HOST)), encoding="utf-8")
    with_results = asked("upgrade", "--driver", "580.95.05", "--results", "results.json").stdout
    assert "(compared with what run 20261124T120000Z-a1b2c3 measured" in with_results


def test_upgrade_without_a_change_and_with_nonsense() -> None:
    assert asked("upgrade").exit_code == 2
    assert isinstance(asked("upgrade", "--driver", "banana").exception, InvalidInputError)
    assert isinstance(asked("upgrade", "--torch", "banana").exception, InvalidInputError)
    assert isinstance(asked("upgrade", "--driver", "580", "--results", "none.json").exception, ReportFileError)


# ---------------------------------------------------------------- facts


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (("torch", "2.7.1"), ("sm_120", "2025-06-04", "confidence", "the package index")),
        (("gpu", "T4"), ("Tesla T4", "7.5", "Turing")),
        (("gpu", "NVIDIA A100-SXM4-80GB"), ("datacenter", "8.0")),
        (("toolkit", "12.8"), ("12.8.0", "12.8.1", "570.26")),
        (("driver", "580"), ("13.0", "LTS", "CUDA 13 builds need 580.65.06")),
        (("image", "pytorch/pytorch:2.7.1-cuda12.8-cudnn9-devel"), ("2.7.1", "12.8")),
        (("cc", "8.9"), ("Ada", "fp8")),
        ((), ("releases", "gpus", "verified")),
        (("gpu",), ("Tesla T4",)),
    ],
)
def test_facts_shows_rows_with_their_source(args: tuple[str, ...], words: tuple[str, ...]) -> None:
    done = asked("facts", *args)
    assert done.exit_code == 0
    for word in words:
        assert word in done.stdout


def test_facts_as_json_has_the_row_and_where_it_is_from() -> None:
    (row,) = answer("facts", "torch", "2.7.1")["rows"]
    assert (row["table"], row["key"], row["fields"]["default"]) == ("releases", "2.7.1", "12.6")
    assert row["source"]
    assert row["date"]
    assert row["confidence"] == "verified"


def test_facts_lists_candidates_of_a_name_that_may_mean_several() -> None:
    names = [row["key"] for row in answer("facts", "gpu", "A100")["rows"] if row["table"] == "gpus"]
    assert len(names) > 1
    assert all("A100" in name for name in names)


@pytest.mark.parametrize(
    ("args", "word"),
    [
        (("gpu", "Tesla T44"), "did you mean"),
        (("torch", "9.9.9"), "no row"),
        (("image", "mine/thing:1"), "not known by its name"),
    ],
)
def test_facts_that_are_not_there_say_so(args: tuple[str, ...], word: str) -> None:
    done = asked("facts", *args)
    assert done.exit_code == 4
    assert word in done.stdout


@pytest.mark.parametrize("args", [("torch", "banana"), ("toolkit", "x"), ("driver", "banana"), ("cc", "big")])
def test_facts_of_a_name_that_is_none(args: tuple[str, ...]) -> None:
    assert isinstance(asked("facts", *args).exception, InvalidInputError)
