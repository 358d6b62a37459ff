"""``multi_gpu``: each GPU's product and each pair's copy count."""

import pytest
from judging import verdict
from small_torch import Tensor

from validator.probe.checks import multi_gpu


@pytest.fixture
def three(torch, monkeypatch):
    """Three GPUs; peers are those next to each other."""
    arange = torch.arange
    torch.arange = lambda _, dtype: arange(6, dtype)
    torch.cuda.device_count = lambda: 3
    torch.cuda.can_device_access_peer = lambda here, there: abs(here - there) == 1
    real = torch.randn
    torch.randn = lambda *_: real(4, 4)
    return torch


@pytest.fixture
def moving(monkeypatch):
    """Changes what a tensor becomes on its way to a place."""
    real = Tensor.to

    def change(function):
        monkeypatch.setattr(Tensor, "to", lambda self, *wanted: function(self, real(self, *wanted), *wanted))

    return change


def test_gpus_that_compute_and_hand_over_pass_with_the_pairs_counted(three, gpu):
    result = multi_gpu.run(gpu)
    assert verdict(result) == ("pass", None)
    assert result.metrics == {"gpus": 3, "names": ["GPU 0", "GPU 1", "GPU 2"], "pairs": 6, "peer_access_pairs": 4}
    assert "4 of 6 pairs" in result.message


def test_a_copy_that_arrives_as_zeros_is_named_with_both_ends(three, gpu, moving):
    moving(lambda sent, arrived, *to: arrived * 0 if (sent.device, *to) == ("cuda:2", "cuda:1") else arrived)
    result = multi_gpu.run(gpu)
    assert verdict(result) == ("fail", "wrong_results")
    assert result.message == "what cuda:2 sends to cuda:1 arrives changed"


def test_one_value_of_a_copy_that_arrives_changed_is_enough(three, gpu, moving):
    def last_changed(sent, arrived, *to):
        if (sent.device, *to) == ("cuda:0", "cuda:1"):
            arrived.values[-1] += 1
        return arrived

    moving(last_changed)
    assert verdict(multi_gpu.run(gpu)) == ("fail", "wrong_results")


@pytest.mark.parametrize(("factor", "status"), [(1.007, "pass"), (1.009, "fail")])  # 16 roundoffs of TF32 are 0.0078
def test_a_product_may_be_rounded_to_tf32_and_no_more(three, gpu, monkeypatch, factor, status):
    real = Tensor.matmul
    monkeypatch.setattr(Tensor, "matmul", lambda a, b: real(a, b) * (factor if a.device == "cuda:1" else 1.0))
    result = multi_gpu.run(gpu)
    assert result.status == status
    if status == "fail":
        assert result.metrics["cause"] == "wrong_results"
        assert "a product on cuda:1 is off by 0.009" in result.message


def test_a_gpu_that_raises_is_named(three, gpu, moving):
    def refuses(_, arrived, *to):
        if to == ("cuda:2",):
            raise RuntimeError("CUDA error: out of memory")
        return arrived

    moving(refuses)
    with pytest.raises(RuntimeError, match="cuda:2: RuntimeError: CUDA error: out of memory"):
        multi_gpu.run(gpu)


def test_a_single_gpu_is_skipped_and_two_are_not(three, gpu, cpu):
    assert multi_gpu.run(cpu).status == "skip"
    three.cuda.device_count = lambda: 1
    assert multi_gpu.run(gpu).status == "skip"
    three.cuda.device_count = lambda: 2
    assert multi_gpu.run(gpu).metrics["pairs"] == 2


def test_on_many_gpus_not_every_pair_is_tried(three, gpu):
    three.cuda.device_count = lambda: 9
    assert multi_gpu.run(gpu).metrics["pairs"] == 64
