"""``memory``: what is asked for, what is read back, and what is concluded from both."""

from types import SimpleNamespace

import pytest
from judging import verdict

from validator.probe.checks import memory

GIB = 1 << 30


@pytest.fixture
def card(torch):
    """A GPU of 4 KiB, 2 KiB of it free, that refuses more than it has."""

    def empty(size, dtype, device):
        assert (dtype, device) == (torch.uint8, "cuda")
        if size > 4096:
            raise RuntimeError("CUDA out of memory. Tried to allocate")
        return torch.zeros(size, dtype=dtype, device=device)

    torch.empty = empty
    torch.cuda.get_device_properties = lambda _: SimpleNamespace(total_memory=4096)
    torch.cuda.mem_get_info = lambda: (2048, 4096)
    return torch


def test_most_of_what_is_free_is_written_and_read_back(card, gpu):
    result = memory.run(gpu)
    assert verdict(result) == ("pass", None)
    assert result.metrics == {
        "free_bytes": 2048,
        "total_bytes": 4096,
        "asked_bytes": 1638,  # 80 %
        "asked_share_ratio": 0.8,
        "free_after_bytes": 2048,
        "refused_in_words": "RuntimeError: CUDA out of memory. Tried to allocate",
    }


def test_a_torch_that_cannot_tell_what_is_free_is_asked_for_most_of_half(card, gpu):
    del card.cuda.mem_get_info
    result = memory.run(gpu)
    assert verdict(result) == ("pass", None)
    assert result.metrics["asked_bytes"] == 1638
    assert result.metrics["free_bytes"] is result.metrics["free_after_bytes"] is None


def test_every_byte_that_reads_differently_is_counted(card, gpu):
    blocks = []

    def damaged(size, dtype, device):
        block = card.zeros(size, dtype=dtype, device=device)
        fill = block.fill_
        block.fill_ = lambda value: (fill(value), block.values.__setitem__(0, value ^ 1))
        blocks.append(block)
        return block

    card.empty = damaged
    assert memory.written(card, "cuda", 80) == 8  # the first of each block
    assert len({block.values[1] for block in blocks}) == len(blocks) == 8  # each has a value of its own
    card.cuda.get_device_properties = lambda _: SimpleNamespace(total_memory=100)
    result = memory.run(gpu)
    assert verdict(result) == ("fail", "wrong_results")
    assert "8 bytes" in result.message


def test_free_memory_that_cannot_be_had_fails_and_other_errors_are_not_called_so(card, gpu):
    card.cuda.mem_get_info = lambda: (1 << 20, 4096)
    result = memory.run(gpu)
    assert verdict(result) == ("fail", "out_of_memory")
    assert f"{1 << 20} bytes are free" in result.message

    def broken(*_, **__):
        raise RuntimeError("CUDA error: unspecified launch failure")

    card.empty = broken
    with pytest.raises(RuntimeError, match="launch failure"):
        memory.run(gpu)


def test_a_gpu_that_gives_twice_what_it_has_is_a_warning(card, gpu):
    asked = []
    card.empty = lambda size, dtype, device: asked.append(size) or card.zeros(8, dtype=dtype, device=device)
    assert verdict(memory.run(gpu)) == ("warn", None)
    assert asked[-1] == 2 * 4096


@pytest.mark.parametrize(("integrated", "share"), [(1, 0.2), (0, 0.8)])
def test_less_is_asked_of_a_gpu_whose_memory_is_the_machines_own(card, gpu, integrated, share):
    card.cuda.get_device_properties = lambda _: SimpleNamespace(total_memory=4096, is_integrated=integrated)
    result = memory.run(gpu)
    assert result.status == "pass"
    assert (result.metrics["asked_share_ratio"], result.metrics["asked_bytes"]) == (share, int(2048 * share))


MEMORY = {"free_bytes": 10 * GIB, "free_after_bytes": 10 * GIB, "asked_bytes": 8 * GIB, "refused_in_words": "RuntimeError: no"}


@pytest.mark.parametrize(
    ("changed", "damaged", "expected"),
    [
        ({}, 0, ("pass", None)),
        ({"free_after_bytes": 10 * GIB - (128 << 20)}, 0, ("pass", None)),
        ({"free_after_bytes": 10 * GIB - (128 << 20) - 1}, 0, ("warn", None)),
        ({"free_bytes": None, "free_after_bytes": None}, 0, ("pass", None)),
        ({"free_after_bytes": None}, 0, ("pass", None)),
        ({"refused_in_words": None}, 0, ("warn", None)),
        ({}, 7, ("fail", "wrong_results")),
    ],
)
def test_memory_is_judged_by_what_comes_back(changed, damaged, expected):
    assert verdict(memory.judged({**MEMORY, **changed}, damaged)) == expected


def test_what_was_taken_is_told_in_gib():
    assert memory.judged(MEMORY, 0).message.startswith("8.0 GiB ")
