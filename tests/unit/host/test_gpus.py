"""Which GPU of a machine a target means, on machines where the first one is not always the right one."""

from __future__ import annotations

from dataclasses import replace

import pytest
from values import HOST_TARGET, T4, host

from validator.host import NO_GPU_HERE, gpu_for, lane_name, lanes_for, together, usable_gpu
from validator.host.gpus import is_meant, unusable
from validator.model import Gpu, Target

A100 = Gpu(index=1, uuid="GPU-2222", name="NVIDIA A100-SXM4-80GB", compute_capability="8.0")
SECOND_A100 = replace(A100, index=2, uuid="GPU-3333")
SLICED_A100 = replace(A100, mig_enabled=True, mig_devices=("MIG-1", "MIG-2"))
#: What it is as lanes.
SLICE_1, SLICE_2 = (replace(SLICED_A100, mig_devices=(device,)) for device in SLICED_A100.mig_devices)
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
        pytest.param(HOST_TARGET, (SLICED_A100, T4), SLICE_1, id="host: MIG with devices is used"),
        pytest.param(named("A100-SXM4-80GB"), (T4, A100), A100, id="a name: not the first GPU"),
        pytest.param(named("tesla t4"), (A100, T4), T4, id="a name: whatever its case and brand"),
        pytest.param(named("A100-SXM4-80GB"), (T4, A100, SECOND_A100), A100, id="one name twice: the first of the two"),
        pytest.param(named("A100-SXM4-80GB"), (LOST_A100, SECOND_A100), SECOND_A100, id="one name twice: the usable one"),
        pytest.param(named("A100-SXM4-80GB"), (UNSLICED_A100, SECOND_A100), SECOND_A100, id="one name twice, one with no slice"),
        pytest.param(named("A100-SXM4-80GB"), (T4, SLICED_A100), SLICE_1, id="a name: MIG with devices is used"),
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
    ("target", "gpus", "lanes"),
    [
        pytest.param(HOST_TARGET, (T4, A100, SECOND_A100), (T4,), id="host: not what is of another kind than the first"),
        pytest.param(HOST_TARGET, (LOST_T4, A100, SECOND_A100), (A100, SECOND_A100), id="host: the kind of the first usable one"),
        pytest.param(HOST_TARGET, (A100, LOST_A100, SECOND_A100), (A100, SECOND_A100), id="host: without what cannot be used"),
        pytest.param(HOST_TARGET, (SLICED_A100, SECOND_A100), (SLICE_1, SLICE_2), id="host: MIG devices are a kind"),
        pytest.param(HOST_TARGET, (SECOND_A100, SLICED_A100), (SECOND_A100,), id="host: and no part of the whole one's"),
        pytest.param(HOST_TARGET, (A100, replace(SECOND_A100, compute_capability="8.6")), (A100,), id="host: by capability too"),
        pytest.param(named("A100-SXM4-80GB"), (A100, T4, SECOND_A100), (A100, SECOND_A100), id="a name: every one that has it"),
        pytest.param(
            named("A100-SXM4-80GB"), (SLICED_A100, SECOND_A100), (SLICE_1, SLICE_2, SECOND_A100), id="a name: MIG and whole"
        ),
        pytest.param(named("A100-SXM4-80GB"), (UNSLICED_A100, SECOND_A100), (SECOND_A100,), id="a name: none without a slice"),
        pytest.param(capable("8.0"), (T4, NAMELESS, A100), (A100,), id="a capability: what can be used"),
    ],
)
def test_every_gpu_that_stands_for_a_target_is_a_lane(target: Target, gpus: tuple[Gpu, ...], lanes: tuple[Gpu, ...]) -> None:
    assert lanes_for(target, host(*gpus)) == (lanes, None)


def test_a_lane_asks_for_its_own_mig_device_and_knows_the_gpu_it_is_a_part_of() -> None:
    (first, second), _ = lanes_for(named("A100-SXM4-80GB"), host(SLICED_A100))
    assert (first.device_uuid, second.device_uuid) == ("MIG-1", "MIG-2")
    assert first.uuid == second.uuid == SLICED_A100.uuid
    assert first.in_slices


@pytest.mark.parametrize(
    ("lanes", "several"),
    [
        ((), ()),
        ((A100,), ()),
        ((A100, SECOND_A100), (A100, SECOND_A100)),
        ((T4, A100, SECOND_A100), (A100, SECOND_A100)),
        ((T4, replace(T4, index=3), A100, SECOND_A100), (T4, replace(T4, index=3))),
        ((SLICE_1, SLICE_2), ()),
        ((SLICE_1, A100, SLICE_2, SECOND_A100), (A100, SECOND_A100)),
    ],
)
def test_whole_gpus_of_one_kind_are_taken_together(lanes: tuple[Gpu, ...], several: tuple[Gpu, ...]) -> None:
    assert together(lanes) == several


@pytest.mark.parametrize(
    ("gpu", "name"),
    [
        (T4, "Tesla T4 #0"),
        (A100, "A100-SXM4-80GB #1"),
        (replace(A100, name=None), "GPU #1"),
        (replace(SLICE_1, mig_devices=("MIG-2f4b6d1e-0c3a-5e7f-9b8d-1a2c3e4f5061",)), "A100-SXM4-80GB #1 MIG 2f4b6d1e"),
        (replace(SLICE_1, mig_devices=("MIG-GPU-5a1f0e6c-3a0b-4b52-9d6f-0f7f6f1d2c11/3/0",)), "A100-SXM4-80GB #1 MIG 3/0"),
    ],
)
def test_what_a_lane_is_called(gpu: Gpu, name: str) -> None:
    assert lane_name(gpu) == name


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
    assert lanes_for(target, host(*gpus)) == ((), told)


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
