"""Which runner is taken, and why: the truth table of ``choose``; then what each runner says of itself."""

from __future__ import annotations

import pytest
from values import T4, matrix

from validator.base.errors import EngineUnavailableError, ExitCode
from validator.host import NOT_ASKED
from validator.model import EngineInfo, NvmlInfo
from validator.runners import AUTO, NAMES, RunContext, choose

DOCKER = EngineInfo(name="docker", version="29.0.0", address="unix:///run/docker.sock")
NO_ENGINE = EngineInfo(problem="unix:///run/docker.sock: there is no such socket", toolkit_version="1.17.4")
ADDRESS = "tcp://192.0.2.1:2375"
CONTEXT = RunContext("run-1", owner="host:1")


@pytest.fixture(autouse=True)
def one_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("validator.host.nvml.query", lambda _timeout: NvmlInfo(gpus=(T4,)))


def engine_answers(monkeypatch: pytest.MonkeyPatch, engine: EngineInfo) -> None:
    monkeypatch.setattr("validator.runners.docker.engine.probe_engine", lambda: engine)


@pytest.mark.parametrize(
    ("name", "engine", "chosen", "reason"),
    [
        (AUTO, DOCKER, "docker", "docker answers"),
        (AUTO, EngineInfo(name="podman"), "docker", "podman answers"),
        (AUTO, NO_ENGINE, "local", "no container engine answers (unix:///run/docker.sock: there is no such socket)"),
        ("docker", DOCKER, "docker", "asked for"),
        ("local", DOCKER, "local", "asked for"),
        ("local", NO_ENGINE, "local", "asked for"),
    ],
)
def test_the_runner_of_a_run_and_the_machine_it_measures_on(
    name: str, engine: EngineInfo, chosen: str, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine_answers(monkeypatch, engine)
    runner, why = choose(name, matrix(), CONTEXT)
    assert (runner.name, runner.contained, why) == (chosen, chosen == "docker", reason)
    # The engine is described in the report whichever runner measured.
    assert (runner.host().engine, runner.host().nvml.gpus) == (engine, (T4,))


def test_a_runner_that_needs_an_engine_is_refused_where_none_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    engine_answers(monkeypatch, NO_ENGINE)
    with pytest.raises(EngineUnavailableError) as caught:
        choose("docker", matrix(), CONTEXT)
    assert caught.value.exit_code == ExitCode.NOT_FOUND_OUT
    assert caught.value.why == NO_ENGINE.problem
    assert "--runner local" in caught.value.hint


@pytest.mark.parametrize(
    ("name", "address", "chosen", "reason"),
    [
        (AUTO, ADDRESS, "docker", f"assumed: {ADDRESS} was not asked"),
        (AUTO, None, "local", "assumed: no sign of a container engine on this machine"),
        ("docker", ADDRESS, "docker", "asked for"),
        ("docker", None, "docker", "asked for"),
        ("local", ADDRESS, "local", "asked for"),
    ],
)
def test_the_runner_of_a_plan_is_assumed_and_no_engine_is_asked(
    name: str, address: str | None, chosen: str, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("validator.runners.docker.engine.expected", lambda: address)
    monkeypatch.setattr("validator.runners.docker.engine.connect", lambda *_: pytest.fail("an engine was asked"))
    runner, why = choose(name, matrix(), CONTEXT, ask=False)
    assert (runner.name, why) == (chosen, reason)
    assert runner.host().engine == NOT_ASKED


@pytest.mark.parametrize("name", NAMES)
def test_every_runner_of_the_registry_is_made_without_an_engine(name: str) -> None:
    runner, _ = choose(name, matrix(), CONTEXT, ask=False)
    assert runner.name == name
    runner.close()


@pytest.mark.parametrize("ask", [True, False])
def test_a_runner_that_nobody_knows_is_a_slip_of_the_caller(ask: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    engine_answers(monkeypatch, DOCKER)
    with pytest.raises(KeyError, match="slurm"):
        choose("slurm", matrix(), CONTEXT, ask=ask)


def test_the_names_that_people_type() -> None:
    assert (AUTO, *NAMES) == ("auto", "docker", "local")
