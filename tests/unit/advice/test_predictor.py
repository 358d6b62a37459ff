"""The rules on the cells of a matrix: what this machine is to them, and what was found inside in place of the facts."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from values import HOST_TARGET, T4, built, cell, cpu_environment, environment, host

from validator.advice import Predictor
from validator.facts import load
from validator.host import NO_GPU_HERE
from validator.model import (
    Basis,
    Content,
    Environment,
    Gpu,
    HostInfo,
    HostInterpreter,
    Missing,
    MissingKind,
    NvmlInfo,
    Outlook,
    Prediction,
    PulledImage,
    Target,
)

CUDA_13 = environment("torch2.14.1-cu130", torch="2.14.1", cuda="13.0", source=built())
CUDA_126 = environment("torch2.14.1-cu126", torch="2.14.1", cuda="12.6", source=built())
CPU = cpu_environment(torch="2.13.0")
OLD_DRIVER = Target("l4-535.183.01", gpu="NVIDIA L4", driver="535.183.01")
NEW_DRIVER = Target("l4-580.95.05", gpu="NVIDIA L4", driver="580.95.05")


def predicted(of: Environment, target: Target, machine: HostInfo | None = None, **options: bool) -> Prediction:
    return Predictor(load(), machine or host(), **{"in_containers": True, **options})(of, target)


def test_another_machine_is_judged_by_its_gpu_and_driver_not_by_this_one() -> None:
    assert predicted(CUDA_13, OLD_DRIVER, host(T4)).causes[0] == "driver_too_old"
    assert predicted(CUDA_13, NEW_DRIVER, host(T4, driver="470.57.02")).status is Outlook.PASS


@pytest.mark.parametrize(("driver", "status"), [("535.183.01", Outlook.FAIL), ("580.95.05", Outlook.DEGRADED)])
def test_host_is_what_nvml_says(driver: str, status: Outlook) -> None:
    """A T4 emulates bfloat16, so it is degraded where it works."""
    assert predicted(CUDA_13, HOST_TARGET, host(T4, driver=driver)).status is status


def test_a_gpu_that_cannot_be_used_is_not_what_host_is_judged_by() -> None:
    broken = Gpu(index=0, uuid=None, name="NVIDIA H100 80GB HBM3", compute_capability="9.0", problem="GPU is lost")
    volta = Gpu(index=1, uuid="GPU-3", name="Tesla V100-SXM2-16GB", compute_capability="7.0")
    assert predicted(CUDA_13, HOST_TARGET, host(broken, volta)).causes[0] == "arch_not_supported"


@pytest.mark.parametrize("of", [CUDA_13, environment(torch="2.14.1")], ids=["cuda build", "build not said"])
def test_without_a_gpu_here_a_cuda_build_on_host_is_not_known(of: Environment) -> None:
    prediction = predicted(of, HOST_TARGET)
    assert (prediction.status, prediction.missing) == (Outlook.UNKNOWN, (Missing(MissingKind.NO_GPU_HERE, NO_GPU_HERE.text),))


@pytest.mark.parametrize("machine", [host(), host(T4)], ids=["no GPU", "a GPU that is not used"])
def test_a_cpu_build_on_host_is_judged_on_its_cpu(machine: HostInfo) -> None:
    assert predicted(CPU, HOST_TARGET, machine).status is Outlook.PASS


def test_what_was_found_inside_goes_before_what_the_matrix_says() -> None:
    predictor = Predictor(load(), host(), in_containers=True)
    asked = cell(CUDA_126, Target("v100", gpu="Tesla V100-SXM2-16GB", driver="580.95.05"))
    assert "arch_not_supported" not in predictor(CUDA_126, asked.target).causes
    again = predictor.again(asked, Content(torch="2.14.1", cuda="12.6", python="3.12.4", arch_list=("sm_80", "sm_90")))
    assert (again.status, again.basis) == (Outlook.FAIL, Basis.INSPECTED)
    assert again.causes[0] == "arch_not_supported"


def test_an_image_that_carries_the_container_gate_is_judged_by_its_own_variable() -> None:
    of = environment(torch="2.7.1", cuda="12.6", source=PulledImage("mine/torch:1"))
    asked = cell(of, Target("l4", gpu="NVIDIA L4", driver="535.183.01"))
    inside = Content(torch="2.7.1", cuda="12.6", python="3.12.1", arch_list=("sm_86",), from_image=True)
    predictor = Predictor(load(), host(), in_containers=True)
    assert predictor.again(asked, inside).status is Outlook.PASS
    gated = replace(inside, variables={"NVIDIA_REQUIRE_CUDA": "cuda>=12.6"})
    assert predictor.again(asked, gated).status is Outlook.FAIL
    waived = replace(gated, variables={**gated.variables, "NVIDIA_DISABLE_REQUIRE": "1"})
    assert predictor.again(asked, waived).status is Outlook.PASS


@pytest.mark.parametrize(
    ("of", "known"),
    [
        (environment(cuda="cpu", source=PulledImage("debian:bookworm")), False),
        (environment(cuda="12.6", source=PulledImage("mine/thing:latest")), False),
        (environment(source=PulledImage("pytorch/pytorch:2.7.1-cuda12.8-cudnn9-runtime")), True),
        (environment(torch="2.7.1", cuda="12.6", source=PulledImage("mine/thing:latest")), True),
    ],
)
def test_an_environment_whose_torch_nobody_names_is_not_known_to_work(of: Environment, known: bool) -> None:
    prediction = predicted(of, HOST_TARGET if of.is_cpu else NEW_DRIVER)
    assert (prediction.status is not Outlook.UNKNOWN) is known
    assert known or prediction.missing


@pytest.mark.parametrize(
    ("platform", "judged"),
    [
        ("Linux 6.1 x86_64", "linux_x86_64"),
        ("linux/amd64", "linux_x86_64"),
        ("linux/arm64", "linux_aarch64"),
        ("Linux-5.15-tegra AARCH64", "linux_aarch64"),
        ("Windows 11", "linux_x86_64"),  # images are Linux
    ],
)
def test_an_opened_environment_is_judged_for_the_machine_it_is_made_for(platform: str, judged: str) -> None:
    # torch 2.8.0 comes without CUDA for ARM, as pip gives it there.
    of = environment(torch="2.8.0", source=built())
    opened = Predictor(load(), host(), in_containers=True).opened(of, NEW_DRIVER, Content(python="3.12", platform=platform))
    assert ("cpu_only_torch" in opened.causes) is (judged == "linux_aarch64")


@pytest.mark.parametrize(
    ("machine", "arm"), [("aarch64", True), ("arm64", True), ("x86_64", False), ("AMD64", False), ("riscv64", False)]
)
def test_an_unopened_environment_is_judged_for_this_machine(machine: str, arm: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.machine", lambda: machine)
    assert ("cpu_only_torch" in predicted(environment(torch="2.8.0", source=built()), NEW_DRIVER).causes) is arm


def test_an_environment_outside_a_container_has_no_gate() -> None:
    """The gate of the image that a CUDA by itself is taken for wants CUDA 12.8, which a 535 driver does not know."""
    inside = Content(
        torch="2.7.1", cuda="12.8", arch_list=("sm_86",), variables={"NVIDIA_REQUIRE_CUDA": "cuda>=12.8"}, from_image=True
    )

    def causes(of: Environment, *, in_containers: bool) -> tuple[str, ...]:
        return Predictor(load(), host(), in_containers=in_containers).opened(of, OLD_DRIVER, inside).causes

    wheel = environment(torch="2.7.1", cuda="12.8", source=built())
    assert "driver_too_old" in causes(wheel, in_containers=True)
    assert "driver_too_old" not in causes(wheel, in_containers=False)
    image = replace(wheel, source=PulledImage("mine/torch:1"))
    assert "driver_too_old" in causes(image, in_containers=False)  # an image has nowhere else to run
    interpreter = replace(wheel, source=HostInterpreter(Path("/usr/bin/python3")))
    assert "driver_too_old" not in causes(interpreter, in_containers=True)


def test_a_target_for_this_machine_may_say_what_would_be_changed_about_it() -> None:
    here = host(T4, driver="580.95.05")
    assert predicted(CUDA_13, replace(HOST_TARGET, driver="535.183.01"), here).status is Outlook.FAIL
    assert predicted(CUDA_13, replace(HOST_TARGET, gpu="NVIDIA L4"), here).status is Outlook.PASS
    assert predicted(CUDA_13, replace(HOST_TARGET, gpu="NVIDIA L4"), host()).status is Outlook.PASS  # a GPU to be put in
    assert predicted(CPU, replace(HOST_TARGET, gpu="NVIDIA L4"), here).status is Outlook.PASS  # which a CPU build does not use


def test_a_cpu_build_for_another_machine_leaves_its_gpu_unused() -> None:
    assert predicted(CPU, NEW_DRIVER).causes == ("cpu_only_torch",)


def test_what_is_in_an_environment_that_names_no_torch_is_asked_of_the_matrix() -> None:
    prediction = predicted(environment(cuda="12.6", source=built()), NEW_DRIVER)
    assert (prediction.status, prediction.missing[0].kind) == (Outlook.UNKNOWN, MissingKind.INPUT)
    opened = Predictor(load(), host(), in_containers=True).opened(
        environment(cuda="12.6", source=built()), NEW_DRIVER, Content(torch="2.7.1", cuda="12.6", arch_list=("sm_86",))
    )
    assert opened.status is Outlook.PASS


def test_an_environment_is_told_from_another_with_the_same_name() -> None:
    predictor = Predictor(load(), host(), in_containers=True)
    one, other = environment("same", torch="2.14.1", cuda="12.6"), environment("same", torch="2.11.0", cuda="12.8")
    volta = Target("v100", gpu="Tesla V100-SXM2-16GB", driver="580.95.05")
    assert predictor(one, volta).status.works
    assert predictor(other, volta).status is Outlook.FAIL
    assert predictor(one, volta).status.works


def test_needs_are_part_of_the_question() -> None:
    target = Target("t4", gpu="Tesla T4", driver="580.95.05")
    assert Predictor(load(), None, in_containers=True, needs=("fp8",))(CUDA_126, target).status is Outlook.FAIL


def test_open_kernel_modules_of_this_machine_count() -> None:
    pascal = Gpu(index=0, uuid="GPU-9", name="Tesla P100-PCIE-16GB", compute_capability="6.0")
    machine = replace(host(pascal), kernel_modules="open")
    assert "open_kernel_module_unsupported" in predicted(CUDA_126, HOST_TARGET, machine).causes
    machine = replace(machine, kernel_modules="proprietary")
    assert "open_kernel_module_unsupported" not in predicted(CUDA_126, HOST_TARGET, machine).causes


def test_a_driver_that_no_rule_can_read_is_unknown_not_a_crash() -> None:
    prediction = predicted(CUDA_13, Target("odd", gpu="NVIDIA L4", driver="5"))
    assert prediction.status is Outlook.UNKNOWN
    assert prediction.missing


def test_no_gpu_and_no_nvml_at_all() -> None:
    machine = replace(host(), nvml=NvmlInfo(problem="no driver"))
    assert predicted(CUDA_13, NEW_DRIVER, machine).status is Outlook.PASS


# ---------------------------------------------------------------- on a machine with two different GPUs

H100 = Gpu(index=1, uuid="GPU-9999", name="NVIDIA H100 80GB HBM3", compute_capability="9.0")
CODE_FOR_T4_ALONE = Content(torch="2.14.1+cu126", cuda="12.6", python="3.12.4", arch_list=("sm_75",))


@pytest.mark.parametrize(("gpu", "outlook"), [(T4, Outlook.DEGRADED), (H100, Outlook.FAIL)])
@pytest.mark.parametrize("gpus", [(T4, H100), (H100, T4)])
def test_a_cell_that_ran_is_judged_by_the_gpu_it_had(gpus: tuple[Gpu, ...], gpu: Gpu, outlook: Outlook) -> None:
    predict = Predictor(load(), host(*gpus), in_containers=True)
    for target in (HOST_TARGET, Target("named", gpu=gpu.name), Target("by-cc", compute_capability=gpu.compute_capability)):
        said = predict.again(cell(CUDA_126, target, gpu=gpu), CODE_FOR_T4_ALONE)
        assert said.status is outlook
        assert ("arch_not_supported" in said.causes) is (gpu is H100)


def test_a_cell_that_ran_here_is_judged_by_this_machines_driver() -> None:
    old = Predictor(load(), host(T4, H100, driver="470.57.02"), in_containers=False)
    said = old.again(cell(CUDA_126, Target("named", gpu=T4.name), gpu=T4), CODE_FOR_T4_ALONE)
    assert "driver_too_old" in said.causes
