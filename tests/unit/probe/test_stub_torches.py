"""Each stub torch of tests/stubs is caught by the check that is there for it, with its cause, under every Python of this machine.

The faults of a real torch need VALIDATOR_TEST_TORCH_PYTHON, as test_torch.py does; the integration suite runs them in
containers, too.
"""

import os
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from interpreters import interpreters

from validator import probe_host
from validator.catalogue import causes, checks
from validator.model import CheckStatus
from validator.probe_host import EventStream, ProbePlan

STUBS = Path(__file__).parents[2] / "stubs"
TABLE = yaml.safe_load((STUBS / "stubs.yaml").read_text(encoding="utf-8"))
WHOLE = [name for name, row in TABLE.items() if row.get("over") != "real"]
FAULTS = [name for name, row in TABLE.items() if row.get("over") == "real"]
PYTHONS = [each for each in os.environ.get("VALIDATOR_TEST_TORCH_PYTHON", "").split(os.pathsep) if each]

pytestmark = pytest.mark.timeout(120)


def report(python, name, tmp_path):
    row = TABLE[name]
    asked = [checks.registry()[check] for check in row["checks"]]
    # Only among what is asked: a stub need not do what stands between.
    specs = tuple(replace(spec, needs=tuple(need for need in spec.needs if need in row["checks"])) for spec in asked)
    plan = ProbePlan(probe_host.new_nonce(), specs, row["device"], None, 90.0, str(tmp_path), listens=False)
    path = [str(STUBS / name), str(STUBS / "real")] if row.get("over") == "real" else [str(STUBS / name)]
    environment = {**os.environ, **probe_host.environment(plan), "PYTHONPATH": os.pathsep.join(path)}
    environment["PYTHONDONTWRITEBYTECODE"] = "1"
    done = subprocess.run(probe_host.command(python), env=environment, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    stream = EventStream(plan)
    stream.feed(done.stdout)
    return stream.close()


def hold_to_the_table(name, found):
    row = TABLE[name]
    assert found.complete
    assert found.violations == ()
    by_name = {check.name: check for check in found.checks}
    told = {check.name: (check.status.value, check.message) for check in found.checks}
    for check in row["holds"]:
        assert by_name[check].status in (CheckStatus.PASS, CheckStatus.WARN), told
    caught = by_name[row["caught"]]
    assert caught.status.value == row["status"], told
    assert row["says"] in caught.message
    assert caught.died == row.get("died")
    assert caught.metrics.get("cause") == row["cause"]


@pytest.mark.parametrize("python", interpreters())
@pytest.mark.parametrize("name", WHOLE)
def test_a_stub_is_caught_by_the_check_that_is_there_for_it(name, python, tmp_path):
    if python is None:
        pytest.skip("this Python is not installed here")
    hold_to_the_table(name, report(python, name, tmp_path))


@pytest.mark.heavy
@pytest.mark.skipif(not PYTHONS, reason="VALIDATOR_TEST_TORCH_PYTHON names no interpreter that has torch")
@pytest.mark.parametrize("python", PYTHONS or ["none"])
@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_of_a_real_torch_is_caught_by_the_check_that_is_there_for_it(name, python, tmp_path):
    found = report(python, name, tmp_path)
    caught = next(check for check in found.checks if check.name == TABLE[name]["caught"])
    if caught.metrics.get("cause") == "torch_too_old_for_amp":
        pytest.skip(f"not with this torch: {caught.message}")
    hold_to_the_table(name, found)


def test_every_stub_is_in_the_table_and_every_row_is_right():
    folders = {path.name for path in STUBS.iterdir() if path.is_dir() and path.name != "real"}
    assert folders == set(TABLE)
    for row in TABLE.values():
        assert set(row["checks"]) <= set(checks.registry())
        assert {row["caught"], *row["holds"]} <= set(row["checks"])
        assert row["cause"] is None or row["cause"] in causes.catalogue()
