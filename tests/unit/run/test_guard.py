"""Who may have a GPU: asked of other runs by locks, of everyone else by NVML."""

from __future__ import annotations

from pathlib import Path

import pytest
from values import T4

from validator.base.errors import InterruptedRunError
from validator.base.stopping import Stop
from validator.model import BusyPolicy, Gpu
from validator.run import guard as guards
from validator.run.guard import Guard
from validator.run.locks import GpuLocks, Held, HeldElsewhere

L4 = Gpu(1, "GPU-2222", "NVIDIA L4", "8.9")


def test_what_one_has_another_does_not_get_until_it_is_released(tmp_path: Path) -> None:
    guard = Guard(GpuLocks(tmp_path / "locks"))
    held = guard.take([T4, L4])
    assert isinstance(held, Held)
    refused = guard.take([L4])
    assert isinstance(refused, HeldElsewhere)
    assert refused.gpu == L4
    held.release()
    assert isinstance(guard.take([L4]), Held)


def test_without_locks_and_on_the_cpu_nobody_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guards, "wait_until_free", lambda *_: pytest.fail("asked"))
    for guard, gpus in ((Guard(), [T4]), (Guard(GpuLocks(tmp_path / "locks")), [])):
        held = guard.take(gpus)
        assert isinstance(held, Held)
        assert guard.wait(held.gpus, Stop(), print) is None
    assert not (tmp_path / "locks").exists()


@pytest.mark.parametrize(("each", "together"), [((True, True), True), ((True, False), False), ((False, True), False)])
def test_gpus_are_exclusive_if_each_is_and_each_is_asked_about(
    each: tuple[bool, bool], together: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers, asked = iter(each), []

    def free(gpu: Gpu, policy: BusyPolicy, limit: float, *_: object) -> bool:
        asked.append((gpu.uuid, policy, limit))
        return next(answers)

    monkeypatch.setattr(guards, "wait_until_free", free)
    guard = Guard(GpuLocks(tmp_path), BusyPolicy.RUN, 5.0)
    assert guard.wait([T4, L4], Stop(), print) is together
    assert asked == [("GPU-1111", BusyPolicy.RUN, 5.0), ("GPU-2222", BusyPolicy.RUN, 5.0)]


def test_the_end_of_the_run_ends_the_wait(tmp_path: Path) -> None:
    stop = Stop()
    stop.ask()
    with pytest.raises(InterruptedRunError):
        Guard(GpuLocks(tmp_path)).wait([T4], stop, print)


def test_another_run_is_waited_for_as_long_as_is_said_or_not_at_all() -> None:
    patient = Guard(None, BusyPolicy.WAIT, 60.0)
    assert [patient.refuses(seconds) for seconds in (0.0, 59.0, 60.0)] == [False, False, True]
    assert Guard(None, BusyPolicy.ERROR, 60.0).refuses(0.0)
    assert not Guard(None, BusyPolicy.RUN, 60.0).refuses(0.0), "two cells on one GPU are never run, so it is waited for"
