"""Rates are measured by one cell at a time, and nobody waits for what does not come."""

from __future__ import annotations

import random
import threading
import time

import pytest

from validator.run.gate import CellGate, Turns


def entered(turns: Turns) -> CellGate:
    gate = turns.enter()
    assert gate is not None
    return gate


def test_a_cell_that_is_alone_has_its_turn_at_once() -> None:
    turn = entered(Turns()).ask()
    assert turn.granted
    turn.end()


def test_a_cell_waits_until_those_beside_it_have_come_as_far() -> None:
    turns = Turns()
    first, second = entered(turns), entered(turns)
    mine = first.ask()
    assert not mine.granted
    assert not turns.quiet
    theirs = second.ask()
    assert (mine.granted, theirs.granted) == (True, False)
    mine.end()
    assert (mine.granted, theirs.granted) == (False, True)


def test_no_cell_starts_while_turns_are_taken_and_again_after_the_last() -> None:
    turns = Turns()
    first, second = entered(turns), entered(turns)
    turns_of = [first.ask(), second.ask()]
    assert turns.quiet
    assert turns.enter() is None
    turns_of[0].end()
    assert turns.enter() is None, "the second has its turn yet to come"
    turns_of[1].end()
    assert not turns.quiet
    assert turns.enter() is not None


@pytest.mark.parametrize("leaves", ["the one that has not asked", "the one whose turn it is", "the one that waits"])
def test_a_cell_that_ends_is_waited_for_no_longer(leaves: str) -> None:
    turns = Turns()
    first, second = entered(turns), entered(turns)
    mine = first.ask()
    if leaves == "the one that has not asked":
        second.leave()
        assert mine.granted
        return
    theirs = second.ask()
    if leaves == "the one whose turn it is":
        first.leave()
        assert theirs.granted
    else:
        second.leave()
        assert mine.granted
        mine.end()
        assert not turns.quiet


def test_a_turn_may_be_ended_twice_and_asked_for_again() -> None:
    turns = Turns()
    first, second = entered(turns), entered(turns)
    mine, theirs = first.ask(), second.ask()
    mine.end()
    mine.end()
    assert theirs.granted, "the second end was of nothing"
    again = first.ask()
    assert not again.granted
    theirs.end()
    assert again.granted


def test_a_cell_that_was_given_up_and_goes_on_all_the_same_takes_no_turn_from_others() -> None:
    turns = Turns()
    lost, other = entered(turns), entered(turns)
    lost.leave()
    late = lost.ask()
    assert late.granted, "it is nobody's concern any more"
    turn = other.ask()
    assert turn.granted
    late.end()
    assert turn.granted


def test_cells_without_rates_one_after_another_do_not_make_a_cell_wait_for_all_of_them() -> None:
    turns = Turns()
    gate, *beside = entered(turns), entered(turns), entered(turns)
    waiting = gate.ask()
    begun = 0
    while True:
        begun += 1
        beside.pop(0).leave()  # never all away at once
        assert not waiting.granted
        another = turns.enter()
        if another is None:
            break
        beside.append(another)
    assert 3 < begun < 20
    assert turns.quiet
    for gate in beside:
        gate.leave()
    assert waiting.granted
    waiting.end()
    assert turns.enter() is not None


def test_what_was_waited_is_counted_up_to_the_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    turns = Turns()
    first, second = entered(turns), entered(turns)
    mine = first.ask()
    now = 5.0
    assert first.waited == 5.0
    second.ask()
    assert mine.granted
    now = 9.0
    assert first.waited == 5.0, "its own turn is no waiting"
    mine.end()
    second.leave()
    now = 12.0
    first.ask().end()
    assert first.waited == 5.0


@pytest.mark.parametrize("seed", range(6))
def test_threads_in_any_order_measure_one_at_a_time_and_all_come_through(seed: int) -> None:
    turns, dice = Turns(), random.Random(seed)  # noqa: S311 - the same every time
    measuring, most, through = 0, 0, 0
    count = threading.Lock()

    def cell(asks: int, leaves_waiting: bool, naps: list[float]) -> None:
        nonlocal measuring, most, through
        while (gate := turns.enter()) is None:
            time.sleep(0.0002)
        for nap in naps[:asks]:
            time.sleep(nap)
            turn = gate.ask()
            if leaves_waiting:
                break
            while not turn.granted:
                time.sleep(0.0001)
            with count:
                measuring += 1
                most = max(most, measuring)
            time.sleep(nap)
            with count:
                measuring -= 1
            turn.end()
        gate.leave()
        with count:
            through += 1

    cells = [
        threading.Thread(
            target=cell,
            args=(dice.randrange(3), dice.random() < 0.2, [dice.random() / 1000 for _ in range(3)]),
            daemon=True,
        )
        for _ in range(40)
    ]
    for thread in cells:
        thread.start()
    for thread in cells:
        thread.join(30)  # only guards against a hang
    assert through == len(cells)
    assert most == 1
    assert not turns.quiet
