"""``cuda_graphs``: a recorded step is replayed, and the weights are judged."""

import math

import pytest
from judging import verdict

from validator.probe.checks import cuda_graphs


class Graphs:
    """Records by noting the steps that are taken while a graph is open, and does none of them before it is replayed."""

    def __init__(self, monkeypatch):
        self.opened, self.calls = False, []
        step = cuda_graphs._step

        def noted(torch, weights, *inputs):
            if self.opened:
                self.calls.append(lambda: step(torch, weights, *inputs))
            else:
                step(torch, weights, *inputs)

        monkeypatch.setattr(cuda_graphs, "_step", noted)

    def __call__(self, *_):
        return self

    def __enter__(self):
        self.opened = True

    def __exit__(self, *_):
        self.opened = False

    def replay(self):
        for call in self.calls:
            call()


class Stream:
    """A stream, and the block in which it is the current one."""

    def __init__(self, *_):
        self.waited = []

    def wait_stream(self, other):
        self.waited.append(other)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        return None


@pytest.fixture
def graphs(torch, monkeypatch):
    found = Graphs(monkeypatch)
    current = Stream()
    torch.cuda.CUDAGraph, torch.cuda.graph = found, found
    torch.cuda.Stream = torch.cuda.stream = Stream
    torch.cuda.current_stream = lambda: current
    real = torch.randn
    torch.randn = lambda *shape: real(*(max(2, size // 8) for size in shape))  # small enough for lists
    return found


def test_a_replay_that_does_what_was_recorded_passes(graphs, gpu):
    result = cuda_graphs.run(gpu)
    assert verdict(result) == ("pass", None)
    assert result.metrics == {"error_ratio": 0.0, "tolerance_ratio": 1e-5, "replays": 3}


@pytest.mark.parametrize("calls", [0, 2], ids=["does nothing", "does it twice"])
def test_a_replay_that_does_something_else_fails(graphs, gpu, calls):
    graphs.replay = lambda: [graphs.calls[0]() for _ in range(calls)]
    assert verdict(cuda_graphs.run(gpu)) == ("fail", "wrong_results")


def test_recording_that_changes_the_weights_is_undone_before_the_replay(graphs, gpu, torch):
    first = cuda_graphs.measured(torch, "cuda")
    assert first == 0.0  # the warm-up moved the weights, and they were put back
    graphs.calls.clear()
    graphs.replay = lambda: None
    moved = cuda_graphs.measured(torch, "cuda")
    assert moved > 1e-3  # three plain steps are no rounding


def test_warming_up_and_what_follows_wait_for_one_another(graphs, gpu, torch):
    cuda_graphs.run(gpu)
    (side,) = torch.cuda.current_stream().waited
    assert side.waited == [torch.cuda.current_stream()]


def test_what_cannot_record_is_skipped(graphs, gpu, cpu, torch, monkeypatch):
    assert cuda_graphs.run(cpu).status == "skip"

    def measured(words):
        def raises(*_):
            raise RuntimeError(words)

        monkeypatch.setattr(cuda_graphs, "measured", raises)

    measured("CUDA graphs may only be used in Pytorch built with CUDA >= 11.0 and not yet supported on ROCM")
    result = cuda_graphs.run(gpu)
    assert (result.status, "cannot record: RuntimeError: CUDA graphs may only" in result.message) == ("skip", True)
    measured("CUDA error: operation not permitted when stream is capturing")
    with pytest.raises(RuntimeError, match="capturing"):
        cuda_graphs.run(gpu)
    del torch.cuda.graph
    result = cuda_graphs.run(gpu)
    assert (result.status, "cannot record CUDA graphs" in result.message) == ("skip", True)


@pytest.mark.parametrize(("off", "expected"), [(1e-5, "pass"), (1.1e-5, "fail"), (math.inf, "fail"), (math.nan, "fail")])
def test_a_replayed_graph_is_judged_by_the_weights(off, expected):
    assert cuda_graphs.judged(off).status == expected
