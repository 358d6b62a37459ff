"""The probe on a real torch, for tests that have one: VALIDATOR_TEST_TORCH_PYTHON names interpreters, separated by ``:``."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from validator import probe_host
from validator.catalogue.checks import CheckSpec
from validator.probe_host import CheckEvent, EventStream, ProbePlan, ProbeReport

PYTHONS = [each for each in os.environ.get("VALIDATOR_TEST_TORCH_PYTHON", "").split(os.pathsep) if each]

#: For ``pytestmark`` of a module that needs one.
NEEDS_TORCH = [
    pytest.mark.heavy,
    pytest.mark.skipif(not PYTHONS, reason="VALIDATOR_TEST_TORCH_PYTHON names no interpreter that has torch"),
]


def probe(
    python: str, specs: Sequence[CheckSpec], folder: Path, *, variables: dict[str, str] | None = None, **plan: Any
) -> ProbeReport:
    """What the probe reports; it must have run to its end."""
    asked = ProbePlan(probe_host.new_nonce(), tuple(specs), "cpu", None, 500.0, str(folder), listens=False, **plan)
    env = {**os.environ, **probe_host.environment(asked), **(variables or {})}
    done = subprocess.run(probe_host.command(python), env=env, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    stream = EventStream(asked)
    stream.feed(done.stdout)
    report = stream.close()
    assert report.complete
    return report


def found(report: ProbeReport, name: str) -> CheckEvent:
    return next(check for check in report.checks if check.name == name)
