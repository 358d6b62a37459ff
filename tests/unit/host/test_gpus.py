"""Which GPU of a machine a target means, on machines where the first one is not always the right one."""

from __future__ import annotations

from dataclasses import replace

import pytest
from values import HOST_TARGET, T4, host

from validator.host import NO_GPU_HERE, gpu_for, usable_gpu
from validator.host.gpus import is_meant, unusable
from validator.model import Gpu, Target

A100 = Gpu(index=1, uuid="GPU-2222", name="NVIDIA A100-SXM4-80GB", compute_capability="8.0")
SECOND_A100 = replace(A100, index=2, uuid="GPU-3333")
SLICED_A100 = replace(A100, mig_enabled=True, mig_devices=("MIG-1", "MIG-2"))
UNSLICED_A100 = replace(A100, mig_enabled=True)
LOST_T4 = replace(T4, problem="GPU 0: it fell off the bus")
LOST_A100 = replace(A100, problem="GPU 1: it fell off the bus")
#: A GPU that was lost before NVML gave its name.
NAMELESS = Gpu(index=0, uuid="GPU-4444", name=None, compute_capability="8.0", problem="GPU 0: it fell off the bus")


def named(gpu: str, driver: str | None = None) -> Target:
    return Target("t", gpu=gpu, driver=driver)


def capable(compute_capability: str, driver: str | None = None) -> Target:
    return Target("t", compute_capability=compute_capability, driver=driver)


@pytest.mark.parametrize(
    ("target", "gpus", "chosen"),
    [
        pytest.param(HOST_TARGET, (T4, A100), T4, id="host: the first"),
        pytest.param(HOST_TARGET, (A100, T4), A100, id="host: the first, in NVML's order"),
        pytest.param(HOST_TARGET, (LOST_T4, A100), A100, id="host: the first that can be used"),
        pytest.param(HOST_TARGET, (UNSLICED_A100, T4), T4, id="host: MIG without a device is passed over"),
        pytest.param(HOST_TARGET, (SLICED_A100, T4), SLICED_A100, id="host: MIG with devices is used"),
        pytest.param(named("A100-SXM4-80GB"), (T4, A100), A100, id="a name: not the first GPU"),
        pytest.param(named("tesla t4"), (A100, T4), T4, id="a name: whatever its case and brand"),
        pytest.param(named("A100-SXM4-80GB"), (T4, A100, SECOND_A100), A100, id="one name twice: the first of the two"),
        pytest.param(named("A100-SXM4-80GB"), (LOST_A100, SECOND_A100), SECOND_A100, id="one name twice: the usable one"),
        pytest.param(named("A100-SXM4-80GB"), (UNSLICED_A100, SECOND_A100), SECOND_A100, id="one name twice, one with no slice"),
        pytest.param(named("A100-SXM4-80GB"), (T4, SLICED_A100), SLICED_A100, id="a name: MIG with devices is used"),
        pytest.param(capable("8.0"), (T4, A100), A100, id="a capability: not the first GPU"),
        pytest.param(capable("8.0"), (LOST_A100, T4, SECOND_A100), SECOND_A100, id="a capability: the usable one"),
        pytest.param(capable("8.0"), (NAMELESS, A100), A100, id="a capability: a GPU without a name is passed over"),
        pytest.param(named("T4", "580.95.05"), (A100, T4), T4, id="a name, and this machine's driver"),
        pytest.param(capable("7.5", "580.95.05"), (A100, T4), T4, id="a capability, and this machine's driver"),
    ],
)
def test_the_gpu_that_stands_for_a_target(target: Target, gpus: tuple[Gpu, ...], chosen: Gpu) -> None:
    assert gpu_for(target, host(*gpus)) == (chosen, None)


@pytest.mark.parametrize(
    ("target", "gpus", "why"),
    [
        pytest.param(HOST_TARGET, (), NO_GPU_HERE.text, id="host without a GPU"),
        pytest.param(
            HOST_TARGET,
            (LOST_T4, UNSLICED_A100),
            "no GPU of this machine can be used (GPU 0: it fell off the bus)",
            id="host: the trouble of the first is told",
        ),
        pytest.param(named("L4"), (), "this machine is not the target with L4", id="a name, no GPU here"),
        pytest.param(named("L4"), (T4, A100), "this machine is not the target with L4", id="a name nobody has"),
        pytest.param(named("A100"), (A100,), "this machine is not the target with A100", id="a part of a name"),
        pytest.param(
            capable("9.0"), (T4,), "this machine is not the target with compute capability 9.0", id="a capability nobody has"
        ),
        pytest.param(
            named("T4", "535.183.01"), (T4,), "this machine is not the target with T4 and driver 535.183.01", id="another driver"
        ),
        pytest.param(
            named("A100-SXM4-80GB"),
            (T4, UNSLICED_A100),
            "the NVIDIA A100-SXM4-80GB of this machine cannot be used (MIG is on and no MIG device has been made)",
            id="a name: its only GPU cannot be used, another one does not take its place",
        ),
        pytest.param(
            capable("8.0"),
            (T4, NAMELESS),
            "the GPU of this machine cannot be used (GPU 0: it fell off the bus)",
            id="a capability: its only GPU cannot be used",
        ),
    ],
)
def test_why_no_gpu_stands_for_a_target(target: Target, gpus: tuple[Gpu, ...], why: str) -> None:
    gpu, told = gpu_for(target, host(*gpus))
    assert gpu is None
    assert told is not None
    assert told.text == why


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({}, None),
        ({"problem": "lost"}, "lost"),
        ({"uuid": None}, "NVML gives no UUID to ask for it by"),
        ({"compute_mode": "prohibited"}, "compute mode prohibited"),
        ({"compute_mode": "exclusive_process"}, None),
        ({"mig_enabled": True}, "MIG is on and no MIG device has been made"),
        ({"mig_enabled": True, "mig_devices": ("MIG-1",)}, None),
        ({"mig_enabled": False}, None),
    ],
)
def test_whether_a_gpu_can_be_used(change: dict[str, object], why: str | None) -> None:
    gpu = replace(A100, **change)
    assert unusable(gpu) == why
    assert usable_gpu(host(gpu, T4)) == (T4 if why else gpu)


def test_a_machine_without_a_usable_gpu_has_none_to_measure_on() -> None:
    assert usable_gpu(host()) is None
    assert usable_gpu(host(LOST_T4, UNSLICED_A100)) is None


def test_the_target_host_names_no_gpu_and_a_gpu_without_a_name_is_none_of_any_name() -> None:
    assert not is_meant(HOST_TARGET, A100)
    assert not is_meant(HOST_TARGET, replace(NAMELESS, compute_capability=None))
    assert not is_meant(named("A100-SXM4-80GB"), NAMELESS)
    assert is_meant(capable("8.0"), NAMELESS)
