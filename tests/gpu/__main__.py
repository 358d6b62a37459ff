"""``make gpu-check``: the full probe and tests/gpu on this machine's GPU, written to docs/measured.

Without a GPU it says so, writes nothing, and exits with 4.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import measured

from validator.base.text import one_line
from validator.host import nvml

FOLDER = Path(__file__).parent
MEASURED = FOLDER.parents[1] / "docs" / "measured"
_NOTHING_FOUND_OUT = 4
_SECONDS = 1800


def main() -> int:
    """Probe, test, write, print; 0 when the cell is no failure and every test passed."""
    parser = argparse.ArgumentParser(prog="make gpu-check", description=__doc__)
    parser.add_argument("--python", default="python3", help="the interpreter whose torch is measured")
    parser.add_argument("--out", type=Path, default=MEASURED, help="the folder that the page is written to")
    options = parser.parse_args()

    info = nvml.query()
    gpu = next((each for each in info.gpus if each.uuid and not each.problem), None)
    if gpu is None:
        return _give_up(f"no GPU to check: {info.problem or 'NVML names none'}")
    python = shutil.which(options.python)
    if python is None:
        return _give_up(f"{options.python!r} is not a program that can be run; PYTHON=/path/to/python names another")
    with tempfile.TemporaryDirectory() as folder:
        result = Path(folder) / "cell.json"
        probe = [sys.executable, "-m", "validator", "probe", "--python", python, "--device", "cuda"]
        with result.open("wb") as file:
            code = subprocess.run([*probe, "--timeout", str(_SECONDS), "--format", "json"], stdout=file, check=False).returncode
        try:
            cell = json.loads(result.read_text(encoding="utf-8"))
        except ValueError:
            return _give_up(f"the probe gave no result (exit status {code})")
        if not cell["content"]["torch"]:
            return _give_up(f"{python} has no torch that can be imported; PYTHON=/path/to/python names another: {cell['reason']}")
        variables = {**os.environ, "VALIDATOR_GPU_PYTHON": python, "VALIDATOR_GPU_RESULT": str(result)}
        tests = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", str(FOLDER)], env=variables, stdout=subprocess.PIPE, text=True, check=False
        )
    print(tests.stdout)
    summary = one_line((tests.stdout.strip().splitlines() or ["no output"])[-1].strip("= "))
    options.out.mkdir(parents=True, exist_ok=True)
    page = options.out / measured.file_name(gpu)
    today = datetime.datetime.now(datetime.timezone.utc).date().isoformat()
    page.write_text(measured.page(cell, gpu, info, summary, today), encoding="utf-8")
    print(measured.table(cell))
    print(f"written: {page}")
    return code or tests.returncode


def _give_up(reason: str) -> int:
    print(f"gpu-check: {reason}", file=sys.stderr)
    return _NOTHING_FOUND_OUT


if __name__ == "__main__":
    sys.exit(main())
