"""``sdpa``: each backend is chosen, run in its dtypes, and compared with the formula."""

import contextlib
from types import SimpleNamespace

import pytest
from judging import verdict
from small_torch.functions import attention

from validator.probe.checks import sdpa


@pytest.fixture(autouse=True)
def no_override(monkeypatch):
    monkeypatch.delenv("NVIDIA_TF32_OVERRIDE", raising=False)


@pytest.fixture
def backends(torch, monkeypatch):
    """A torch of 2.3 and newer: each backend of ``found.of`` computes its own attention, the default one torch's."""
    monkeypatch.setattr(sdpa, "_SHAPE", (1, 2, 3, 4))
    found = SimpleNamespace(now="default", of={}, tf32=set())

    @contextlib.contextmanager
    def sdpa_kernel(backend):
        found.now = backend
        try:
            yield
        finally:
            found.now = "default"

    def scaled_dot_product_attention(query, key, value, is_causal=False):
        found.tf32.add(torch.backends.cuda.matmul.allow_tf32)
        return found.of.get(found.now, attention)(query, key, value, is_causal=is_causal)

    names = ("MATH", "FLASH_ATTENTION", "EFFICIENT_ATTENTION", "CUDNN_ATTENTION")
    torch.nn.attention = SimpleNamespace(sdpa_kernel=sdpa_kernel, SDPBackend=SimpleNamespace(**{name: name for name in names}))
    torch.nn.functional.scaled_dot_product_attention = scaled_dot_product_attention
    return found


def raising(words):
    def attend(*_, **__):
        raise RuntimeError(words)

    return attend


def test_backends_that_agree_with_the_formula_pass(backends, gpu, torch):
    torch.backends.cuda.matmul.allow_tf32 = True  # as NVIDIA's own images bring it
    result = sdpa.run(gpu)
    assert verdict(result) == ("pass", None)
    assert result.message == "agree with the formula: default, math, flash, efficient, cudnn"
    assert result.metrics["backends"] == ["default", "math", "flash", "efficient", "cudnn"]
    assert result.metrics["backends_unavailable"] == []
    errors = {name[: -len(".error_ratio")]: value for name, value in result.metrics.items() if name.endswith(".error_ratio")}
    halves = {f"{name}.{dtype}" for name in result.metrics["backends"] for dtype in ("float16", "bfloat16")}
    assert set(errors) == halves | {"default.float32", "math.float32", "efficient.float32"}
    assert all(0 < error < 2**-5 for error in errors.values())
    assert errors["math.float32"] < 1e-5 < errors["math.float16"] < errors["math.bfloat16"]
    assert backends.tf32 == {False}
    assert torch.backends.cuda.matmul.allow_tf32 is True


def test_a_cpu_has_two_backends(backends, cpu):
    result = sdpa.run(cpu)
    assert verdict(result) == ("pass", None)
    assert result.metrics["backends"] == ["default", "math", "flash"]
    assert "flash.float32.error_ratio" in result.metrics
    assert "flash.bfloat16.error_ratio" in result.metrics


def test_a_backend_that_forgets_its_mask_is_wrong(backends, cpu):
    backends.of["FLASH_ATTENTION"] = lambda query, key, value, is_causal: attention(query, key, value)
    result = sdpa.run(cpu)
    assert verdict(result) == ("fail", "wrong_results")
    assert "flash in float32 is off by" in result.message
    assert "math" not in result.message


def test_a_mask_where_none_was_asked_for_is_wrong(backends, cpu):
    backends.of["MATH"] = lambda query, key, value, is_causal: attention(query, key, value, True)
    assert "math in float32 is off by" in sdpa.run(cpu).message


@pytest.mark.parametrize("wrong", [0, 1, 2], ids=["query", "key", "value"])
def test_a_wrong_gradient_is_found_though_the_output_is_right(backends, gpu, wrong):
    def attend(*tensors, is_causal):
        tensors = list(tensors)
        given = tensors[wrong]
        copied = given.clone()
        copied.back = [(given, lambda gradient: [each * 1.5 for each in gradient])]
        tensors[wrong] = copied
        return attention(*tensors, is_causal=is_causal)

    backends.of["CUDNN_ATTENTION"] = attend
    result = sdpa.run(gpu)
    assert verdict(result) == ("fail", "wrong_results")
    assert "cudnn in float16 is off by" in result.message


def test_a_backend_that_does_not_apply_is_listed_with_its_reason(backends, gpu):
    backends.of["CUDNN_ATTENTION"] = raising("No available kernel. Aborting execution.")
    result = sdpa.run(gpu)
    assert verdict(result) == ("pass", None)
    assert result.message.endswith("; not available here: cudnn")
    assert result.metrics["backends_unavailable"] == ["cudnn"]
    assert result.metrics["cudnn.reason"] == "RuntimeError: No available kernel. Aborting execution."


def test_a_backend_that_fails_is_a_fault_without_the_cause_of_wrong_numbers(backends, cpu):
    backends.of["MATH"] = raising("CUDA error: an illegal memory access was encountered")
    result = sdpa.run(cpu)
    assert verdict(result) == ("fail", None)
    assert "math in float32 raised RuntimeError: CUDA error: an illegal memory access" in result.message


def test_no_more_than_three_faults_are_told(backends, gpu):
    backends.of = dict.fromkeys(("MATH", "FLASH_ATTENTION"), raising("sick"))
    assert sdpa.run(gpu).message.count("raised") == 3


def test_a_backend_that_takes_one_dtype_of_two_has_run(backends, cpu):
    def attend(query, key, value, is_causal):
        if query.dtype.name == "bfloat16":
            raise RuntimeError("\"flash\" not implemented for 'BFloat16'")
        return attention(query, key, value, is_causal)

    backends.of["FLASH_ATTENTION"] = attend
    result = sdpa.run(cpu)
    assert verdict(result) == ("pass", None)
    assert "flash" in result.metrics["backends"]
    assert "flash.reason" not in result.metrics


@pytest.mark.parametrize(
    ("dtype", "off", "expected"),
    [
        ("float32", 2e-4, ("pass", None)),
        ("float32", 2.1e-4, ("fail", "wrong_results")),
        ("float16", 16 / 2048, ("pass", None)),
        ("float16", 17 / 2048, ("fail", "wrong_results")),
        ("bfloat16", 16 / 256, ("pass", None)),
        ("bfloat16", 17 / 256, ("fail", "wrong_results")),
        ("float32", float("inf"), ("fail", "wrong_results")),
    ],
)
def test_each_dtype_has_its_tolerance(backends, gpu, monkeypatch, dtype, off, expected):
    monkeypatch.setattr(sdpa, "measured", lambda _, __, given, ___: off if given == dtype else 0.0)
    assert verdict(sdpa.run(gpu)) == expected


@pytest.mark.parametrize(("where", "override", "status"), [("gpu", "1", "pass"), ("gpu", "0", "fail"), ("cpu", "1", "fail")])
def test_float32_is_excused_where_nvidias_libraries_are_told_to_use_tf32(backends, request, monkeypatch, where, override, status):
    monkeypatch.setenv("NVIDIA_TF32_OVERRIDE", override)
    monkeypatch.setattr(sdpa, "measured", lambda _, __, dtype, ___: 1e-3 if dtype == "float32" else 0.0)
    assert sdpa.run(request.getfixturevalue(where)).status == status


def test_a_torch_without_attention_is_skipped(cpu, torch):
    del torch.nn.functional.scaled_dot_product_attention
    result = sdpa.run(cpu)
    assert (result.status, "2.7.1" in result.message) == ("skip", True)


# ---------------------------------------------------------------- what is chosen


def test_torch_2_0_to_2_2_choose_by_switches_on_a_gpu_and_not_at_all_on_a_cpu(torch):
    chosen = []
    torch.backends.cuda.sdp_kernel = lambda **switches: chosen.append(switches)
    assert [name for name, _ in sdpa.backends(torch, "cpu")] == ["default"]
    named = sdpa.backends(torch, "cuda")
    assert [name for name, _ in named] == ["default", "math", "flash", "efficient"]
    for _, only in named[1:]:
        only()
    switches = ("enable_math", "enable_flash", "enable_mem_efficient")
    assert [[name for name in switches if each[name]] for each in chosen] == [[name] for name in switches]
    assert all(set(each) == set(switches) for each in chosen)


def test_a_backend_that_this_torch_does_not_know_is_not_chosen(backends, torch):
    del torch.nn.attention.SDPBackend.CUDNN_ATTENTION
    assert [name for name, _ in sdpa.backends(torch, "cuda")] == ["default", "math", "flash", "efficient"]
    del torch.nn.attention
    assert [name for name, _ in sdpa.backends(torch, "cuda")] == ["default"]


@pytest.mark.parametrize(
    ("device", "capability", "backend", "dtypes"),
    [
        ("cpu", (0, 0), "flash", ["float32", "bfloat16"]),
        ("cuda", (7, 5), "flash", ["float16"]),
        ("cuda", (8, 0), "flash", ["float16", "bfloat16"]),
        ("cuda", (8, 0), "cudnn", ["float16", "bfloat16"]),
        ("cuda", (7, 5), "math", ["float16", "float32"]),
        ("cuda", (8, 0), "efficient", ["float16", "bfloat16", "float32"]),
        ("cuda", (8, 0), "default", ["float16", "bfloat16", "float32"]),
    ],
)
def test_a_backend_is_tried_in_the_dtypes_that_it_takes(torch, device, capability, backend, dtypes):
    torch.cuda.get_device_capability = lambda _: capability
    assert sdpa.dtypes(torch, device, backend) == dtypes


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("No available kernel. Aborting execution.", True),
        ("No viable backend for scaled_dot_product_attention was found.", True),
        ("\"flash\" not implemented for 'Float'", True),
        ("Invalid backend", True),
        ("CUDA error: an illegal memory access was encountered", False),
        ("cuDNN Frontend error: [cudnn_frontend] Error: No execution plans support the graph.", False),
    ],
)
def test_a_backend_that_does_not_apply_is_told_from_one_that_failed(said, expected):
    assert sdpa.unavailable(said) is expected
