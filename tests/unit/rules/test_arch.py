"""Compiled code against GPUs: the cases are from the CUDA programming guide, torch's own device table and the wheels' lists."""

from __future__ import annotations

import pytest
from rules_values import causes, finding, predict, status_of

from validator.model import MissingKind, Outlook
from validator.rules.code import compiles_for, has_sass, parse, runs_as_is


@pytest.mark.parametrize(
    ("entry", "device", "runs"),
    [
        ("sm_86", (8, 6), True),
        ("sm_86", (8, 9), True),
        ("sm_80", (8, 6), True),
        ("sm_86", (8, 0), False),
        ("sm_89", (8, 6), False),
        ("sm_75", (8, 0), False),
        ("sm_70", (7, 5), True),
        ("sm_60", (6, 1), True),
        ("sm_61", (6, 0), False),
        ("sm_90", (10, 0), False),
        ("sm_100", (10, 3), True),
        ("sm_120", (12, 1), True),
        ("sm_121", (12, 0), False),
        ("sm_90a", (9, 0), True),
        ("sm_120a", (12, 1), False),
        ("sm_100f", (10, 3), True),
        ("sm_100f", (12, 0), False),
        ("compute_86", (8, 6), False),
        ("sm_87", (8, 9), False),
    ],
)
def test_ready_code_runs_within_its_major_upward(entry: str, device: tuple[int, int], runs: bool) -> None:
    code = parse(entry)
    assert code is not None
    assert runs_as_is(code, device, jetson=False) is runs


@pytest.mark.parametrize(
    ("entry", "device", "runs"),
    [
        ("sm_80", (8, 7), False),
        ("sm_86", (8, 7), False),
        ("sm_87", (8, 7), True),
        ("sm_70", (7, 2), False),
        ("sm_101", (11, 0), True),
    ],
)
def test_a_jetson_runs_only_code_made_for_it(entry: str, device: tuple[int, int], runs: bool) -> None:
    code = parse(entry)
    assert code is not None
    assert runs_as_is(code, device, jetson=True) is runs


@pytest.mark.parametrize(
    ("entry", "device", "compiles"),
    [
        ("compute_120", (12, 0), True),
        ("compute_90", (12, 0), True),
        ("compute_120", (10, 3), False),
        ("compute_90a", (10, 0), False),
        ("compute_90a", (9, 0), True),
        ("sm_90", (12, 0), False),
    ],
)
def test_ptx_compiles_upward(entry: str, device: tuple[int, int], compiles: bool) -> None:
    code = parse(entry)
    assert code is not None
    assert compiles_for(code, device) is compiles


def test_what_is_no_cuda_code_is_none() -> None:
    assert parse("gfx90a") is None
    assert parse("sm_") is None


# The lists of 2.6, 2.7.1, 2.8, 2.10, 2.11 and 2.14 as read from wheels and build scripts.
@pytest.mark.parametrize(
    ("torch", "cuda", "cc", "works"),
    [
        ("2.6.0", "12.6", "5.0", True),
        ("2.7.1", "12.8", "7.0", False),
        ("2.7.1", "12.6", "7.0", True),
        ("2.8.0", "12.8", "7.0", True),
        ("2.10.0", "12.8", "7.0", True),
        ("2.10.0", "12.8", "6.1", False),
        ("2.11.0", "12.8", "7.0", False),
        ("2.14.1", "12.6", "6.1", True),
        ("2.14.1", "13.0", "7.0", False),
        ("2.14.1", "13.0", "7.5", True),
        ("2.6.0", "12.6", "12.0", False),
        ("2.7.0", "12.8", "12.0", True),
        ("2.0.1", "11.7", "9.0", False),
        ("2.0.1", "11.8", "9.0", True),
        ("1.13.1", "11.7", "8.9", True),
        ("2.1.0", "11.8", "3.7", True),
        ("2.1.0", "12.1", "3.7", False),
        ("1.10.0", "10.2", "7.5", True),
        ("1.10.0", "10.2", "8.0", False),
        ("1.13.1", "11.7", "3.5", False),
    ],
)
def test_published_builds(torch: str, cuda: str, cc: str, works: bool) -> None:
    assert ("arch_not_supported" not in causes(torch=torch, cuda=cuda, cc=cc)) is works


def test_the_remedy_names_a_build_that_works() -> None:
    volta = finding("arch_not_supported", torch="2.7.1", cuda="12.8", gpu="Tesla V100-SXM2-32GB", driver="570.124.06")
    assert "cu126" in (volta.remedy or "")
    assert status_of(torch="2.7.1", cuda="12.6", gpu="Tesla V100-SXM2-32GB", driver="570.124.06") is not Outlook.FAIL
    blackwell = finding("arch_not_supported", torch="2.6.0", cuda="12.4", gpu="RTX 5090")
    assert "cu128 build of torch 2.7.0" in (blackwell.remedy or "")
    # The nearest build must also run on the driver there is: cu128 reaches 570, cu130 does not.
    held_back = finding("arch_not_supported", torch="2.6.0", cuda="12.4", gpu="5090", driver="570.133.07")
    assert "cu128" in (held_back.remedy or "")


def test_a_gpu_that_cudnn_has_left_needs_a_torch_that_brings_the_older_one() -> None:
    # cu118 has code for the K80 up to torch 2.7; cuDNN 9, which no longer has, came with torch 2.4.
    place = {"gpu": "Tesla K80", "driver": "470.82.01", "cuda": "11.8"}
    assert status_of(torch="2.3.1", **place) is Outlook.DEGRADED
    left = finding("arch_not_supported", torch="2.4.0", **place)
    assert "cuDNN 9" in left.evidence[0]
    assert "cu118 build of torch 2.3.1" in (left.remedy or "")
    assert status_of(torch="2.4.0", cuda="11.8", gpu="Tesla M60", driver="470.82.01") is Outlook.DEGRADED


def test_no_remedy_leads_to_a_torch_without_amp() -> None:
    # The last build with code for Kepler's 3.5 is of torch 1.2, four releases before there was AMP.
    kepler = predict(torch="2.7.1", cuda="12.8", gpu="Quadro K6000", driver="470.82.01")
    assert "arch_not_supported" in kepler.causes
    assert not any("torch 1." in (row.remedy or "") for row in kepler.findings)


def test_a_gpu_that_nothing_runs_on_is_told_to_build() -> None:
    assert "from source" in (finding("arch_not_supported", torch="2.7.1", cuda="12.8", cc="8.7").remedy or "")


# PTX is only used where nothing else is there: an opened image that has compute_90 beside code for older GPUs.
PTX_ONLY = {"inside": {"torch": "2.7.0", "cuda": "12.8", "arch_list": ("sm_80", "sm_90", "compute_90")}, "gpu": "RTX 5090"}


def test_ptx_needs_the_driver_of_its_toolkit() -> None:
    # CUDA 12.8 was released with 570.26; 570.10 is of the same branch and older.
    assert finding("ptx_too_new", **PTX_ONLY, driver="570.10").severity.value == "fail"
    jit = finding("ptx_jit", **PTX_ONLY, driver="570.26")
    assert jit.severity.value == "degraded"
    assert status_of(**PTX_ONLY, driver="570.26") is Outlook.DEGRADED


def test_ptx_without_a_driver_is_an_assumption() -> None:
    prediction = predict(**PTX_ONLY)
    assert prediction.status is Outlook.DEGRADED
    assert any("570.26" in each.text for each in prediction.assumptions)


def test_ptx_does_not_help_where_the_libraries_have_nothing() -> None:
    # CUDA 12.4 knows no Blackwell: torch's own kernels could be compiled, those of cuDNN and cuBLAS could not.
    inside = {"torch": "2.5.1", "cuda": "12.4", "arch_list": ("sm_90", "compute_90")}
    assert "arch_not_supported" in causes(inside=inside, gpu="RTX 5090", driver="580.95.05")


def test_what_was_read_inside_beats_the_facts() -> None:
    assert status_of(torch="2.7.1", cuda="12.8", cc="7.5") is Outlook.DEGRADED
    prediction = predict(torch="2.7.1", cuda="12.8", cc="7.5", inside={"torch": "2.7.1", "cuda": "12.8", "arch_list": ("sm_90",)})
    assert prediction.status is Outlook.FAIL
    assert prediction.basis.value == "inspected"


def test_a_cuda_by_itself_is_judged_by_what_its_toolkit_makes() -> None:
    assert "arch_not_supported" in causes(cuda="13.0", cc="7.0")
    assert "arch_not_supported" not in causes(cuda="13.0", cc="7.5")
    assert "arch_not_supported" in causes(cuda="11.7", cc="9.0")
    assert "arch_not_supported" not in causes(cuda="11.1", cc="8.9")  # code for 8.6 runs on it
    undecided = predict(cuda="12.8", cc="7.0")
    assert undecided.status is Outlook.UNKNOWN
    assert "2.10.0" in undecided.missing[0].text
    assert undecided.missing[0].kind is MissingKind.INPUT


def test_platforms_have_lists_of_their_own() -> None:
    volta = {"torch": "2.7.1", "cuda": "12.8", "cc": "7.0"}
    assert "arch_not_supported" in causes(**volta)
    assert "arch_not_supported" not in causes(**volta, platform="windows")
    assert "arch_not_supported" in causes(torch="2.8.0", cuda="12.8", cc="7.5", platform="linux_aarch64")


def test_a_gpu_of_arm_machines_is_judged_by_the_arm_builds() -> None:
    plain = predict(torch="2.9.1", gpu="NVIDIA GB10", driver="580.95.05")
    assert plain.causes == ("cpu_only_torch",)
    assert status_of(torch="2.9.1", cuda="13.0", gpu="NVIDIA GB10", driver="580.95.05") is Outlook.PASS


@pytest.mark.parametrize("made_for", ["5.3", "6.2", "7.2", "8.7", "10.1", "11.0"])
def test_code_of_a_jetson_runs_on_no_later_gpu_of_its_major(made_for: str) -> None:
    major, minor = map(int, made_for.split("."))
    entries = (f"sm_{major}{minor}",)
    assert has_sass(entries, (major, minor), jetson=True)
    assert not has_sass(entries, (major, minor + 1), jetson=False)


# What a toolkit makes code for: the first and the last CUDA of a capability, and code for a lower minor that runs on it.
@pytest.mark.parametrize(
    ("cuda", "cc", "works"),
    [
        ("12.9", "7.0", True),
        ("13.0", "7.0", False),
        ("11.8", "3.7", True),
        ("12.0", "3.7", False),
        ("11.7", "9.0", False),
        ("11.8", "9.0", True),
        ("12.6", "12.0", False),
        ("12.8", "12.0", True),
        ("12.8", "12.1", True),  # came with 12.9; code for 12.0 runs on it
        ("11.3", "8.7", False),  # a Jetson: no other code of its major runs on it
        ("11.4", "8.7", True),
        ("10.2", "8.0", False),
    ],
)
def test_the_first_and_the_last_toolkit_of_a_capability(cuda: str, cc: str, works: bool) -> None:
    prediction = predict(cuda=cuda, cc=cc)
    assert ("arch_not_supported" in prediction.causes) is not works
    assert prediction.missing == ()


@pytest.mark.parametrize(
    ("given", "missing"),
    [
        (
            {"torch": "2.99.0", "cuda": "13.0"},
            "what torch 2.99.0 for CUDA 13.0 has code for is not in the facts; opening the image",
        ),
        ({"torch": "2.6.0a0+abc", "cuda": "12.8"}, "what torch 2.6.0a0+abc for CUDA 12.8 has code for is not in the facts"),
        (
            {"torch": "2.6.0a0+abc"},
            "which CUDA torch 2.6.0a0+abc is built for, so whether it has code for compute capability 9.0",
        ),
    ],
)
def test_a_torch_whose_code_nobody_knows_must_be_opened(given: dict[str, str], missing: str) -> None:
    prediction = predict(**given, cc="9.0")
    assert prediction.status is Outlook.UNKNOWN
    asked = [each for each in prediction.missing if each.text.startswith(missing)]
    assert [each.kind for each in asked] == [MissingKind.IMAGE]


def test_a_build_that_was_never_published_has_no_code_to_ask_for() -> None:
    prediction = predict(torch="2.7.1", cuda="12.4", cc="9.0", driver="580.95.05")
    assert (prediction.causes, prediction.missing) == (("build_not_published",), ())


# Table 3 of CUDA 12.4's release notes: 550.54.14 on Linux, 551.61 on Windows.
@pytest.mark.parametrize(
    ("platform", "driver", "cause"),
    [
        ("linux_x86_64", "550.54.13", "ptx_too_new"),
        ("linux_x86_64", "550.54.14", "ptx_jit"),
        ("windows", "551.60", "ptx_too_new"),
        ("windows", "551.61", "ptx_jit"),
        ("linux_x86_64", "551.60", "ptx_too_new"),  # a number that only Windows has
        ("linux_x86_64", "551.61", "ptx_jit"),
    ],
)
def test_ptx_is_compiled_from_the_driver_of_the_platform_on(platform: str, driver: str, cause: str) -> None:
    inside = {"torch": "2.4.0", "cuda": "12.4", "arch_list": ("sm_75", "compute_80")}
    assert cause in causes(inside=inside, gpu="L4", driver=driver, platform=platform)


# The libraries beside torch must have code for the GPU: those of CUDA 11.8 were the first to know Hopper.
@pytest.mark.parametrize(("cuda", "cause"), [("11.7", "arch_not_supported"), ("11.8", "ptx_jit")])
def test_ptx_is_of_use_from_the_first_toolkit_of_the_gpu_on(cuda: str, cause: str) -> None:
    inside = {"torch": "2.0.1", "cuda": cuda, "arch_list": ("sm_80", "compute_80")}
    prediction = predict(inside=inside, gpu="H100 PCIe", driver="580.95.05")
    assert [row.cause for row in prediction.findings if row.cause in ("arch_not_supported", "ptx_jit")] == [cause]


def test_ptx_of_a_cuda_beyond_the_facts_takes_no_driver_for_granted() -> None:
    inside = {"torch": "2.4.0", "cuda": "13.7", "arch_list": ("compute_80",)}
    prediction = predict(inside=inside, gpu="L4")
    assert prediction.causes == ("ptx_jit",)
    assert not any("PTX" in said.text for said in prediction.assumptions)
