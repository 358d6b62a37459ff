"""What a check is given: the device, its torch, threads, times and peaks; and an exception in one line."""

import sys
import time
from types import SimpleNamespace

import pytest

from validator.probe.context import Context, headline


def test_torch_is_the_one_that_python_imports(monkeypatch):
    found = SimpleNamespace()
    monkeypatch.setitem(sys.modules, "torch", found)
    assert Context("cpu", None).torch is found


@pytest.mark.parametrize(
    ("device", "place", "on_gpu", "capability"),
    [("cuda", "cuda", True, (8, 6)), ("cpu", "cpu", False, None), ("none", "cpu", False, None)],
)
def test_where_tensors_go(torch, device, place, on_gpu, capability):
    torch.cuda.get_device_capability = lambda index: [8, 6] if index == 0 else None
    context = Context(device, None)
    assert (context.place, context.on_gpu, context.capability) == (place, on_gpu, capability)


def test_what_is_not_given_is_empty():
    context = Context("cpu", None)
    assert (context.asked, context.model, context.quick, context.runs) == ({}, {}, False, {})
    context = Context("cpu", {"name": "T4"}, {"torch": "2"}, True, {"file": "net.py"})
    assert (context.host_gpu, context.asked, context.quick, context.model) == (
        {"name": "T4"},
        {"torch": "2"},
        True,
        {"file": "net.py"},
    )


@pytest.mark.parametrize(("there", "asked", "threads"), [(8, 1, 1), (8, 4, 4), (2, 4, 2)])
def test_a_cpu_computes_with_as_many_threads_as_asked_for_and_no_more_than_there_are(cpu, torch, there, asked, threads):
    torch.get_num_threads = lambda: there
    cpu.steady(asked)
    assert torch.threads == threads


def test_how_many_threads_there_are_is_asked_before_any_is_taken_away(cpu, torch):
    torch.get_num_threads = lambda: torch.threads
    cpu.steady()
    assert torch.threads == 1
    cpu.steady(threads=4)
    assert torch.threads == 4


def test_on_a_gpu_and_in_a_torch_that_cannot_threads_stay_as_they_are(gpu, cpu, torch):
    gpu.steady()
    assert torch.threads == 8
    del torch.set_num_threads
    cpu.steady()
    assert torch.threads == 8


def test_on_a_gpu_its_own_work_is_part_of_a_time(gpu, cpu, torch, monkeypatch):
    now = SimpleNamespace(time=0.0)
    monkeypatch.setattr(time, "perf_counter", lambda: now.time)
    events = []

    def synchronize():
        events.append("sync")
        now.time += 10.0

    def work():
        events.append("work")
        now.time += 1.0

    torch.cuda.synchronize = synchronize
    assert gpu.seconds(work) == 11.0  # what was queued before is waited for first, and not counted
    assert events == ["sync", "work", "sync"]
    events.clear()
    assert cpu.seconds(work) == 1.0
    assert events == ["work"]


def test_the_peak_of_memory_is_asked_of_old_and_new_torches(gpu, cpu, torch):
    reset = []
    torch.cuda.max_memory_allocated = lambda: 4711
    torch.cuda.reset_peak_memory_stats = lambda: reset.append("new")
    torch.cuda.reset_max_memory_allocated = lambda: reset.append("old")
    gpu.reset_peak()
    assert (reset, gpu.peak_bytes()) == (["new"], 4711)
    del torch.cuda.reset_peak_memory_stats
    gpu.reset_peak()
    assert reset == ["new", "old"]
    del torch.cuda.reset_max_memory_allocated
    gpu.reset_peak()  # torch 1.0 cannot
    cpu.reset_peak()
    assert (reset, cpu.peak_bytes()) == (["new", "old"], None)


def test_a_cpu_does_not_touch_cuda(cpu, torch):
    torch.cuda = None
    cpu.reset_peak()
    cpu.sync()
    assert cpu.peak_bytes() is None


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (RuntimeError("CUDA error: no kernel image\nmore"), "RuntimeError: CUDA error: no kernel image"),
        (ImportError("\n\n  undefined symbol: x"), "ImportError: undefined symbol: x"),
        (AssertionError(), "AssertionError"),
        (AssertionError("  \n "), "AssertionError"),
        (KeyError("x" * 1000), "KeyError: '" + "x" * 389),
    ],
)
def test_an_exception_in_one_line(error, line):
    assert headline(error) == line
    assert len(line) <= 400
