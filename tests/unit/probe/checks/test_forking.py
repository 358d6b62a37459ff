"""``fork``: what the children are asked to do, and what their answers mean."""

import pytest
from judging import verdict

from validator.probe import children
from validator.probe.checks import forking
from validator.probe.children import Answer

TOLD = Answer("RuntimeError: Cannot re-initialize CUDA in forked subprocess. To use CUDA", "raised")


@pytest.fixture
def small(torch):
    """Matrices small enough for lists."""
    for name in ("randn", "ones"):
        real = getattr(torch, name)
        setattr(torch, name, lambda *_, real=real: real(4, 4))
    return torch


@pytest.fixture
def run(monkeypatch, small):
    """Runs the check with the given answers; returns the result and what the children were to do."""

    def check(context, *answers):
        waiting, works = list(answers), []

        def asked(given, seconds):
            assert seconds == 30.0
            works.extend(given)
            return [waiting.pop(0)]

        monkeypatch.setattr(children, "run", asked)
        result = forking.run(context)
        assert not waiting
        return result, works

    return check


def test_a_real_child_computes(cpu, small, monkeypatch):
    real = small.Tensor.matmul
    monkeypatch.setattr(small.Tensor, "matmul", lambda a, b: real(a, b) * 16.0)  # 64, as the whole matrices give
    result = forking.run(cpu)
    assert verdict(result) == ("pass", None)
    assert result.metrics == {"cpu_child": "returned"}


def test_a_child_that_computes_is_enough_on_a_cpu(run, cpu):
    result, works = run(cpu, Answer("True", "returned"))
    assert verdict(result) == ("pass", None)
    assert len(works) == 1


def test_the_child_takes_one_thread_and_says_whether_the_numbers_are_right(run, cpu, small, monkeypatch):
    _, (work,) = run(cpu, Answer("True", "returned"))
    assert work() is False  # matrices this small give 4, and 64 is right
    assert small.threads == 1
    real = small.Tensor.matmul
    monkeypatch.setattr(small.Tensor, "matmul", lambda a, b: real(a, b) * 16.0)
    assert work() is True


@pytest.mark.parametrize(
    ("answer", "expected", "said"),
    [
        (Answer("no answer", "hung"), ("fail", "hang"), "after 30 s"),
        (Answer("False", "returned"), ("fail", None), "a forked child returned: False"),
        (Answer("RuntimeError: sick", "raised"), ("fail", None), "a forked child raised: RuntimeError: sick"),
        (Answer("True", "raised"), ("fail", None), "a forked child raised: True"),
        (Answer("", "died: signal 11"), ("fail", None), "a forked child died: signal 11: no message"),
    ],
)
@pytest.mark.parametrize("where", ["cpu", "gpu"])
def test_a_child_that_does_not_compute_fails(run, request, where, answer, expected, said):
    result, _ = run(request.getfixturevalue(where), answer)
    assert verdict(result) == expected
    assert said in result.message
    assert result.metrics["cpu_child"] == answer.status


def test_on_a_gpu_a_second_child_uses_cuda_once_its_parent_does(run, gpu, small):
    used = []
    zeros = small.zeros
    small.zeros = lambda *shape, device: used.append(device) or zeros(*shape)
    result, (_, work) = run(gpu, Answer("True", "returned"), TOLD)
    assert verdict(result) == ("pass", None)
    assert result.metrics == {"cpu_child": "returned", "cuda_child": "raised", "cuda_child_said": TOLD.text}
    assert used == ["cuda"]
    assert work() == 0.0
    assert used == ["cuda", "cuda"]


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (TOLD, ("pass", None)),
        (Answer("RuntimeError: CUDA error: initialization error", "raised"), ("warn", None)),
        (Answer("in a forked subprocess", "returned"), ("warn", None)),
        (Answer("0.0", "returned"), ("warn", None)),
        (Answer("", "died: signal 11"), ("warn", None)),
        (Answer("no answer", "hung"), ("warn", "hang")),
    ],
)
def test_a_forked_child_must_be_told_that_it_cannot_use_cuda(answer, expected):
    metrics = {}
    result = forking.judged_on_gpu(answer, metrics)
    assert verdict(result) == expected
    assert (metrics["cuda_child"], metrics["cuda_child_said"]) == (answer.status, answer.text)
    if expected == ("warn", None):
        assert f"{answer.text or 'no message'} ({answer.status})" in result.message
