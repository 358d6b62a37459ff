"""Cells as jobs on lanes."""

from __future__ import annotations

from dataclasses import replace

from values import T4, cell, cpu_environment, environment, host

from validator.model import Action, Cell, Gpu, Target
from validator.run.settings import Known, Settings
from validator.run.worklist import Worklist

L4 = Gpu(1, "GPU-2222", "NVIDIA L4", "8.9")
HOST = host(T4, L4)
A, B, C = environment("a"), environment("b"), cpu_environment("c")


def worklist(*cells: Cell, seconds: dict[str, float] | None = None, acquire: dict[str, float] | None = None) -> Worklist:
    """Of cells that have the numbers 10, 11 … in the plan: those before are through already."""
    numbered = dict(enumerate(cells, start=10))
    return Worklist(
        numbered, HOST, Settings(side_by_side=2, cpus=(0, 1)), Known(seconds=seconds or {}, acquire_seconds=acquire or {})
    )


def test_each_cell_is_a_job_on_the_lanes_it_may_have() -> None:
    work = worklist(cell(A, gpu=T4, lanes=(T4, L4)), cell(B, gpu=L4, takes_all=True), cell(C), cell(C, Target("x")))
    assert [(job.number, job.environment, job.lanes, job.takes_all) for job in work.jobs] == [
        (10, "a", ("Tesla T4 #0", "L4 #1"), False),
        (11, "b", ("L4 #1",), True),
        (12, "c", ("CPU 1", "CPU 2"), False),
        (13, "c", ("CPU 1", "CPU 2"), False),
    ]
    assert list(work.lanes) == ["Tesla T4 #0", "L4 #1", "CPU 1", "CPU 2"]


def test_all_that_an_environment_is_opened_for_is_one_job_and_measuring_it_another() -> None:
    opened = [cell(A, Target(name, gpu=name), action=Action.INSPECT) for name in ("t4", "h100", "b200")]
    work = worklist(opened[0], cell(B), opened[1], cell(A, gpu=T4), opened[2])
    assert [job.number for job in work.jobs] == [10, 11, 13]
    assert work.numbers(10) == [10, 12, 14]
    assert work.cells_of(10) == opened
    assert work.numbers(13) == [13]


def test_an_environment_is_through_with_the_last_of_its_jobs() -> None:
    work = worklist(cell(A), cell(A, Target("x")), cell(B))
    assert [work.finished(number) for number in (10, 12, 11)] == [False, True, True]


def test_environments_are_made_ready_once_each_in_the_order_that_ends_soonest() -> None:
    work = worklist(
        cell(A), cell(B), cell(A, Target("x")), cell(C), seconds={"a@host": 5.0, "b@host": 50.0, "c@host": 9.0},
        acquire={"a": 100.0, "b": 40.0, "c": 1.0},
    )  # fmt: skip
    assert [each.id for each in work.environments] == ["c", "b", "a"]


def test_a_cell_takes_as_long_as_it_did() -> None:
    work = worklist(cell(A), cell(B), seconds={"b@host": 70.0})
    assert [job.expected for job in work.jobs] == [70.0, 70.0]


def test_nothing_to_do_is_no_jobs_and_no_lanes() -> None:
    work = worklist()
    assert (work.jobs, dict(work.lanes), work.environments) == ((), {}, ())


def test_two_mig_devices_of_one_gpu_are_lanes_of_their_own() -> None:
    cut = [replace(L4, mig_enabled=True, mig_devices=(f"MIG-{number}",)) for number in (1, 2)]
    work = worklist(cell(A, gpu=cut[0], lanes=tuple(cut)))
    [job] = work.jobs
    assert len(set(job.lanes)) == 2
