"""What the docker runner would send, with no engine at hand: a request is a value."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any

import pytest
from values import T4, cell, cpu_environment, environment, matrix

from validator import probe_host
from validator.catalogue.checks import registry
from validator.model import Action, Cell, EngineInfo, Environment, Gpu, HostInterpreter, Level, Limits
from validator.runners import labels
from validator.runners.base import GRACE_SECONDS, Prepared, RunContext, RunRequest, Share
from validator.runners.docker import runner as runners
from validator.runners.docker.container import container_name, gpu_request
from validator.runners.docker.runner import DockerRunner

DOCKER = EngineInfo(name="docker", version="29.0.0")
DOCKER_WITH_CDI = replace(DOCKER, cdi_devices=("nvidia.com/gpu=0", "nvidia.com/gpu=all"))
DOCKER_WITH_OTHER_CDI = replace(DOCKER, cdi_devices=("vendor.example/net=0",))
PODMAN = EngineInfo(name="podman", version="5.6.0")
MIG = replace(T4, mig_enabled=True, mig_devices=("MIG-aaaa", "MIG-bbbb"))
CONTEXT = RunContext("20261101-120000-ab12", owner="buildbox:4711")


def requested(of: Cell, *, prepared: Prepared | None = None, engine: EngineInfo = DOCKER, **settings: Any) -> RunRequest:
    runner = DockerRunner(matrix(of.environment, **settings), replace(CONTEXT, engine=engine))
    return runner.request(of, prepared or Prepared("sha256:1234"))


def host_config(of: Cell, **settings: Any) -> dict[str, Any]:
    return dict(requested(of, **settings).payload["HostConfig"])


def variables(request: RunRequest) -> dict[str, str]:
    return dict(entry.split("=", 1) for entry in request.payload["Env"])


def test_the_container_runs_the_probe_in_the_prepared_image() -> None:
    request = requested(cell(environment(python_command="/opt/conda/bin/python")))
    assert request.payload["Image"] == "sha256:1234"
    assert request.payload["Cmd"] == ["/opt/conda/bin/python", "-I", "-S", "-B", "-c", probe_host.BOOTSTRAP]
    assert variables(request) == probe_host.environment(request.plan)


def test_every_variable_fits_what_linux_allows_for_one() -> None:
    longest = max(len(entry.encode()) for entry in requested(cell(gpu=T4)).payload["Env"])
    assert longest < 128 * 1024  # MAX_ARG_STRLEN


def test_the_request_can_be_written_down() -> None:
    request = requested(cell(gpu=T4))
    assert json.loads(json.dumps(request.payload)) == request.payload
    assert request.plan.nonce not in repr(request)[: repr(request).index("payload=")]


def test_everything_is_labelled_so_that_it_can_be_found_and_removed() -> None:
    assert requested(cell()).payload["Labels"] == {
        labels.RUN: CONTEXT.run_id,
        labels.CELL: "torch2.7.1-cu126@host",
        labels.OWNER: "buildbox:4711",
    }


def test_the_container_can_reach_and_change_nothing() -> None:
    config = host_config(cell())
    assert config["NetworkMode"] == "none"
    assert config["CapDrop"] == ["ALL"]
    assert config["SecurityOpt"] == ["no-new-privileges"]
    assert config["ReadonlyRootfs"] is True
    assert config["IpcMode"] == "private"
    assert config["RestartPolicy"] == {"Name": "no"}
    assert not {"Privileged", "CapAdd", "Binds", "Mounts", "Devices", "PidMode", "VolumesFrom"} & set(config)


def test_limits_are_the_matrixs() -> None:
    limits = Limits(timeout_seconds=90, memory_bytes=4 << 30, shm_bytes=256 << 20, scratch_bytes=2 << 30, pids=77)
    request = requested(cell(), limits=limits)
    config = request.payload["HostConfig"]
    assert config["Memory"] == config["MemorySwap"] == 4 << 30  # equal: no swap beyond it
    assert config["ShmSize"] == 256 << 20
    assert config["PidsLimit"] == 77
    assert request.plan.deadline_seconds == 90
    assert request.deadline_seconds == 90 + GRACE_SECONDS  # the probe ends itself first, and still reports


@pytest.mark.parametrize(
    ("limit", "share", "machine", "used"),
    [
        (4 << 30, 2 << 30, 64 << 30, 4 << 30),  # the matrix says
        (None, 2 << 30, 64 << 30, 2 << 30),  # the share says
        (None, None, 100 << 30, 80 << 30),  # something is left to the machine
        (None, None, None, 8 << 30),
    ],
)
def test_there_is_always_a_memory_limit(
    limit: int | None, share: int | None, machine: int | None, used: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runners, "_machine_bytes", lambda: machine)
    runner = DockerRunner(matrix(limits=Limits(memory_bytes=limit)), CONTEXT)
    config = runner.request(cell(), Prepared("i"), share=Share(memory_bytes=share)).payload["HostConfig"]
    assert config["Memory"] == config["MemorySwap"] == used


def test_this_machines_memory_is_known() -> None:
    assert (runners._machine_bytes() or 0) > 1 << 28


@pytest.mark.parametrize(("cpus", "sent"), [((), None), ((0,), "0"), ((4, 5, 6, 12), "4,5,6,12")])
def test_a_share_names_its_processors(cpus: tuple[int, ...], sent: str | None) -> None:
    request = DockerRunner(matrix(), CONTEXT).request(cell(), Prepared("i"), share=Share(cpus=cpus))
    assert request.payload["HostConfig"].get("CpusetCpus") == sent


def test_an_images_volumes_are_bounded_room_in_memory() -> None:
    volumes = ("/data", "/data/", "/models//big", "models/../x", "/tmp", "/", "/proc/x", "/dev", "/developer", " ", "")
    found = host_config(cell(), prepared=Prepared("i", volumes=volumes), limits=Limits(scratch_bytes=5 << 20))["Tmpfs"]
    assert set(found) == {"/tmp", "/data", "/models/big", "/x", "/developer"}
    assert all(f"size={5 << 20}" in options.split(",") for options in found.values())


def test_what_the_probe_is_told_can_reach_it_over_more_than_one_connection() -> None:
    payload = requested(cell()).payload
    assert (payload["OpenStdin"], payload["StdinOnce"], payload["AttachStdin"]) == (True, False, True)


def test_an_engine_that_restarts_need_not_wait_for_it() -> None:
    assert requested(cell()).payload["StopSignal"] == "SIGKILL"


def test_scratch_is_a_bounded_tmpfs_from_which_compiled_code_can_be_loaded() -> None:
    request = requested(cell(), limits=Limits(scratch_bytes=123 << 20))
    ((path, options),) = request.payload["HostConfig"]["Tmpfs"].items()
    assert path == request.plan.scratch
    words = options.split(",")
    assert f"size={123 << 20}" in words
    assert {"rw", "exec", "nosuid", "nodev"} <= set(words)


def test_the_log_is_bounded_and_can_be_read_back() -> None:
    log = host_config(cell())["LogConfig"]
    assert log["Type"] == "json-file"
    assert log["Config"]["max-file"] == "1"
    assert re.fullmatch(r"\d+m", log["Config"]["max-size"])


# ---------------------------------------------------------------- GPU


def test_without_a_gpu_none_is_asked_for() -> None:
    request = requested(cell(cpu_environment()))
    assert "DeviceRequests" not in request.payload["HostConfig"]
    assert (request.plan.device, request.plan.host_gpu) == ("cpu", None)


@pytest.mark.parametrize(
    ("gpu", "engine", "request_sent"),
    [
        pytest.param(
            T4,
            DOCKER,
            {"Driver": "nvidia", "DeviceIDs": ["GPU-1111"], "Capabilities": [["gpu", "compute", "utility"]]},
            id="docker",
        ),
        pytest.param(
            T4,
            DOCKER_WITH_OTHER_CDI,
            {"Driver": "nvidia", "DeviceIDs": ["GPU-1111"], "Capabilities": [["gpu", "compute", "utility"]]},
            id="docker that knows other CDI devices",
        ),
        pytest.param(
            T4,
            DOCKER_WITH_CDI,
            {"Driver": "cdi", "DeviceIDs": ["nvidia.com/gpu=GPU-1111"]},
            id="docker with CDI devices of NVIDIA",
        ),
        pytest.param(T4, PODMAN, {"Driver": "cdi", "DeviceIDs": ["nvidia.com/gpu=GPU-1111"]}, id="podman"),
        pytest.param(
            MIG,
            DOCKER,
            {"Driver": "nvidia", "DeviceIDs": ["MIG-aaaa"], "Capabilities": [["gpu", "compute", "utility"]]},
            id="MIG device, docker",
        ),
        pytest.param(MIG, PODMAN, {"Driver": "cdi", "DeviceIDs": ["nvidia.com/gpu=MIG-aaaa"]}, id="MIG device, podman"),
    ],
)
def test_a_gpu_is_asked_for_by_uuid_in_the_form_the_engine_takes(
    gpu: Gpu, engine: EngineInfo, request_sent: dict[str, Any]
) -> None:
    request = requested(cell(gpu=gpu), engine=engine)
    assert request.payload["HostConfig"]["DeviceRequests"] == [request_sent]
    assert (request.plan.device, request.plan.host_gpu) == ("cuda", gpu)


def test_an_engine_that_would_silently_leave_the_gpu_out_is_not_asked() -> None:
    of = cell(gpu=T4)
    runner = DockerRunner(matrix(of.environment), replace(CONTEXT, engine=replace(PODMAN, version="4.9.4")))
    outcome = runner.run(runner.request(of, Prepared("sha256:1234")), lambda event: None)
    assert outcome.engine_problem is not None
    assert "Podman 4.9.4" in outcome.engine_problem


def test_mig_devices_of_a_gpu_with_mig_off_do_not_count() -> None:
    leftover = replace(T4, mig_enabled=False, mig_devices=("MIG-aaaa",))
    assert gpu_request([leftover], DOCKER)[0]["DeviceIDs"] == ["GPU-1111"]


@pytest.mark.parametrize(
    ("engine", "ids"), [(DOCKER, ["GPU-1111", "GPU-2222"]), (PODMAN, ["nvidia.com/gpu=GPU-1111", "nvidia.com/gpu=GPU-2222"])]
)
def test_a_cell_of_many_gpus_is_given_all_of_them(engine: EngineInfo, ids: list[str]) -> None:
    of = replace(cell(gpu=T4), lanes=(T4, replace(T4, index=1, uuid="GPU-2222")), takes_all=True)
    [request] = requested(of, engine=engine).payload["HostConfig"]["DeviceRequests"]
    assert request["DeviceIDs"] == ids


def test_opening_an_image_asks_for_no_gpu_and_no_training() -> None:
    request = requested(cell(action=Action.INSPECT))
    assert request.plan.device == "none"
    assert {spec.name for spec in request.plan.checks} == {spec.name for spec in registry().values() if spec.inspect}
    assert "train_fp32" not in {spec.name for spec in request.plan.checks}
    assert "DeviceRequests" not in request.payload["HostConfig"]


def test_checks_set_to_skip_are_not_sent() -> None:
    request = requested(cell(), levels={"train_amp_bf16": Level.SKIP})
    names = [spec.name for spec in request.plan.checks]
    assert names[0] == "import"
    assert "train_amp_fp16" in names
    assert "train_amp_bf16" not in names


# ---------------------------------------------------------------- entrypoint, name


def test_the_images_own_entrypoint_runs_as_it_does_for_its_users() -> None:
    assert "Entrypoint" not in requested(cell(environment(keep_entrypoint=True))).payload


def test_no_entrypoint_is_said_in_the_way_docker_and_podman_both_take() -> None:
    assert requested(cell(environment(keep_entrypoint=False))).payload["Entrypoint"] == [""]


def test_the_same_cell_of_the_same_run_has_the_same_name_and_a_nonce_of_its_own() -> None:
    first, second = requested(cell()), requested(cell())
    assert first.name == second.name == container_name(CONTEXT.run_id, "torch2.7.1-cu126@host", 1)
    assert first.plan.nonce != second.plan.nonce


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("r", "a@host"), ("r", "a+host")),  # both clean to a-host
        (("r", "x" * 100 + "a"), ("r", "x" * 100 + "b")),  # cut to the same
        (("r", "a@host", 1), ("r", "a@host", 2)),
        (("r1", "a@host"), ("r2", "a@host")),
    ],
)
def test_names_of_different_containers_differ(one: tuple[Any, ...], other: tuple[Any, ...]) -> None:
    assert container_name(*one) != container_name(*other)


@pytest.mark.parametrize("cell_id", ["torch2.7.1-cu126-py3.12@t4-535.183.01", "a+b@c", "ü", "x" * 200 + "@y"])
def test_names_are_in_the_engines_grammar(cell_id: str) -> None:
    name = container_name(CONTEXT.run_id, cell_id)
    assert re.fullmatch(r"[a-zA-Z0-9][a-zA-Z0-9_.-]+", name)
    assert len(name) <= 128


def test_keep_is_handed_on() -> None:
    runner = DockerRunner(matrix(), replace(CONTEXT, keep=True))
    assert runner.request(cell(), Prepared("i")).keep
    assert not requested(cell()).keep


def test_an_interpreter_of_this_machine_is_not_for_containers(tmp_path: Any) -> None:
    def obstacle(of: Environment) -> str | None:
        return DockerRunner(matrix(), CONTEXT).supports(of)

    assert "--runner local" in (obstacle(environment(source=HostInterpreter(tmp_path))) or "")
    assert obstacle(environment()) is None
