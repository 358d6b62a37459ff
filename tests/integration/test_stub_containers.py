"""Stub torches in containers: the faults of a real torch, and the stand-ins on every Debian that the suite has a base of."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import docker
import pytest
import yaml
from docker.errors import ImageNotFound
from harness import Finished, image, run

from validator.catalogue import checks

STUBS = Path(__file__).parents[1] / "stubs"
TABLE = yaml.safe_load((STUBS / "stubs.yaml").read_text(encoding="utf-8"))
FAULTS = [name for name, row in TABLE.items() if row.get("over") == "real"]
#: Debian suite → its Python.
SUITES = {"bullseye": "3.9", "bookworm": "3.11", "trixie": "3.13"}

pytestmark = pytest.mark.docker


def stubbed(engine: docker.DockerClient, name: str, base: str, tag: str) -> str:
    """An image with a stub in front of the base's own torch."""
    args = {"BASE_IMAGE": base, "STUB": name}
    engine.images.build(path=str(STUBS), buildargs=args, labels={"validator.test": "suite"}, tag=tag, rm=True, forcerm=True)
    return tag


@pytest.fixture(scope="module")
def faults(engine: docker.DockerClient, torch_image: str, tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """One run of the validator over every fault of a real torch."""
    entries = [image(name, stubbed(engine, name, torch_image, f"validator-test/stub:{name}")) for name in FAULTS]
    asked = {check for name in FAULTS for check in TABLE[name]["checks"]}
    skipped = {check: "skip" for check in checks.registry() if check not in asked}
    matrix = {"environments": entries, "pull": "never", "checks": skipped}
    return run(tmp_path_factory.mktemp("faults"), matrix, "--runner", "docker")


@pytest.mark.heavy
@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_of_a_real_torch_fails_its_cell_with_its_cause(faults: Finished, name: str) -> None:
    row, cell = TABLE[name], faults.cell(name)
    assert (cell["status"], cell["basis"]) == ("fail", "measured"), cell["reason"]
    caught = faults.check(name, row["caught"])
    assert (caught["status"], caught["metrics"]["cause"]) == ("fail", row["cause"]), caught["message"]
    assert row["says"] in caught["message"]
    assert cell["findings"][0]["cause"] == row["cause"]
    for check in row["holds"]:
        assert faults.check(name, check)["status"] in ("pass", "warn"), check


@pytest.fixture(scope="module", params=list(SUITES))
def suite(request: pytest.FixtureRequest, engine: docker.DockerClient, unavailable: Callable[[str], NoReturn]) -> str:
    """A Debian suite whose base image the engine has."""
    name = f"validator-test/{request.param}:latest"
    try:
        engine.images.get(name)
    except ImageNotFound:
        if request.param == "bookworm" and "VALIDATOR_TEST_BASE" in os.environ:
            pytest.skip("the suite's base is another image here")
        unavailable(f"the engine has no base image {name}; tests/images/make_base.sh {request.param} makes it")
    return str(request.param)


def test_the_probe_runs_whole_on_every_debian(engine: docker.DockerClient, suite: str, tmp_path: Path) -> None:
    def entry(name: str) -> dict[str, Any]:
        base = f"validator-test/{suite}:latest"
        return image(name, stubbed(engine, name, base, f"validator-test/stub:{suite}-{name}"))

    matrix = {"environments": [entry("segfaults-on-import"), entry("torch-1.0")], "pull": "never"}
    finished = run(tmp_path, matrix, "--runner", "docker")
    crashed = finished.cell("segfaults-on-import")
    assert (crashed["status"], crashed["basis"]) == ("fail", "measured"), crashed["reason"]
    assert [finding["cause"] for finding in crashed["findings"]] == ["native_crash"]
    assert [check["status"] for check in crashed["checks"][1:]] == ["skip"] * (len(crashed["checks"]) - 1)
    old = finished.cell("torch-1.0")
    assert old["content"]["torch"] == "1.0.0"
    assert old["content"]["python"].startswith(f"{SUITES[suite]}.")
    # The stub cannot compute, so training fails; that every check has its end is what is asked here.
    assert old["status"] == "fail", old["reason"]
    assert all(check["died"] is None for check in old["checks"]), old["checks"]
