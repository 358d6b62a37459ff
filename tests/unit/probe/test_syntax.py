"""The probe's sources: old enough a syntax, nothing but the standard library and torch, small enough to travel."""

import ast
import io
import subprocess
import sys
import zipfile

import pytest

from validator import probe_host
from validator.base.resources import PROBE
from validator.catalogue import checks
from validator.probe.checks import CHECKS, find

SOURCES = sorted(PROBE.rglob("*.py"))


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.relative_to(PROBE).as_posix())
def test_every_source_is_python_36(path):
    ast.parse(path.read_text(encoding="utf-8"), feature_version=(3, 6))


def test_the_bootstrap_is_python_36():
    ast.parse(probe_host.BOOTSTRAP, feature_version=(3, 6))


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.relative_to(PROBE).as_posix())
def test_every_source_imports_only_itself_the_standard_library_torch_and_numpy(path):
    allowed = {*sys.stdlib_module_names, "torch", "numpy"}
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            assert {alias.name.split(".")[0] for alias in node.names} <= allowed
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            assert node.module.split(".")[0] in allowed


def test_the_linter_finds_nothing():
    rules = "E,F,W,I,B,C4,BLE,T20,D1"
    ignored = "D105,D107"
    command = [sys.executable, "-m", "ruff", "check", "--isolated", "--line-length", "130", "--target-version", "py37"]
    done = subprocess.run(
        [*command, "--select", rules, "--ignore", ignored, str(PROBE)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_registry_and_the_probe_name_the_same_checks_in_the_same_order():
    assert list(checks.registry()) == list(CHECKS)
    assert all(callable(find(name)) for name in CHECKS)


def test_every_need_is_a_check_that_runs_earlier():
    seen = set()
    for spec in checks.registry().values():
        assert set(spec.needs) <= seen
        seen.add(spec.name)


def test_the_pack_is_whole_and_travels_in_variables_that_linux_takes():
    probe_host.pack.cache_clear()
    first = probe_host.pack()
    probe_host.pack.cache_clear()
    assert first == probe_host.pack()
    names = zipfile.ZipFile(io.BytesIO(first)).namelist()
    assert {f"validator_probe/{path.relative_to(PROBE).as_posix()}" for path in SOURCES} | {"__main__.py"} == set(names)
    variables = probe_host.environment(probe_host.ProbePlan("n" * 32, tuple(checks.registry().values()), "cuda", None, 60.0))
    # A text of the environment may have 128 KiB, its name and the zero at its end included; all of them a quarter of the stack.
    assert max(len(name) + len(value) + 2 for name, value in variables.items()) <= 128 * 1024
    assert sum(map(len, variables.values())) < 1024 * 1024
    # The plan goes on through a pipe that nobody reads yet; one page is what a pipe holds at the least.
    assert len(variables["VALIDATOR_PROBE_PLAN"]) <= 4096
