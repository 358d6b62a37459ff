"""Every broken environment is found broken, and its cause is the right one."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from gallery import GALLERY, Fault
from harness import image, run
from places import Places, python_without_torch, set_up
from table import Row, fixed

from validator.catalogue import checks
from validator.catalogue.causes import catalogue

PAGE = Path(__file__).parents[2] / "docs" / "faults.md"


@pytest.fixture(scope="session")
def plain_interpreter(tmp_path_factory: pytest.TempPathFactory) -> str:
    return python_without_torch(tmp_path_factory.mktemp("plain"))


def parameter(fault: Fault) -> Any:
    marks = [pytest.mark.docker] if fault.needs_engine else []
    return pytest.param(fault, id=fault.id, marks=[*marks, *([pytest.mark.heavy] if fault.slow else [])])


@pytest.mark.parametrize("fault", [parameter(fault) for fault in GALLERY])
def test_the_fault_is_named(fault: Fault, request: pytest.FixtureRequest, tmp_path: Path, rows: list[Row]) -> None:
    began = time.monotonic()
    found = set_up(fault.place)(Places(request, tmp_path), fault)
    seconds = time.monotonic() - began
    assert (found.status, found.causes[:1]) == (fault.status, (fault.cause,)), found.text
    for words in fault.says:
        assert words in found.text
    for each in found.findings:
        assert each["severity"] in (fault.status, "degraded", "unknown", "info"), "an error is no fact about the environment"
        assert each["message"]
        assert each["remedy"], f"{each['cause']} says nothing of what to do"
    rows.append(Row(fault, found.findings[0]["message"] if found.findings else found.reason, seconds))


@pytest.mark.docker
def test_the_remedy_names_what_passes_in_the_same_matrix(
    tmp_path: Path, base_image: str, torch_image: str
) -> None:
    skipped = {name: "skip" for name in checks.registry() if name != "import"}
    environments = [image("broken", base_image), image("sound", torch_image)]
    finished = run(tmp_path, {"environments": environments, "checks": skipped, "pull": "never"}, "--runner", "docker")
    assert finished.cell("sound")["status"] == "pass"
    [found] = finished.cell("broken")["findings"]
    assert found["cause"] == "python_module_missing"
    assert found["remedy"].endswith("In this matrix sound passes on host.")
    assert "In this matrix sound passes on host." in " ".join(finished.stdout.split())


def test_the_page_shows_the_gallery() -> None:
    lines = PAGE.read_text(encoding="utf-8").splitlines()
    for fault in GALLERY:
        assert any(line.startswith(fixed(fault)) for line in lines), f"{fault.id} is not in docs/faults.md: `make faults`"
    assert len([line for line in lines if line.startswith("| ")]) == len(GALLERY) + 1


def test_every_cause_of_the_gallery_is_in_the_catalogue() -> None:
    assert {fault.cause for fault in GALLERY} <= set(catalogue())
