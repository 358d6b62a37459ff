"""Checks of what a container is used for on a real torch: each holds on a healthy one, and each catches one that was broken.

What breaks it is a ``sitecustomize`` on PYTHONPATH, which the worker reads as any Python of the image would. With the mirage
(tests/unit/probe/mirage) the code for a GPU runs on the CPU.

Needs VALIDATOR_TEST_TORCH_PYTHON: interpreters that have torch, separated by ``:``; the first is taken.
"""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from validator import probe_host
from validator.catalogue import checks
from validator.catalogue.causes import catalogue
from validator.model import CheckStatus, Gpu, GpuClocks
from validator.probe_host import EventStream, ProbePlan

PYTHONS = [each for each in os.environ.get("VALIDATOR_TEST_TORCH_PYTHON", "").split(os.pathsep) if each]
MIRAGE = Path(__file__).parent / "mirage" / "sitecustomize.py"
#: 2 multiprocessors × 4096 × 1 MHz: a rate that any CPU reaches.
SLOW = Gpu(0, "GPU-1", "Mirage", "9.0", 1 << 30, clocks=GpuClocks(sm_max_hz=1e6))
PASS, FAIL, SKIP, WARN = CheckStatus.PASS, CheckStatus.FAIL, CheckStatus.SKIP, CheckStatus.WARN

pytestmark = [
    pytest.mark.heavy,
    pytest.mark.skipif(not PYTHONS, reason="VALIDATOR_TEST_TORCH_PYTHON names no interpreter that has torch"),
]


@pytest.fixture
def probed(tmp_path):
    """Runs checks on the torch, with a text as its sitecustomize, and returns what each found by name."""

    def run(*names, broken="", device="cpu", asked=None, gpu=None, within=(), **variables):
        site = tmp_path / "site"
        site.mkdir(exist_ok=True)
        (site / "sitecustomize.py").write_text(broken, encoding="utf-8")
        specs = tuple(checks.chosen(names, checks.selected({}, inspect=False)))
        nonce, asked = probe_host.new_nonce(), asked or {}
        plan = ProbePlan(nonce, specs, device, gpu, 300.0, str(tmp_path), asked=asked, listens=False)
        done = subprocess.run(
            [*within, *probe_host.command(PYTHONS[0])],
            env={**os.environ, "PYTHONPATH": str(site), **variables, **probe_host.environment(plan)},
            capture_output=True,
            check=False,
        )
        stream = EventStream(plan)
        stream.feed(done.stdout)
        report = stream.close()
        assert report.complete, done.stderr.decode()
        for check in report.checks:
            assert check.metrics.get("cause") in {None, *catalogue()}
        return {check.name: check for check in report.checks}

    return run


HEALTHY = ("versions", "kernels", "sdpa", "fork", "dataloader", "gloo", "jit")


def test_a_healthy_torch_passes_what_applies_to_a_cpu_and_skips_the_rest_with_the_reason(probed):
    found = probed(*HEALTHY, "tf32", "fp8", "memory", "nccl", "multi_gpu", "throughput", "cuda_graphs")
    for name, check in found.items():
        expected = PASS if name in (*HEALTHY, "import", "device") else SKIP
        assert check.status is expected, f"{name}: {check.message}"
        assert check.message


def test_compile_passes_on_a_healthy_torch_that_has_it(probed):
    check = probed("compile")["compile"]
    assert check.status is PASS or "not supported on Python" in check.message or "has no torch.compile" in check.message


WRONG = """
import torch
real = torch.nn.functional.{name}
def wrong(*args, **kwargs):
    found = real(*args, **kwargs)
    return {change} if args[0].dtype == torch.{dtype} else found
torch.nn.functional.{name} = wrong
"""


@pytest.mark.parametrize(
    ("name", "dtype", "change", "said"),
    [
        ("softmax", "float32", "found * 1.01", "softmax in float32 is off by"),
        ("conv2d", "float32", "found + 0.01", "conv2d in float32 is off by"),
        ("cross_entropy", "float32", "found * float('nan')", "cross_entropy in float32 is off by inf"),
        ("layer_norm", "float32", "found[:-1]", "layer_norm_backward in float32"),
    ],
)
def test_an_operation_with_wrong_numbers_is_named(probed, name, dtype, change, said):
    check = probed("kernels", broken=WRONG.format(name=name, dtype=dtype, change=change))["kernels"]
    assert check.status is FAIL
    assert said in check.message


def test_wrong_numbers_in_half_precision_are_a_warning_on_a_cpu_and_a_failure_on_a_gpu(probed):
    broken = WRONG.format(name="softmax", dtype="bfloat16", change="found * 1.2")
    check = probed("kernels", broken=broken)["kernels"]
    assert check.status is WARN
    assert "softmax in bfloat16 is off by" in check.message
    check = probed("kernels", broken=MIRAGE.read_text(encoding="utf-8") + broken, device="cuda")["kernels"]
    assert (check.status, check.metrics["cause"]) == (FAIL, "wrong_results")


def test_an_operation_that_raises_is_named(probed):
    broken = "import torch\ndef bmm(*_): raise RuntimeError('CUDA error: no kernel image')\ntorch.bmm = bmm\n"
    check = probed("kernels", broken=broken)["kernels"]
    assert check.status is FAIL
    assert "bmm in float32 raised RuntimeError: CUDA error: no kernel image" in check.message


def test_attention_that_forgets_its_mask_is_caught(probed):
    broken = """
import torch
real = torch.nn.functional.scaled_dot_product_attention
torch.nn.functional.scaled_dot_product_attention = lambda q, k, v, is_causal=False: real(q, k, v)
"""
    check = probed("sdpa", broken=broken)["sdpa"]
    assert check.status is FAIL
    assert check.metrics["cause"] == "wrong_results"


def test_a_sum_that_never_left_its_process_is_caught(probed):
    broken = "import torch.distributed as d\nd.all_reduce = lambda tensor: None\n"
    check = probed("gloo", broken=broken)["gloo"]
    assert (check.status, check.metrics["cause"]) == (FAIL, "wrong_results")
    assert "got 1.0, the sum is 3.0" in check.message


def test_a_forked_child_that_dies_costs_one_check_and_is_told(probed):
    broken = "import os, torch\nos.register_at_fork(after_in_child=lambda: os.kill(os.getpid(), 9))\n"
    found = probed("fork", "jit", broken=broken)
    assert found["fork"].status is FAIL
    assert "died: signal 9" in found["fork"].message
    assert found["jit"].status is PASS


def test_batches_that_arrive_changed_are_caught(probed):
    broken = "import torch\nreal = torch.full\ntorch.full = lambda size, value, **more: real(size, 1.0, **more)\n"
    check = probed("dataloader", broken=broken)["dataloader"]
    assert (check.status, check.metrics["cause"]) == (FAIL, "wrong_results")


def test_the_shared_memory_of_a_container_is_too_small_and_that_is_the_cause(probed):
    small = ["unshare", "--map-root-user", "--mount", "sh", "-c", 'mount -t tmpfs -o size=64m none /dev/shm && exec "$@"', "sh"]
    try:
        subprocess.run([*small, "true"], capture_output=True, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"no mount of one's own can be had here: {error}")
    found = probed("dataloader", "jit", within=small)
    assert (found["dataloader"].status, found["dataloader"].metrics["cause"]) == (FAIL, "shm_too_small")
    assert "/dev/shm has 64 MiB" in found["dataloader"].message
    assert found["jit"].status is PASS


def test_a_scripted_function_with_other_results_is_caught(probed):
    broken = "import torch\ntorch.jit.script = lambda function: lambda *values: function(*values) * 1.01\n"
    check = probed("jit", broken=broken)["jit"]
    assert (check.status, check.metrics["cause"]) == (FAIL, "wrong_results")


def test_without_a_compiler_that_is_what_compile_says(probed):
    check = probed("compile", PATH="/nonexistent", CXX="")["compile"]
    if check.status is SKIP:
        pytest.skip(check.message)
    assert (check.status, check.metrics["cause"]) == (FAIL, "gcc_or_triton_missing")
    assert "a C++ compiler" in check.message


def test_a_compiler_too_old_for_the_cpu_compiles_what_it_can(probed, tmp_path):
    real = shutil.which("g++")
    if real is None:
        pytest.skip("no g++ on this machine")
    refuses = "case \"$a\" in -mamx*|-mavx512*) echo \"error: unrecognized command line option '$a'\" >&2; exit 1;; esac"
    (tmp_path / "g++").write_text(f'#!/bin/sh\nfor a in "$@"; do {refuses}; done\nexec {real} "$@"\n', encoding="utf-8")
    (tmp_path / "g++").chmod(0o755)
    check = probed("compile", PATH=f"{tmp_path}:{os.environ['PATH']}")["compile"]
    if check.status is SKIP:
        pytest.skip(check.message)
    assert check.status is PASS, check.message
    assert check.metrics["cxx_compiler"] == str(tmp_path / "g++")


def test_compiled_code_with_other_results_is_caught(probed):
    broken = "import torch\ntorch.compile = lambda net: lambda inputs: net(inputs) * 1.01\n"
    check = probed("compile", broken=broken)["compile"]
    assert (check.status, check.metrics["cause"]) == (FAIL, "wrong_results")


# ---------------------------------------------------------------- companions


@pytest.fixture
def package(tmp_path):
    """Installs a package of one module, with what its metadata demands."""

    def make(name, source, version="0.1.0", demands=""):
        folder = tmp_path / "site" / name
        folder.mkdir(parents=True)
        (folder / "__init__.py").write_text(source, encoding="utf-8")
        described = tmp_path / "site" / f"{name}-{version}.dist-info"
        described.mkdir()
        demand = f"Requires-Dist: {demands}\n" if demands else ""
        text = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{demand}"
        (described / "METADATA").write_text(text, encoding="utf-8")

    return make


FITTING = """
__version__ = "0.1.0"
class ops:
    @staticmethod
    def nms(boxes, scores, threshold):
        return {}
"""


@pytest.mark.parametrize(
    ("source", "demands", "said"),
    [
        ("raise RuntimeError('operator torchvision::nms does not exist')", "", "operator torchvision::nms does not exist"),
        (FITTING.format("[][1]"), "torch==1.0.1", "is built for torch 1.0.1"),
        ("import torch\n" + FITTING.format("torch.tensor([0, 1, 2])"), "", None),
        (FITTING.replace("return {}", "raise RuntimeError(\"Couldn't load custom C++ ops\")"), "", "custom C++ ops"),
    ],
    ids=["import", "pin", "wrong boxes", "no operators"],
)
def test_a_torchvision_of_another_torch_is_caught(probed, package, source, demands, said):
    package("torchvision", source, demands=demands)
    check = probed("versions")["versions"]
    assert check.status is FAIL
    if said:
        assert check.metrics["cause"] == "torchvision_mismatch"
        assert said in check.message
    else:
        assert "keeps boxes [0, 1, 2], not [0, 2]" in check.message


def test_a_torchvision_that_fits_passes_and_is_told(probed, package):
    package("torchvision", "import torch\n" + FITTING.format("torch.tensor([0, 2])"))
    check = probed("versions")["versions"]
    assert check.status is PASS
    assert "torchvision 0.1.0" in check.message


def test_a_torchaudio_with_a_symbol_missing_is_caught(probed, package):
    package("torchaudio", "raise OSError('libtorchaudio.so: undefined symbol: _ZN3c10')", demands="torch==1.0.1")
    check = probed("versions")["versions"]
    assert (check.status, check.metrics["cause"]) == (FAIL, "torchvision_mismatch")


def test_what_was_asked_for_and_is_not_inside_is_a_warning(probed):
    check = probed("versions", asked={"torch": "0.4.1", "cuda": "cpu"})["versions"]
    assert (check.status, check.metrics["cause"]) == (WARN, "label_mismatch")
    assert "torch" in check.message


# ---------------------------------------------------------------- the code for a GPU


def mirage(probed, *names, gpu=SLOW, **variables):
    return probed(*names, broken=MIRAGE.read_text(encoding="utf-8"), device="cuda", gpu=gpu, **variables)


def test_the_code_for_a_gpu_runs_to_its_end(probed):
    found = mirage(
        probed, "versions", "kernels", "tf32", "fp8", "sdpa", "memory", "fork", "dataloader", "gloo", "nccl", "throughput", "jit"
    )
    warned = found.pop("tf32")
    assert warned.status is WARN
    assert "TF32 is on and changes nothing" in warned.message
    for name, check in found.items():
        assert check.status is PASS, f"{name}: {check.message}"
    assert found["kernels"].metrics["tf32.ops"] > 0
    assert "pinned" in found["dataloader"].message
    assert found["fork"].metrics["cuda_child"] == "raised"
    assert found["throughput"].metrics["rate_ratio"] > 0.4
    assert "NVRTC" in found["jit"].message


def test_a_graph_whose_replay_does_nothing_is_caught(probed):
    check = mirage(probed, "cuda_graphs")["cuda_graphs"]
    assert (check.status, check.metrics["cause"]) == (FAIL, "wrong_results")


def test_several_gpus_add_up_and_hand_over(probed):
    found = mirage(probed, "nccl", "multi_gpu", MIRAGE_GPUS="3")
    assert found["nccl"].message == "all-reduce on 3 GPUs gives the sum"
    assert found["multi_gpu"].metrics["pairs"] == 6


def test_an_older_gpu_skips_what_it_does_not_have(probed):
    found = mirage(probed, "tf32", "fp8", "kernels", MIRAGE_CAPABILITY="7.5", gpu=None)
    assert found["tf32"].status is found["fp8"].status is SKIP
    assert "bfloat16.ops" not in found["kernels"].metrics


def test_a_gpu_far_below_its_rate_is_a_warning(probed):
    fast = Gpu(0, "GPU-1", "Mirage", "9.0", 1 << 30, clocks=GpuClocks(2e8, 2e12, 100.0, 400.0, ("thermal",)))
    check = mirage(probed, "throughput", gpu=fast)["throughput"]
    assert (check.status, check.metrics["cause"]) == (WARN, "slow_device")
    assert "100 W of 400 W" in check.message
    assert "thermal" in check.message
