"""``device``: the GPU that torch sees against the host's, why none is seen, and what the CPU is."""

import warnings
from types import SimpleNamespace

import pytest
from judging import verdict

from validator.probe import cpu as processor
from validator.probe.checks import device
from validator.probe.context import Context

MIB = 1 << 20
T4 = {"name": "Tesla T4", "compute_capability": "7.5", "memory_total_bytes": 15360 * MIB, "uuid": "GPU-1"}


@pytest.fixture
def card(torch):
    """Sets what torch says of the GPU; a T4 unless told otherwise."""

    def make(name="Tesla T4", major=7, minor=5, memory=14930 * MIB, **more):
        properties = SimpleNamespace(name=name, major=major, minor=minor, total_memory=memory, **more)
        torch.cuda.get_device_properties = lambda _: properties

    make()
    torch.cuda.mem_get_info = lambda: (10, 20)
    return make


def test_the_gpu_the_host_sees_passes_though_torch_reports_less_memory(card, torch):
    card(uuid="GPU-1")
    torch.cuda.device_count = lambda: 3
    places = []
    torch.empty = lambda size, device: places.append((size, device))
    result = device.run(Context("cuda", T4))
    assert verdict(result) == ("pass", None)
    assert result.message == "Tesla T4, compute capability 7.5, 14.6 GiB"
    assert result.metrics == {
        "cuda_available": True,
        "device_count": 3,
        "name": "Tesla T4",
        "compute_capability": "7.5",
        "memory_total_bytes": 14930 * MIB,
        "memory_free_bytes": 10,
        "uuid": "GPU-1",
    }
    assert places == [(1, "cuda")]  # the context is made


def test_an_old_torch_says_neither_what_is_free_nor_the_uuid(card, torch):
    del torch.cuda.mem_get_info
    result = device.run(Context("cuda", T4))
    assert result.status == "pass"
    assert result.metrics["memory_free_bytes"] is result.metrics["uuid"] is None


@pytest.mark.parametrize("host", [{**T4, "name": "NVIDIA Tesla T4"}, {**T4, "name": "  tesla t4 "}, {**dict.fromkeys(T4)}, None])
def test_a_brand_prefix_or_a_host_that_knows_nothing_is_no_difference(card, host):
    assert verdict(device.run(Context("cuda", host))) == ("pass", None)


@pytest.mark.parametrize(
    ("name", "board_gib", "usable_gib"),
    [("NVIDIA RTX A500 Laptop GPU", 4, 3.68), ("NVIDIA GeForce GTX 1650", 4, 3.81), ("NVIDIA GeForce RTX 3090", 24, 23.68)],
)
def test_what_is_reserved_of_a_small_card_is_no_difference(card, name, board_gib, usable_gib):
    host = {"name": name, "compute_capability": "7.5", "memory_total_bytes": board_gib << 30, "uuid": "GPU-1"}
    card(name, memory=int(usable_gib * 2**30))
    assert device.run(Context("cuda", host)).status == "pass"
    card(name, memory=board_gib << 29)
    assert device.run(Context("cuda", host)).status == "fail"


@pytest.mark.parametrize(
    ("board", "here", "fits"),
    [
        (4096 * MIB, 3584 * MIB, True),  # half a GiB
        (4096 * MIB, 3584 * MIB - 1, False),
        (4096 * MIB, 4608 * MIB + 1, False),  # more than there is differs too
        (100_000 * MIB, 95_000 * MIB, True),  # 5 %
        (100_000 * MIB, 95_000 * MIB - 1, False),
    ],
)
def test_memory_may_differ_by_a_share_or_by_half_a_gib(card, board, here, fits):
    card(memory=here)
    result = device.run(Context("cuda", {**T4, "memory_total_bytes": board}))
    assert verdict(result) == (("pass", None) if fits else ("fail", "gpu_differs"))
    assert fits or f"memory of {here} bytes here, {board} on the host" in result.message


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"name": "NVIDIA L4"}, "name NVIDIA L4 here, Tesla T4 on the host"),
        ({"minor": 0}, "compute capability 7.0 here, 7.5 on the host"),
        ({"major": 8}, "compute capability 8.5 here, 7.5 on the host"),
        (
            {"name": "A", "minor": 0, "memory": 0},
            "name A here, Tesla T4 on the host; compute capability 7.0 here, 7.5 on the host; m",
        ),
    ],
)
def test_another_gpu_than_the_hosts_fails_with_both_values(card, changed, said):
    card(**changed)
    result = device.run(Context("cuda", T4))
    assert verdict(result) == ("fail", "gpu_differs")
    assert said in result.message


# ---------------------------------------------------------------- no GPU


def unavailable(torch, warned=(), init=None):
    def is_available():
        for text in warned:
            warnings.warn(text, stacklevel=1)
        return False

    def raising():
        if init:
            raise init

    torch.cuda.is_available, torch.cuda.init = is_available, raising


@pytest.mark.parametrize(
    ("warned", "init", "said"),
    [
        (
            ("the driver is too old",),
            RuntimeError("No CUDA GPUs"),
            "RuntimeError: No CUDA GPUs; UserWarning: the driver is too old",
        ),
        ((), AssertionError("found no NVIDIA driver"), "AssertionError: found no NVIDIA driver"),
        (("the driver is too old", "twice"), None, "UserWarning: the driver is too old; UserWarning: twice"),
        ((), None, "torch.cuda.is_available() is false and does not say why"),
    ],
)
def test_an_unavailable_gpu_fails_with_torchs_own_words_and_no_cause(torch, warned, init, said):
    unavailable(torch, warned, init)
    result = device.run(Context("cuda", T4))
    assert verdict(result) == ("fail", None)
    assert result.message == f"torch sees no CUDA GPU: {said}"
    assert result.metrics["cuda_available"] is False


def test_a_torch_without_cuda_fails_with_that_reason_and_cause(torch):
    unavailable(torch, init=AssertionError("Torch not compiled with CUDA enabled"))
    torch.version.cuda = None
    result = device.run(Context("cuda", T4))
    assert verdict(result) == ("fail", "cpu_only_torch")
    assert result.message == "torch sees no CUDA GPU: torch 2.7.1+cu126 is built without CUDA"


# ---------------------------------------------------------------- the CPU


@pytest.mark.parametrize("place", ["cpu", "none"])
def test_a_cpu_passes_with_what_it_is(torch, monkeypatch, place):
    monkeypatch.setattr(processor, "describe", lambda: ("AMD EPYC", ["avx2"]))
    torch.version.cuda = None
    result = device.run(Context(place, None))
    assert verdict(result) == ("pass", None)
    assert result.message == "training on the CPU (AMD EPYC)"
    assert result.metrics == {"cpu_name": "AMD EPYC", "cpu_flags": ["avx2"], "threads": 8}


def test_a_torch_for_cuda_on_a_cpu_is_told_that_its_gpu_code_does_not_run(torch, monkeypatch):
    monkeypatch.setattr(processor, "describe", lambda: (None, []))
    result = device.run(Context("cpu", None))
    assert result.message == "training on the CPU (unnamed), with a torch built for CUDA 12.6: its GPU code is not exercised"
