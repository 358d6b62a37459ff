"""Environments thrown away beside the work."""

from __future__ import annotations

import threading
import time

from validator.base.stopping import Stop
from validator.run.pruning import Pruning
from validator.runners.base import Prepared


class Slow:
    """Throws away when it is let."""

    def __init__(self) -> None:
        self.let = threading.Event()
        self.gone: list[str] = []

    def discard(self, prepared: Prepared) -> None:
        if prepared.handle == "bad":
            raise RuntimeError("the engine is gone")
        self.let.wait(30)
        self.gone.append(prepared.handle)


def test_the_end_waits_until_all_is_gone_and_what_cannot_be_stays() -> None:
    runner = Slow()
    pruning = Pruning(runner)  # type: ignore[arg-type]
    for handle in ("a", "bad", "b"):
        pruning.throw_away(Prepared(handle))
    threading.Timer(0.1, runner.let.set).start()
    pruning.wait(30, Stop())
    assert sorted(runner.gone) == ["a", "b"]


def test_it_waits_no_longer_than_it_may_nor_once_all_is_to_end_at_once() -> None:
    runner, stop = Slow(), Stop()
    pruning = Pruning(runner)  # type: ignore[arg-type]
    pruning.throw_away(Prepared("a"))
    began = time.monotonic()
    pruning.wait(0.05, stop)
    stop.ask()
    pruning.wait(30, stop)
    assert time.monotonic() - began < 25
    assert runner.gone == []
    runner.let.set()
