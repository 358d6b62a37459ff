"""``gloo`` and ``nccl``: how ranks are made, what they add up, and what an answer means."""

import sys
from types import SimpleNamespace

import pytest
from judging import verdict

from validator.probe import children
from validator.probe.checks import collectives
from validator.probe.children import Answer

RETURNED = Answer("3.0", "returned")


@pytest.fixture
def group(torch):
    """torch.distributed of one process that sees the others: what ``all_reduce`` adds can be set."""
    found = SimpleNamespace(inits=[], destroyed=0, add=0.0, tensors=[])

    def all_reduce(tensor):
        found.tensors.append(tensor)
        tensor._put([value + found.add for value in tensor.values])

    def destroy():
        found.destroyed += 1

    torch.distributed = SimpleNamespace(
        is_available=lambda: True,
        is_nccl_available=lambda: True,
        init_process_group=lambda backend, **more: found.inits.append((backend, more)),
        all_reduce=all_reduce,
        destroy_process_group=destroy,
    )
    return found


@pytest.fixture
def answers(monkeypatch):
    """What the ranks answer; ``works`` is what they were asked."""
    found = SimpleNamespace(answers=[RETURNED, RETURNED], works=None)

    def run(works, seconds):
        assert seconds == 60.0
        found.works = works
        return found.answers

    monkeypatch.setattr(children, "run", run)
    return found


# ---------------------------------------------------------------- gloo


def test_ranks_that_get_the_sum_pass(group, answers, cpu):
    result = collectives.gloo(cpu)
    assert verdict(result) == ("pass", None)
    assert result.metrics == {"ranks": 2, "values": 1000}
    assert len(answers.works) == 2


def test_on_a_cpu_each_rank_is_a_fork_that_adds_its_own_number(group, answers, cpu, torch, monkeypatch):
    monkeypatch.setenv("GLOO_SOCKET_IFNAME", "eth0")
    collectives.gloo(cpu)
    group.add = 10.0
    assert [work() for work in answers.works] == [11.0, 12.0]
    assert torch.threads == 1
    assert collectives.os.environ["GLOO_SOCKET_IFNAME"] == "lo"
    ((first, one), (second, other)) = group.inits
    assert first == second == "gloo"
    assert one["init_method"] == other["init_method"]
    assert one["init_method"].startswith("file:///")
    assert [(each["rank"], each["world_size"]) for each in (one, other)] == [(0, 2), (1, 2)]
    assert group.destroyed == 2
    assert {tensor.device for tensor in group.tensors} == {"cpu"}
    assert {tensor.numel() for tensor in group.tensors} == {1000}


def test_on_a_gpu_each_rank_is_a_new_interpreter(group, answers, gpu, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["/scratch/probe.zip", "worker"])
    collectives.gloo(gpu)
    for rank, work in enumerate(answers.works):
        program, option, source, archive, store, number = work
        assert (program, option, archive, number) == (sys.executable, "-c", "/scratch/probe.zip", str(rank))
        assert "from validator.probe.checks import collectives" in source
        assert store == answers.works[0][4]


def test_a_rank_in_a_new_interpreter_searches_the_archive_and_not_the_folder_it_runs_in(monkeypatch):
    source = collectives._fresh_rank(None, "store", 1)[2]
    monkeypatch.setattr(sys, "argv", ["-c", "/scratch/probe.zip", "store", "1"])
    for before, after in (
        (["", "/lib"], ["/scratch/probe.zip", "/lib"]),
        (["/given", "/lib"], ["/scratch/probe.zip", "/given", "/lib"]),
    ):
        monkeypatch.setattr(sys, "path", before)
        exec(source.split("; from")[0])  # noqa: S102 - the first statement of it
        assert sys.path == after


@pytest.mark.parametrize(
    ("answers_", "expected", "said"),
    [
        ([RETURNED, Answer("no answer", "hung")], ("fail", "hang"), "rank 1 was still in all_reduce after 60 s"),
        ([Answer("RuntimeError: no route", "raised"), RETURNED], ("fail", None), "rank 0 raised: RuntimeError: no route"),
        ([RETURNED, Answer("", "died: signal 11")], ("fail", None), "rank 1 died: signal 11: no message"),
        ([RETURNED, Answer("2.0", "returned")], ("fail", "wrong_results"), "rank 1 got 2.0, the sum is 3.0"),
        ([Answer("None", "returned"), RETURNED], ("fail", "wrong_results"), "rank 0 got None, the sum is 3.0"),
    ],
)
def test_a_rank_without_the_sum_fails_and_is_named(group, answers, cpu, answers_, expected, said):
    answers.answers = answers_
    result = collectives.gloo(cpu)
    assert verdict(result) == expected
    assert result.message == said


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        (lambda torch: delattr(torch, "distributed"), "is built without torch.distributed"),
        (lambda torch: setattr(torch.distributed, "is_available", lambda: False), "is built without torch.distributed"),
        (lambda torch: setattr(torch.distributed, "is_gloo_available", lambda: False), "is built without gloo"),
    ],
)
def test_a_build_without_gloo_is_skipped(group, answers, cpu, torch, broken, said):
    broken(torch)
    result = collectives.gloo(cpu)
    assert (result.status, said in result.message) == ("skip", True)
    assert answers.works is None


def test_a_build_that_has_it_or_does_not_say_is_tried(group, torch):
    assert collectives.lacks(torch, "gloo") is None
    torch.distributed.is_gloo_available = lambda: True
    assert collectives.lacks(torch, "gloo") is None


# ---------------------------------------------------------------- nccl


@pytest.fixture
def library(torch):
    """NCCL itself, as torch.cuda.nccl: sums over a list of tensors."""

    def all_reduce(tensors):
        total = sum(tensor.values[0] for tensor in tensors)
        for tensor in tensors:
            tensor.fill_(total)

    torch.cuda.nccl = SimpleNamespace(all_reduce=all_reduce)
    return torch.cuda.nccl


def test_one_gpu_reduces_through_torch_distributed(group, gpu):
    result = collectives.nccl(gpu)
    assert verdict(result) == ("pass", None)
    assert result.metrics == {"gpus": 1, "values": 1000}
    assert "on one GPU" in result.message
    ((backend, more),) = group.inits
    assert (backend, more["rank"], more["world_size"]) == ("nccl", 0, 1)
    assert [tensor.device for tensor in group.tensors] == ["cuda"]
    assert group.destroyed == 1


def test_a_sum_over_one_rank_that_is_not_its_own_number_is_wrong(group, gpu):
    group.add = 1.0
    result = collectives.nccl(gpu)
    assert verdict(result) == ("fail", "wrong_results")
    assert result.message == "one rank got 2.0, the sum is 1.0"


def test_places_that_differ_are_no_sum(group, gpu, torch):
    torch.distributed.all_reduce = lambda tensor: tensor.values.__setitem__(5, 0.0)
    assert verdict(collectives.nccl(gpu)) == ("fail", "wrong_results")


def test_several_gpus_add_up_together(group, gpu, torch, library):
    torch.cuda.device_count = lambda: 3
    result = collectives.nccl(gpu)
    assert verdict(result) == ("pass", None)
    assert "on 3 GPUs" in result.message
    assert result.metrics["gpus"] == 3


def test_a_gpu_that_did_not_get_the_sum_is_named(group, gpu, torch, library):
    torch.cuda.device_count = lambda: 3
    real = library.all_reduce

    def broken(tensors):
        assert [tensor.device for tensor in tensors] == ["cuda:0", "cuda:1", "cuda:2"]
        real(tensors)
        tensors[1].values[7] = 5.0

    library.all_reduce = broken
    result = collectives.nccl(gpu)
    assert verdict(result) == ("fail", "wrong_results")
    assert result.message == "GPU 1 got 5.0 to 6.0, the sum over 3 GPUs is 6.0"


def test_a_build_without_nccl_is_skipped_where_one_gpu_is_all_there_is(group, gpu, cpu, torch, library):
    torch.distributed.is_nccl_available = lambda: False
    result = collectives.nccl(gpu)
    assert (result.status, "is built without nccl" in result.message) == ("skip", True)
    assert group.inits == []
    assert collectives.nccl(cpu).status == "skip"


def test_an_error_of_nccl_is_its_cause_and_the_group_is_given_up(group, gpu, torch):
    def raises(_):
        raise RuntimeError("NCCL error: unhandled system error")

    torch.distributed.all_reduce = raises
    result = collectives.nccl(gpu)
    assert verdict(result) == ("fail", "nccl_error")
    assert "unhandled system error" in result.message
    assert group.destroyed == 1
