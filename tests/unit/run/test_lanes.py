"""What one cell at a time has for itself."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations

from values import T4, cell, cpu_environment, environment, host

from validator.model import Action, Cell, Gpu, Target
from validator.run.lanes import Lane, lanes_of, share_of
from validator.runners.base import WHOLE, Share

L4 = Gpu(1, "GPU-2222", "NVIDIA L4", "8.9")
CUT = replace(L4, mig_enabled=True, mig_devices=("MIG-a1b2c3d4-1",))
CUT_TOO = replace(L4, mig_enabled=True, mig_devices=("MIG-e5f6a7b8-1",))
HOST = host(T4, L4)
ON_CPU = [cell(cpu_environment(f"cpu{number}")) for number in range(9)]


def on(*gpus: Gpu, **fields: object) -> Cell:
    return cell(environment("cuda"), gpu=gpus[0], lanes=gpus, **fields)


def test_every_gpu_that_a_cell_may_have_is_a_lane_and_so_is_every_mig_device() -> None:
    lanes = lanes_of([on(T4), on(T4, CUT, CUT_TOO), on(CUT)], HOST, 8)
    assert [lane.name for lane in lanes] == ["Tesla T4 #0", "L4 #1 MIG a1b2c3d4", "L4 #1 MIG e5f6a7b8"]
    assert [lane.gpu for lane in lanes] == [T4, CUT, CUT_TOO]


def test_cells_that_nothing_is_run_for_need_no_lane() -> None:
    skipped = cell(environment("x"), Target("a100", gpu="A100"), action=Action.SKIP)
    assert lanes_of([skipped], HOST, 8) == ()
    assert lanes_of([], HOST, 8) == ()


def test_one_cell_at_a_time_on_the_cpu_has_the_whole_machine() -> None:
    assert lanes_of(ON_CPU, HOST, 1, tuple(range(8))) == (Lane("CPU", None, WHOLE),)


def test_cells_side_by_side_on_the_cpu_have_no_processor_in_common_and_leave_none_idle() -> None:
    for side_by_side in range(2, 9):
        for cpus in (tuple(range(8)), (1, 2, 3, 5, 8, 13, 21, 34, 55)):
            lanes = lanes_of(ON_CPU, HOST, side_by_side, cpus)
            parts = [lane.share.cpus for lane in lanes]
            assert len(lanes) == side_by_side
            assert all(not set(one) & set(other) for one, other in combinations(parts, 2))
            assert [cpu for part in parts for cpu in part] == list(cpus), "neighbours stay together"
            assert max(map(len, parts)) - min(map(len, parts)) <= 1
            memory = [lane.share.memory_bytes or 0 for lane in lanes]
            assert 0 < sum(memory) <= (HOST.memory_bytes or 0) * 0.8


def test_no_more_parts_are_made_than_there_are_cells_or_processors() -> None:
    assert len(lanes_of(ON_CPU[:3], HOST, 8, tuple(range(8)))) == 3
    assert len(lanes_of(ON_CPU, HOST, 8, (0, 1))) == 2
    assert len(lanes_of([cell(cpu_environment(), action=Action.INSPECT)], HOST, 8, tuple(range(8)))) == 1


def test_where_the_machine_does_not_tell_its_processors_the_parts_have_none() -> None:
    assert [lane.share.cpus for lane in lanes_of(ON_CPU, HOST, 3)] == [()] * 3


def test_all_cells_at_once_never_have_more_memory_than_there_is() -> None:
    lanes = lanes_of([on(T4, L4), *ON_CPU], HOST, 4, tuple(range(8)))
    assert len(lanes) == 6
    assert sum(lane.share.memory_bytes or 0 for lane in lanes) <= (HOST.memory_bytes or 0) * 0.8
    assert len({lane.share.memory_bytes for lane in lanes}) == 1
    assert lanes_of([on(T4)], HOST, 1)[0].share == WHOLE
    assert lanes_of([on(T4, L4)], replace(HOST, memory_bytes=None), 1)[0].share == WHOLE
    assert lanes_of([on(T4, L4)], None, 1)[0].share == WHOLE


def test_a_cell_on_several_lanes_has_what_all_of_them_have() -> None:
    one, other = Lane("A", T4, Share((0, 1), 5)), Lane("B", L4, Share((2,), 6))
    assert share_of([one, other]) == Share((0, 1, 2), 11)
    assert share_of([one]) == one.share
    assert share_of([one, Lane("C", None, WHOLE)]).memory_bytes is None, "one of them is not limited"
