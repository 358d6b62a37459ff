"""make verdicts: the script scores statements, lists what is wrong, and fails below the share that is asked for."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

SCRIPT = Path(__file__).parents[3] / "bin" / "score_verdicts"
FIELDS = ("torch", "cuda", "driver", "gpu", "cc", "python")
EMPTY = {**dict.fromkeys(FIELDS), "why": "said so", "scope": "gpu_compute"}


def _score(tmp_path: Path, *rows: dict[str, Any], at_least: float = 0.97) -> subprocess.CompletedProcess[str]:
    path = tmp_path / "rows.jsonl"
    lines = [json.dumps({**EMPTY, "id": f"r{number}", **row}) for number, row in enumerate(rows)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return subprocess.run(
        [sys.executable, SCRIPT, path, "--at-least", str(at_least)], capture_output=True, text=True, check=False, timeout=120
    )


RIGHT = {"torch": "2.7.1", "cuda": "12.8", "gpu": "Tesla V100-SXM2-16GB", "cc": "7.0", "outcome": "fails"}
WRONG = {"torch": "2.7.1", "cuda": "12.6", "gpu": "Tesla V100-SXM2-16GB", "cc": "7.0", "outcome": "fails"}


def test_all_right(tmp_path: Path) -> None:
    compat = {"torch": "2.15.0", "cuda": "13.2", "driver": "570.133.20", "gpu": "NVIDIA H100 80GB HBM3", "cc": "9.0"}
    words = {"cuda": "12.1", "outcome": "fails", "why": "refused: found version 11000"}
    result = _score(tmp_path, RIGHT, {**compat, "outcome": "works_with_forward_compat"}, words)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "3 of 3 right" in result.stdout
    assert "by the fields alone 2" in result.stdout


def test_a_wrong_one_is_listed_with_both_sides(tmp_path: Path) -> None:
    result = _score(tmp_path, RIGHT, WRONG)
    assert result.returncode == 1
    assert "wrong r1: fails, rules say degraded" in result.stdout
    assert "1 of 2 right (50.0%)" in result.stdout
    assert _score(tmp_path, RIGHT, WRONG, at_least=0.5).returncode == 0


def test_unknown_is_never_right(tmp_path: Path) -> None:
    unknown = {"torch": "2.99.0", "gpu": "Tesla T4"}
    assert _score(tmp_path, {**unknown, "outcome": "works"}).returncode == 1
    assert _score(tmp_path, {**unknown, "outcome": "fails"}).returncode == 1


def test_a_statement_is_judged_within_its_scope(tmp_path: Path) -> None:
    installs = {"torch": "1.4.0", "python": "3.8", "outcome": "works", "scope": "install"}
    needs = {"torch": "2.2.1", "outcome": "fails", "scope": "amp_api", "why": "torch.amp.GradScaler is missing"}
    assert _score(tmp_path, installs, needs).returncode == 0


def test_without_a_file_it_says_so(tmp_path: Path) -> None:
    command = [sys.executable, SCRIPT, tmp_path / "none.jsonl"]
    result = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert result.returncode == 0
    assert "no statements" in result.stdout
