"""What the checks of a training container's uses conclude from what they measured, on both sides of each threshold."""

import math
from types import SimpleNamespace

import pytest

from validator.catalogue.causes import catalogue
from validator.model import Gpu, GpuClocks
from validator.probe import companions, distributions
from validator.probe.checks import (
    collectives,
    compiled,
    cuda_graphs,
    forking,
    fp8,
    jit,
    loading,
    memory,
    sdpa,
    tf32,
    throughput,
    versions,
)
from validator.probe.children import Answer
from validator.probe.compare import not_implemented
from validator.probe.context import Context
from validator.probe_host.rates import fp16_flops_per_clock, of

CPU_TORCH = SimpleNamespace(__version__="1.4.0", version=SimpleNamespace(cuda=None), nn=SimpleNamespace(functional=object()))


def verdict(result):
    cause = result.metrics.get("cause")
    assert cause is None or cause in catalogue()
    return result.status, cause


@pytest.mark.parametrize("check", [tf32.run, fp8.run, memory.run, cuda_graphs.run, collectives.nccl, throughput.run])
def test_what_needs_a_gpu_is_skipped_on_a_cpu_with_the_reason(check):
    result = check(Context("cpu", None))
    assert result.status == "skip"
    assert result.message


@pytest.mark.parametrize("check", [sdpa.run, compiled.run, collectives.gloo])
def test_what_an_old_torch_does_not_have_is_skipped_with_its_version(monkeypatch, check):
    monkeypatch.setattr(Context, "torch", CPU_TORCH)
    result = check(Context("cpu", None))
    assert result.status == "skip"
    assert "1.4.0" in result.message


@pytest.mark.parametrize(
    ("on", "off", "expected"),
    [
        (3e-4, 6e-7, ("pass", None)),
        (3e-4, 3e-4, ("fail", "wrong_results")),  # off still rounds
        (6e-7, 6e-7, ("warn", None)),  # on does nothing
        (0.5, 6e-7, ("fail", "wrong_results")),
        (math.inf, 6e-7, ("fail", "wrong_results")),
    ],
)
def test_tf32_is_judged_by_what_it_rounds(on, off, expected):
    fine = {True: 2e-4, False: 6e-7}
    assert verdict(tf32.judged({True: on, False: off}, fine, None)) == expected


def test_tf32_that_rounds_convolutions_although_it_is_off_fails_and_names_the_variable():
    result = tf32.judged({True: 3e-4, False: 6e-7}, {True: 3e-4, False: 3e-4}, "1")
    assert verdict(result) == ("fail", "wrong_results")
    assert "convolutions" in result.message
    assert "NVIDIA_TF32_OVERRIDE=1" in result.message


@pytest.mark.parametrize(("off", "expected"), [(0.003, "pass"), (0.04, "fail"), (math.inf, "fail")])
def test_fp8_is_judged_by_its_error(off, expected):
    assert fp8.judged(off).status == expected


@pytest.mark.parametrize(("off", "expected"), [(0.0, "pass"), (1e-4, "fail"), (math.inf, "fail")])
def test_a_replayed_graph_is_judged_by_the_weights(off, expected):
    assert cuda_graphs.judged(off).status == expected


def on_gpu(monkeypatch, capability, **parts):
    cuda = SimpleNamespace(get_device_capability=lambda _: capability, **parts.pop("cuda", {}))
    monkeypatch.setattr(Context, "torch", SimpleNamespace(__version__="1.11.0", cuda=cuda, **parts))
    return Context("cuda", None)


def raising(words):
    def measured(*_):
        raise RuntimeError(words)

    return measured


@pytest.mark.parametrize(
    ("words", "skipped"),
    [
        ("torch._scaled_mm is only supported on devices with compute capability >= 9.0)", True),
        ("scaled_gemm is only supported for CUDA 11.8 and above", True),
        ("CUDA error: CUBLAS_STATUS_NOT_SUPPORTED when calling `cublasLtMatmulAlgoGetHeuristic( ltHandle, ...`", True),
        ("CUDA error: CUBLAS_STATUS_EXECUTION_FAILED when calling `cublasLtMatmul`", False),
    ],
)
def test_a_torch_without_fp8_for_this_gpu_is_told_from_one_whose_fp8_fails(monkeypatch, words, skipped):
    context = on_gpu(monkeypatch, (8, 9), _scaled_mm=object(), float8_e4m3fn=object())
    monkeypatch.setattr(fp8, "measured", raising(words))
    if not skipped:
        with pytest.raises(RuntimeError, match="EXECUTION_FAILED"):
            fp8.run(context)
        return
    result = fp8.run(context)
    assert (result.status, "refuses this GPU" in result.message) == ("skip", True)


def test_a_build_for_cuda_10_has_the_classes_of_cuda_graphs_and_cannot_record(monkeypatch):
    words = "CUDA graphs may only be used in Pytorch built with CUDA >= 11.0 and not yet supported on ROCM"
    context = on_gpu(monkeypatch, (7, 0), cuda={"graph": object()})
    monkeypatch.setattr(cuda_graphs, "measured", raising(words))
    result = cuda_graphs.run(context)
    assert (result.status, "cannot record" in result.message) == ("skip", True)
    monkeypatch.setattr(cuda_graphs, "measured", raising("CUDA error: operation not permitted when stream is capturing"))
    with pytest.raises(RuntimeError, match="capturing"):
        cuda_graphs.run(context)


@pytest.mark.parametrize(("integrated", "share"), [(1, 0.2), (0, 0.8)])
def test_less_is_asked_of_a_gpu_whose_memory_is_the_machines_own(monkeypatch, integrated, share):
    properties = SimpleNamespace(total_memory=100 << 30, is_integrated=integrated)
    cuda = {
        "get_device_properties": lambda _: properties,
        "mem_get_info": lambda: (50 << 30, 100 << 30),
        "empty_cache": lambda: None,
        "synchronize": lambda: None,
    }
    asked = []
    monkeypatch.setattr(memory, "written", lambda _, __, size: asked.append(size) or 0)
    monkeypatch.setattr(memory, "_too_much", lambda *_: "RuntimeError: CUDA out of memory")
    assert memory.run(on_gpu(monkeypatch, (8, 7), cuda=cuda)).status == "pass"
    assert asked == [int((50 << 30) * share)]


MEMORY = {"free_bytes": 10 << 30, "free_after_bytes": 10 << 30, "asked_bytes": 8 << 30, "refused_in_words": "RuntimeError: no"}


@pytest.mark.parametrize(
    ("changed", "damaged", "expected"),
    [
        ({}, 0, ("pass", None)),
        ({"free_after_bytes": (10 << 30) - (100 << 20)}, 0, ("pass", None)),
        ({"free_after_bytes": (10 << 30) - (200 << 20)}, 0, ("warn", None)),
        ({"free_bytes": None, "free_after_bytes": None}, 0, ("pass", None)),
        ({"refused_in_words": None}, 0, ("warn", None)),
        ({}, 7, ("fail", "wrong_results")),
    ],
)
def test_memory_is_judged_by_what_comes_back(changed, damaged, expected):
    assert verdict(memory.judged({**MEMORY, **changed}, damaged)) == expected


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (Answer("RuntimeError: Cannot re-initialize CUDA in forked subprocess. To use CUDA", "raised"), ("pass", None)),
        (Answer("RuntimeError: CUDA error: initialization error", "raised"), ("warn", None)),
        (Answer("0.0", "returned"), ("warn", None)),
        (Answer("", "died: signal 11"), ("warn", None)),
        (Answer("no answer", "hung"), ("warn", "hang")),
    ],
)
def test_a_forked_child_must_be_told_that_it_cannot_use_cuda(answer, expected):
    assert verdict(forking.judged_on_gpu(answer, {})) == expected


# ---------------------------------------------------------------- rates


@pytest.mark.parametrize(
    ("name", "capability", "clock_mhz", "multiprocessors", "data_sheet"),
    [
        ("Tesla V100-SXM2-16GB", "7.0", 1530, 80, 125e12),
        ("NVIDIA A100-SXM4-80GB", "8.0", 1410, 108, 312e12),
        ("NVIDIA H100 80GB HBM3", "9.0", 1830, 132, 989e12),
        ("NVIDIA GeForce RTX 3090", "8.6", 1695, 82, 71e12),
        ("NVIDIA GeForce RTX 4090", "8.9", 2520, 128, 165e12),
        ("NVIDIA H200", "9.0", 1830, 132, 989e12),
        ("NVIDIA H20", "9.0", 1850, 78, 148e12),
        ("NVIDIA B200", "10.0", 1850, 148, 2250e12),
        ("NVIDIA GeForce GTX 1660 Ti", "7.5", 1770, 24, 5.4e12),
    ],
)
def test_the_expected_rate_is_the_data_sheets(name, capability, clock_mhz, multiprocessors, data_sheet):
    gpu = Gpu(0, "GPU-1", name, capability, clocks=GpuClocks(sm_max_hz=clock_mhz * 1e6))
    assert throughput.expected(of(gpu), multiprocessors) == pytest.approx(data_sheet, rel=0.02)


def test_a_t4_has_tensor_cores_and_a_t400_has_none():
    assert fp16_flops_per_clock("7.5", "Tesla T4") == 512
    assert fp16_flops_per_clock("7.5", "NVIDIA T400 4GB") == 128
    assert fp16_flops_per_clock("7.5", "Quadro T2000 with Max-Q Design") == 128
    assert fp16_flops_per_clock("7.5", None) == 512
    assert fp16_flops_per_clock("99.0", "NVIDIA of tomorrow") is None


RATES = {"clock_hz": 345e6, "clock_max_hz": 1410e6, "power_limit_watts": 100.0, "power_default_watts": 400.0}


@pytest.mark.parametrize(("share", "expected"), [(0.9, "pass"), (0.41, "pass"), (0.39, "warn"), (0.01, "warn")])
def test_a_rate_is_judged_by_its_share_of_the_expected_one(share, expected):
    assert throughput.judged(share * 100e12, 100e12, RATES, {}).status == expected


def test_a_slow_gpu_is_told_with_what_may_explain_it():
    result = throughput.judged(10e12, 312e12, {**RATES, "throttle_reasons": ["power_cap", "thermal"]}, {})
    assert verdict(result) == ("warn", "slow_device")
    for said in ("10.0 TFLOP/s", "3% of the 312.0", "345 MHz of 1410 MHz", "100 W of 400 W", "power_cap, thermal"):
        assert said in result.message


def test_what_nvml_says_of_the_busy_gpu_stands_before_what_the_host_said_of_the_idle_one():
    busy = {
        "busy_clock_hz": 600e6,
        "busy_throttle_reasons": ["thermal"],
        "busy_power_watts": 80.5,
        "busy_temperature_celsius": 91,
    }
    result = throughput.judged(10e12, 312e12, {**RATES, "throttle_reasons": ["power_cap", "thermal"]}, busy)
    assert "600 MHz of 1410 MHz while busy" in result.message
    assert "before the run" not in result.message
    assert "held back by thermal, power_cap" in result.message
    assert "91 °C and 80.5 W while busy" in result.message


@pytest.mark.parametrize("rates", [{}, {"fp16_flops_per_clock": 512, "clock_max_hz": None}])
def test_an_unknown_gpu_is_measured_and_not_judged(rates):
    assert throughput.expected(rates, 40) is None
    assert verdict(throughput.judged(1e12, None, rates, {})) == ("pass", None)


# ---------------------------------------------------------------- loading

SHM = {"workers": 2, "batch_bytes": 72 << 20, "open_files_limit": 1024, "shm_bytes": 64 << 20, "shm_free_bytes": 64 << 20}


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("unable to allocate shared memory(shm) for file </torch_7_2>: No space left on device (28)", "shm_too_small"),
        ("DataLoader worker (pid 7) is killed by signal: Bus error. It is possible that", "shm_too_small"),
        ("DataLoader worker (pid(s) 7, 8) exited unexpectedly", "shm_too_small"),
        ("unable to open shared memory object </torch_1> in read-write mode: Too many open files (24)", None),
        ("an ordinary mistake", None),
    ],
)
def test_a_failed_load_on_a_small_shm_is_explained_by_it_where_the_words_fit(said, expected):
    result = loading.explained(RuntimeError(said), dict(SHM))
    assert verdict(result) == ("fail", expected)
    if expected:
        assert "64 MiB" in result.message


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("DataLoader worker (pid(s) 7, 8) exited unexpectedly", None),
        ("received 0 items of ancdata", None),
        ("can't start new thread", "pids_limit"),
    ],
)
def test_a_failed_load_on_a_large_shm_is_something_else(said, expected):
    large = {**SHM, "shm_bytes": 1 << 30, "shm_free_bytes": 1 << 30}
    assert verdict(loading.explained(RuntimeError(said), large)) == ("fail", expected)


def test_without_a_shared_memory_folder_that_is_the_cause():
    result = loading.explained(OSError("no such file"), {**SHM, "shm_bytes": None, "shm_free_bytes": None})
    assert verdict(result) == ("fail", "shm_too_small")


# ---------------------------------------------------------------- compilers

THERE = {"c_compiler": "/usr/bin/cc", "cxx_compiler": "/usr/bin/g++", "python_headers": True, "triton_version": "3.5.0"}


def explained(said, device="cuda", **changed):
    return compiled.explained(CPU_TORCH, RuntimeError(said), {**THERE, **changed}, device)


@pytest.mark.parametrize(
    ("said", "device", "changed", "names"),
    [
        ("Failed to find C compiler. Please specify via CC environment variable.", "cuda", {"c_compiler": None}, "a C compiler"),
        ("No working C++ compiler found in torch._inductor.config.cpp.cxx: (None,)", "cpu", {"cxx_compiler": None}, "a C++"),
        ("Cannot find a working triton installation. More", "cuda", {"triton_version": None}, "triton"),
        ("/tmp/main.c:6:10: fatal error: Python.h: No such file or directory", "cuda", {"python_headers": False}, "(Python.h)"),
        ("CalledProcessError: Command '['/usr/bin/gcc', 'main.c']'", "cuda", {"python_headers": False}, "(Python.h)"),
    ],
)
def test_what_is_missing_to_compile_with_is_named(said, device, changed, names):
    result = explained(said, device, **changed)
    assert verdict(result) == ("fail", "gcc_or_triton_missing")
    assert names in result.message


@pytest.mark.parametrize("said", ["backend='inductor' raised: AssertionError", "Failed to find C compiler", "triton says no"])
def test_a_compiler_that_is_there_is_not_called_missing(said):
    assert verdict(explained(said)) == ("fail", None)


@pytest.mark.parametrize(
    "said",
    [
        "Python 3.11+ not yet supported for torch.compile",
        "Dynamo is not supported on Python 3.12+",
        "Found Tesla P100 which is too old to be supported by the triton GPU compiler, which is used as the backend.",
    ],
)
def test_where_torch_compile_does_not_apply_it_is_skipped(said):
    assert explained(said).status == "skip"


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("nvrtc: error: failed to open libnvrtc-builtins.so.12.4.\n  Make sure that it is installed", "missing_shared_library"),
        ("Error in dlopen: libnvrtc.so.12: cannot open shared object file: No such file", "missing_shared_library"),
        ("RuntimeError: default_program(3): error", None),
    ],
)
def test_a_missing_nvrtc_is_named(said, expected):
    result = jit.explained(RuntimeError(said), {})
    assert verdict(result) == ("fail", expected)
    if expected:
        assert "libnvrtc" in result.message


@pytest.mark.parametrize(
    ("said", "missing"),
    [
        ('"addmm_impl_cpu_" not implemented for \'Half\'', True),
        ("fft: ATen not compiled with MKL support", True),
        ("_th_mm not supported on CPUType for Half", True),
        ("CUDA error: no kernel image is available for execution on the device", False),
        ("cuDNN error: CUDNN_STATUS_EXECUTION_FAILED", False),
    ],
)
def test_an_operation_that_torch_does_not_have_is_told_from_one_that_failed(said, missing):
    assert not_implemented(RuntimeError(said)) is missing


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("No available kernel. Aborting execution.", True),
        ("No viable backend for scaled_dot_product_attention was found.", True),
        ("CUDA error: an illegal memory access was encountered", False),
        ("cuDNN Frontend error: [cudnn_frontend] Error: No execution plans support the graph.", False),
    ],
)
def test_a_backend_that_does_not_apply_is_told_from_one_that_failed(said, expected):
    assert sdpa.unavailable(said) is expected


# ---------------------------------------------------------------- versions


def torch_of(version="2.7.1+cu126", cuda="12.6", compiled=(9, 5, 1), loaded=(9, 5, 1)):
    cudnn = SimpleNamespace(getCompileVersion=lambda: compiled, getRuntimeVersion=lambda: loaded)
    return SimpleNamespace(__version__=version, version=SimpleNamespace(cuda=cuda), _C=SimpleNamespace(_cudnn=cudnn))


@pytest.mark.parametrize(
    ("asked", "differs"),
    [
        ({"torch": "2.7.1", "cuda": "12.6"}, []),
        ({"torch": "2.7.1+cu126"}, []),
        ({"torch": "2.7.1.0"}, []),
        ({"torch": None, "cuda": None, "python": None}, []),
        ({"torch": "2.7.0"}, ["torch"]),
        ({"torch": "2.7.1+cu128"}, ["torch"]),
        ({"torch": "2.7"}, ["torch"]),
        ({"cuda": "12.6.3"}, []),
        ({"cuda": "12.8"}, ["cuda"]),
        ({"cuda": "12.60"}, ["cuda"]),
        ({"cuda": "cpu"}, ["cuda"]),
        ({"python": "2.7"}, ["python"]),
    ],
    ids=str,
)
def test_what_was_asked_for_is_compared_with_what_is_inside(asked, differs):
    assert versions.not_as_asked(torch_of(), asked, {}) == differs


def test_an_old_releases_long_cuda_version_is_the_one_asked_for():
    assert versions.not_as_asked(torch_of("1.2.0", "10.0.130"), {"torch": "1.2", "cuda": "10.0"}, {}) == []


@pytest.mark.parametrize(
    ("compiled_against", "loaded", "fits"),
    [
        ((9, 5, 1), (9, 5, 1), True),
        ((9, 1, 0), (9, 10, 2), True),
        ((9, 5, 1), (9, 1, 0), False),
        ((8, 9, 2), (9, 1, 0), False),
        ((9, 1, 0), (8, 9, 7), False),
    ],
)
def test_a_later_minor_version_of_cudnn_serves_and_no_other(compiled_against, loaded, fits):
    assert (versions.cudnn(torch_of(compiled=compiled_against, loaded=loaded), {}) is None) is fits


@pytest.mark.parametrize(
    ("differing", "cudnn", "packages", "apart", "expected"),
    [
        ([], None, [], [], ("pass", None)),
        (["torch"], None, [], [], ("warn", "label_mismatch")),
        ([], "cuDNN 8 is loaded", [], [], ("warn", "cudnn_mismatch")),
        ([], None, ["torch was built with nvidia-nccl-cu12 2.1, installed is 2.2"], [], ("warn", None)),
        ([], None, ["torch was built with nvidia-cudnn-cu12 9.1, installed is 9.2"], [], ("warn", "cudnn_mismatch")),
        (["torch"], None, [], ["torchvision 0.1 is built for torch 2.0, and torch is 2.1"], ("fail", "torchvision_mismatch")),
        ([], None, [], ["torchvision 0.1 cannot be imported: ModuleNotFoundError: No module named 'PIL'"], ("fail", None)),
    ],
)
def test_the_worst_that_does_not_fit_decides(differing, cudnn, packages, apart, expected):
    assert verdict(versions.judged({}, differing, cudnn, packages, apart)) == expected


@pytest.mark.parametrize(
    ("line", "pin"),
    [
        ("torch==2.7.1", ("torch", "2.7.1")),
        ("torch (==2.3.0)", ("torch", "2.3.0")),
        ("nvidia-cudnn-cu12==9.5.1.17; platform_system == 'Linux'", ("nvidia-cudnn-cu12", "9.5.1.17")),
        ("numpy>=1.20", None),
        ("torch==2.*", None),
        ("pillow!=8.3.*,>=5.3.0", None),
        ("scipy==1.0; extra == 'scipy'", None),
    ],
)
def test_exact_demands_are_read_from_metadata_of_either_spelling(monkeypatch, line, pin):
    monkeypatch.setattr(distributions.metadata, "requires", lambda _: [line])
    assert distributions.pins("anything") == (dict([pin]) if pin else {})


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("torchvision 0.18 cannot be imported: RuntimeError: operator torchvision::nms does not exist", True),
        ("torchvision.ops.nms does not run: RuntimeError: Couldn't load custom C++ ops.", True),
        ("nms does not run: NotImplementedError: Could not run 'torchvision::nms' with arguments from the 'CUDA' backend", True),
        ("torchaudio 2.0 cannot be imported: OSError: libtorchaudio.so: undefined symbol: _ZNK3c10", True),
        ("torchvision is built for CUDA 11.8, torch for 12.6", True),
        ("torchvision 0.18 cannot be imported: ModuleNotFoundError: No module named 'PIL'", False),
    ],
)
def test_a_package_of_another_torch_is_told_from_one_that_lacks_something_else(said, expected):
    assert companions.other_torch(said) is expected
