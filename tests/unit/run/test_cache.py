"""Which results are used again: any change of what made one misses, and nothing else does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
from values import T4, cell, check_result, environment, matrix, result

from validator.model import (
    Action,
    Because,
    Cell,
    CheckStatus,
    EngineInfo,
    Environment,
    Finding,
    Gpu,
    GpuClocks,
    GpuProcess,
    HostInfo,
    Level,
    Limits,
    Matrix,
    Mismatch,
    NvmlInfo,
    Outlook,
    Prediction,
    PulledImage,
    RanOn,
    Severity,
    Status,
    Target,
    UserModel,
    Where,
)
from validator.model import Basis as B
from validator.run import cache
from validator.run.cache import key_of, may_be_kept, placements
from validator.runners.base import Prepared

MODEL = UserModel("model.py", b"def make(): ...", None, "make", "1x8", "float", "mean", "2", "bf16")
ENVIRONMENT = environment("torch", torch="2.7.1", cuda="12.6", python="3.12")
GPU = replace(
    T4,
    memory_free_bytes=15 << 30,
    ecc_enabled=True,
    compute_mode="default",
    clocks=GpuClocks(300e6, 1590e6, 70.0, 70.0),
)
HOST = HostInfo(
    nvml=NvmlInfo("580.95.05", "13.0", (GPU,)),
    engine=EngineInfo(
        "docker",
        "27.1.1",
        "1.46",
        "unix:///run/docker.sock",
        ("runc", "nvidia"),
        "runc",
        toolkit_version="1.17.0",
        toolkit_mode="legacy",
    ),
    system="Debian, Linux 6.1, x86_64",
    python="3.11.7",
    cpu_count=8,
    memory_bytes=8 << 30,
    id="gpu-a1",
    kernel_modules="open",
)
MATRIX = matrix(ENVIRONMENT, model=MODEL, levels={"train_fp32": Level.REQUIRED})
PREPARED = Prepared("handle", "sha256:d", ("/entry", "exec"), identity="sha256:1")
CELL = cell(ENVIRONMENT, Target("t4", gpu="Tesla T4"), gpu=GPU)
OPENED = cell(ENVIRONMENT, Target("t4", gpu="Tesla T4"), action=Action.INSPECT)


def key(
    of: Cell = CELL,
    prepared: Prepared = PREPARED,
    of_matrix: Matrix = MATRIX,
    host: HostInfo = HOST,
    runner: str = "docker",
    facts: str = "",
    **more: Any,
) -> str | None:
    return key_of(of, prepared, of_matrix, host, runner=runner, facts=facts, **more)


def on(gpu: Gpu) -> str | None:
    return key(replace(CELL, gpu=gpu, lanes=(gpu,)), host=replace(HOST, nvml=replace(HOST.nvml, gpus=(gpu,))))


def inside(**changes: Any) -> str | None:
    return key(replace(CELL, environment=replace(ENVIRONMENT, **changes)))


def engine(**changes: Any) -> str | None:
    return key(host=replace(HOST, engine=replace(HOST.engine, **changes)))


def modelled(**changes: Any) -> str | None:
    return key(of_matrix=replace(MATRIX, model=replace(MODEL, **changes)))


def limited(**changes: Any) -> str | None:
    return key(of_matrix=replace(MATRIX, limits=replace(Limits(), **changes)))


def driven(**changes: Any) -> str | None:
    return key(host=replace(HOST, nvml=replace(HOST.nvml, **changes)))


def opened(target: Target | None = None, **changes: Any) -> str | None:
    return key(replace(OPENED, target=target) if target else OPENED, **changes)


MISSES: dict[str, Callable[[], str | None]] = {
    "what is inside": lambda: key(prepared=replace(PREPARED, identity="sha256:2")),
    "the entrypoint of the image": lambda: key(prepared=replace(PREPARED, entrypoint=("/other",))),
    "levels": lambda: key(of_matrix=replace(MATRIX, levels={"train_fp32": Level.ADVISORY})),
    "one more level": lambda: key(of_matrix=replace(MATRIX, levels={**MATRIX.levels, "amp_benefit": Level.SKIP})),
    "no model": lambda: key(of_matrix=replace(MATRIX, model=None)),
    "what is in the model's file": lambda: modelled(content=b"def make(): pass"),
    "the model's file": lambda: modelled(file="other.py"),
    "the model's module": lambda: modelled(module="installed"),
    "the model's factory": lambda: modelled(factory="other"),
    "the model's input": lambda: modelled(input="1x9"),
    "the model's dtype": lambda: modelled(dtype="long:9"),
    "the model's loss": lambda: modelled(loss="auto"),
    "the model's batch": lambda: modelled(batch="3"),
    "the model's amp": lambda: modelled(amp="fp16"),
    "the GPU's model": lambda: on(replace(GPU, name="NVIDIA L4")),
    "its compute capability": lambda: on(replace(GPU, compute_capability="8.9")),
    "its memory": lambda: on(replace(GPU, memory_total_bytes=24 << 30)),
    "its ECC": lambda: on(replace(GPU, ecc_enabled=False)),
    "its compute mode": lambda: on(replace(GPU, compute_mode="exclusive_process")),
    "a MIG device of it": lambda: on(replace(GPU, mig_enabled=True, mig_devices=("MIG-1",))),
    "no GPU": lambda: key(replace(CELL, gpu=None, lanes=())),
    "two GPUs": lambda: key(replace(CELL, lanes=(GPU, GPU), takes_all=True)),
    "the driver": lambda: driven(driver_version="590.1"),
    "its CUDA version": lambda: driven(cuda_driver_version="13.1"),
    "the kernel's modules": lambda: key(host=replace(HOST, kernel_modules="proprietary")),
    "the machine": lambda: key(host=replace(HOST, id="gpu-b2")),
    "its system": lambda: key(host=replace(HOST, system="Debian, Linux 6.2, x86_64")),
    "its processors": lambda: key(host=replace(HOST, cpu_count=4)),
    "the engine": lambda: engine(name="podman"),
    "its version": lambda: engine(version="27.1.2"),
    "its runtimes": lambda: engine(runtimes=("runc",)),
    "its default runtime": lambda: engine(default_runtime="nvidia"),
    "how it hands out GPUs": lambda: engine(cdi_devices=("nvidia.com/gpu=all",)),
    "the toolkit": lambda: engine(toolkit_version="1.18.0"),
    "the toolkit's mode": lambda: engine(toolkit_mode="cdi"),
    "torch asked for": lambda: inside(torch="2.7.0"),
    "CUDA asked for": lambda: inside(cuda="12.8"),
    "Python asked for": lambda: inside(python="3.11"),
    "the interpreter": lambda: inside(python_command="python3.12"),
    "the entrypoint, left out": lambda: inside(keep_entrypoint=False),
    "the short probe": lambda: key(of_matrix=replace(MATRIX, quick=True)),
    "the runner": lambda: key(runner="local"),
    "the validator": lambda: key(version="9.9"),
    "only opened": lambda: key(replace(CELL, action=Action.INSPECT)),
}
LIMITS: dict[str, Any] = {
    "timeout_seconds": 599.0,
    "memory_bytes": 1 << 30,
    "shm_bytes": 1 << 29,
    "scratch_bytes": 1 << 29,
    "pids": 512,
}


@pytest.mark.parametrize("what", MISSES)
def test_a_change_of_what_made_a_result_misses(what: str) -> None:
    changed = MISSES[what]()
    assert changed is not None
    assert changed != key()


def test_no_two_of_these_changes_have_one_key() -> None:
    keys = [change() for change in MISSES.values()]
    assert len({*keys, key()}) == len(keys) + 1


def test_a_change_of_any_limit_misses() -> None:
    assert LIMITS.keys() == {each.name for each in fields(Limits)}, "a new limit is part of the key, and to be named here"
    for name, value in LIMITS.items():
        assert limited(**{name: value}) != key(), name


def test_a_change_of_the_probe_misses(monkeypatch: pytest.MonkeyPatch) -> None:
    before = key()
    monkeypatch.setattr("validator.probe_host.pack", lambda model: b"another probe")
    cache._probe.cache_clear()
    try:
        assert key() != before
    finally:
        cache._probe.cache_clear()


def test_a_change_of_a_checks_deadline_or_default_level_misses(monkeypatch: pytest.MonkeyPatch) -> None:
    before = key()
    known = dict(cache.checks.registry())
    for change in ({"deadline_seconds": 1.5}, {"level": Level.SKIP}):
        changed = known | {"import": replace(known["import"], **change)}
        monkeypatch.setattr(cache.checks, "registry", lambda changed=changed: changed)
        assert key() != before, change


RULES = Prediction(Outlook.FAIL, ("driver_too_old",), findings=(Finding("driver_too_old", Severity.FAIL, "no"),))
HITS: dict[str, Callable[[], str | None]] = {
    "the cell's name": lambda: key(replace(CELL, id="other@t4")),
    "the environment's name": lambda: inside(id="other"),
    "where it stands": lambda: inside(where=Where("other.yaml", 99)),
    "where the same image comes from": lambda: inside(source=PulledImage("mirror.example/torch:2.7.1")),
    "the target's name": lambda: key(replace(CELL, target=Target("this", gpu="Tesla T4"))),
    "what it is expected to be": lambda: key(replace(CELL, expect=Status.FAIL)),
    "what is predicted": lambda: key(replace(CELL, predicted=RULES)),
    "why": lambda: key(replace(CELL, why=replace(CELL.why, because=Because.ON_GPU))),
    "another GPU of the same model": lambda: on(replace(GPU, index=3, uuid="GPU-9999")),
    "its free memory": lambda: on(replace(GPU, memory_free_bytes=1)),
    "its clocks": lambda: on(replace(GPU, clocks=GpuClocks(1590e6))),
    "who is on it": lambda: on(replace(GPU, processes=(GpuProcess(1, "x", 5),))),
    "MIG, switched on with no device": lambda: on(replace(GPU, mig_enabled=False)),
    "other GPUs beside it": lambda: driven(gpus=(GPU, replace(GPU, index=1, uuid="GPU-2", name="NVIDIA L4"))),
    "other lanes": lambda: key(replace(CELL, lanes=(GPU, replace(GPU, index=1, uuid="GPU-2")))),
    "the tag of the image": lambda: key(prepared=replace(PREPARED, handle="other", digest=None)),
    "how long it took": lambda: key(prepared=replace(PREPARED, seconds=99.0, was_there=True, notes=("a note",))),
    "the matrix's name": lambda: key(of_matrix=replace(MATRIX, file="other.yaml")),
    "other cells": lambda: key(of_matrix=replace(MATRIX, environments=(*MATRIX.environments, environment("more")))),
    "a level as it is anyway": lambda: key(of_matrix=replace(MATRIX, levels={**MATRIX.levels, "import": Level.REQUIRED})),
    "how images are pulled": lambda: key(of_matrix=replace(MATRIX, pull="always")),
    "the host's Python": lambda: key(host=replace(HOST, python="3.13")),
    "free memory of the host": lambda: key(host=replace(HOST, memory_bytes=1)),
    "the engine's address": lambda: engine(address="unix:///other.sock"),
    "the user's facts, for what is measured": lambda: key(facts="other"),
    "the folder of the model": lambda: modelled(folder="/elsewhere"),
}


@pytest.mark.parametrize("what", HITS)
def test_what_makes_no_difference_to_a_result_hits(what: str) -> None:
    assert HITS[what]() == key()


def test_every_part_of_an_environment_and_of_a_model_is_thought_of() -> None:
    """A new field is to be put on one of the two lists above."""
    assert {each.name for each in fields(Environment)} == {
        *("id", "source", "where"),
        *("torch", "cuda", "python", "python_command", "keep_entrypoint"),
    }
    assert {each.name for each in fields(UserModel)} == {*(cache._model(MODEL) or ()), "content", "folder"}


def test_of_what_is_only_opened_the_target_and_the_facts_count_since_its_verdict_follows_from_them() -> None:
    targets = [
        Target("a", gpu="Tesla T4"),
        Target("b", gpu="NVIDIA L4"),
        Target("c", compute_capability="8.9"),
        Target("d", gpu="Tesla T4", driver="535.1"),
        Target("host", is_host=True),
    ]
    assert len({opened(target) for target in targets}) == len(targets)
    assert opened(Target("other name", gpu="Tesla T4")) == opened()
    assert opened(facts="mine") != opened()
    assert opened(host=replace(HOST, nvml=NvmlInfo("590.1"))) == opened(), "it is about another machine"
    here = targets[-1]
    assert opened(here, host=replace(HOST, nvml=replace(HOST.nvml, driver_version="590.1"))) != opened(here)
    assert opened(here, host=replace(HOST, nvml=replace(HOST.nvml, gpus=()))) != opened(here)


def test_on_the_cpu_the_driver_makes_no_difference() -> None:
    on_cpu = cell(ENVIRONMENT)
    assert key(on_cpu, host=replace(HOST, nvml=NvmlInfo())) == key(on_cpu)


def test_without_knowing_what_is_inside_there_is_no_key() -> None:
    assert key(prepared=replace(PREPARED, identity=None)) is None


# ---------------------------------------------------------------- where it may be placed


def test_a_cell_is_looked_for_on_each_kind_of_gpu_that_it_may_be_given_once() -> None:
    other = replace(GPU, index=1, uuid="GPU-2")
    unlike = replace(GPU, index=2, uuid="GPU-3", name="NVIDIA RTX 2080")
    found = placements(replace(CELL, lanes=(GPU, other, unlike)))
    assert [each.gpu for each in found] == [GPU, unlike]
    assert len({key(each) for each in found}) == 2
    assert key(found[0]) == key()


def test_a_cell_on_all_of_its_gpus_on_one_or_on_none_has_one_place() -> None:
    for of in (replace(CELL, lanes=(GPU, replace(GPU, uuid="GPU-2")), takes_all=True), CELL, cell(ENVIRONMENT)):
        assert placements(of) == (of,)


# ---------------------------------------------------------------- what may be kept

LOW = check_result(CheckStatus.WARN, "1.02 times as fast")
RATE = next(name for name, spec in cache.checks.registry().items() if spec.alone)
SLOW = replace(LOW, name=RATE)
BAD = replace(LOW, name="train_fp32")
ON_BUSY = RanOn("host", "GPU-1", exclusive=False)
MISMATCH = (Mismatch("torch", "2.6.0", "2.7.1"),)


@pytest.mark.parametrize(
    ("of", "kept"),
    [
        (result(Status.PASS), True),
        (result(Status.PASS, basis=B.INSPECTED), True),
        (result(Status.FAIL), True),
        (result(Status.FAIL, basis=B.INSPECTED), True),
        (result(Status.DEGRADED), True),
        (result(Status.ERROR), False),
        (result(Status.ERROR, basis=None), False),
        (result(Status.SKIP), False),
        (result(Status.PASS, basis=B.PREDICTED), False),
        (result(Status.FAIL, basis=B.PREDICTED), False),
        (result(Status.DEGRADED, checks=(SLOW,)), False),
        (result(Status.DEGRADED, checks=(SLOW, check_result(CheckStatus.PASS))), False),
        (result(Status.DEGRADED, checks=(SLOW, replace(BAD, level=Level.SKIP))), False),
        (result(Status.DEGRADED, checks=(SLOW, BAD)), True),
        (result(Status.DEGRADED, checks=(BAD,)), True),
        (result(Status.DEGRADED, checks=(SLOW,), mismatches=MISMATCH), True),
        (result(Status.FAIL, checks=(replace(SLOW, status=CheckStatus.FAIL),)), False),
        (result(Status.PASS, checks=(replace(SLOW, level=Level.SKIP),)), True),
        (result(Status.DEGRADED, checks=(replace(SLOW, name="of a later version"),)), True),
        (result(Status.PASS, ran_on=ON_BUSY), True),
        (result(Status.FAIL, ran_on=ON_BUSY), False),
        (result(Status.DEGRADED, ran_on=ON_BUSY), False),
        (result(Status.FAIL, ran_on=replace(ON_BUSY, exclusive=True)), True),
        (result(Status.FAIL, ran_on=replace(ON_BUSY, exclusive=None)), True),
    ],
)
def test_what_is_kept_for_later_runs(of: Any, kept: bool) -> None:
    assert may_be_kept(of) is kept


def test_a_path_is_no_part_of_a_key() -> None:
    """The key is of values that are the same in every process: no order of a set, no address, no path."""
    assert key() == key(of_matrix=replace(MATRIX, facts=Path("/somewhere/facts.yaml")))
    assert len(key() or "") == 64
