"""`make gpu-check` without a GPU: what it writes, from values; that it writes nothing where there is nothing to measure."""

import importlib.util
import json
import os
import runpy
import subprocess
import sys
from pathlib import Path

import pytest
from values import HOSTILE, L4, L4_HOST, result

from validator.host import nvml
from validator.model import CheckResult, CheckStatus, Level
from validator.results.json_v1 import dump_cell

FOLDER = Path(__file__).parents[2] / "gpu"


@pytest.fixture(scope="module")
def measured():
    spec = importlib.util.spec_from_file_location("measured", FOLDER / "measured.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def check(name, message="well", metrics=None):
    return CheckResult(name, CheckStatus.WARN, Level.ADVISORY, message, 1.5, metrics or {})


def document(**fields):
    return json.loads(dump_cell(result(**fields)))


def test_the_page_has_the_machine_every_check_and_every_metric(measured):
    slow = check("throughput", message="slow", metrics={"rate_ratio": 0.123456789, "names": ["a", "b"], "side": 4096})
    page = measured.page(document(checks=(slow,)), L4, L4_HOST.nvml, "3 passed", "2026-01-02")
    for said in (
        "# Measured: NVIDIA L4",
        "| driver | 580.95.05 |",
        "| compute capability | 8.9 |",
        "| power limit | 60.0 W of 72.0 W |",
        "| held back by | power\\_cap |",
        "| tests/gpu | 3 passed |",
        "| rate\\_ratio | 0.123457 |",
        "| names | a, b |",
        "| side | 4096 |",
    ):
        assert said in page


def test_nothing_that_an_environment_says_is_markup_in_the_page(measured):
    page = measured.page(document(checks=(check("kernels", message=HOSTILE, metrics={"m": HOSTILE}),)), L4, L4_HOST.nvml, "", "")
    assert "<script>" not in page
    assert "a|b" not in page.replace("a\\|b", "")


def test_the_file_is_named_after_the_gpu(measured):
    assert measured.file_name(L4) == "gpu-nvidia-l4.md"


def test_the_table_has_a_line_for_each_check(measured):
    lines = measured.table(document(checks=(check("import"), check("kernels")))).splitlines()
    assert [line.split()[1] for line in lines[:2]] == ["import", "kernels"]


def test_without_a_gpu_it_says_so_writes_nothing_and_fails(tmp_path):
    out = tmp_path / "measured"
    variables = {**os.environ, "LD_LIBRARY_PATH": str(tmp_path), "LD_PRELOAD": ""}
    (tmp_path / "libnvidia-ml.so.1").write_text("not a library", encoding="utf-8")
    done = subprocess.run(
        [sys.executable, str(FOLDER), "--out", str(out)], env=variables, capture_output=True, text=True, check=False
    )
    assert done.returncode == 4
    assert "no GPU to check: NVML cannot be loaded" in done.stderr
    assert not out.exists()


def test_an_interpreter_without_torch_is_no_measurement_of_the_gpu(tmp_path, monkeypatch, capfd):
    (tmp_path / "torch.py").write_text("raise ImportError('none here')\n", encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))  # whether or not the tests' own interpreter has one
    monkeypatch.setattr(nvml, "query", lambda: L4_HOST.nvml)
    monkeypatch.setattr(sys, "argv", ["gpu-check", "--python", sys.executable, "--out", str(tmp_path / "measured")])
    monkeypatch.syspath_prepend(str(FOLDER))
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(FOLDER / "__main__.py"), run_name="__main__")
    assert ended.value.code == 4
    assert "has no torch that can be imported" in capfd.readouterr().err
    assert not (tmp_path / "measured").exists()
