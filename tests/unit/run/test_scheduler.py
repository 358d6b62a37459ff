"""Which job starts when, and where: counted in jobs and in simulated time, never in real time."""

from __future__ import annotations

import random
from collections import Counter
from heapq import heappop, heappush

import pytest

from validator.run.scheduler import Job, Scheduler, Start


def scheduler(*jobs: Job, ready: bool = True) -> Scheduler:
    made = Scheduler(jobs)
    if ready:
        for environment in dict.fromkeys(job.environment for job in jobs):
            made.ready(environment)
    return made


def job(number: int, lanes: str = "A", expected: float = 1.0, *, environment: str = "e", all_: bool = False) -> Job:
    return Job(number, environment, tuple(lanes), expected, all_)


def started(of: Scheduler) -> list[tuple[int, str]]:
    return [(start.job.number, "".join(start.lanes)) for start in of.start()]


def test_the_longest_goes_first_and_of_equal_ones_the_lowest_number() -> None:
    of = scheduler(job(0, expected=1), job(1, expected=3), job(2, expected=3), job(3, expected=2))
    order = []
    while of.waiting:
        [(number, lane)] = started(of)
        order.append(number)
        of.end(lane)
    assert order == [1, 2, 3, 0]


def test_what_is_not_ready_is_passed_by_and_starts_once_it_is() -> None:
    of = scheduler(job(0, expected=9, environment="late"), job(1, environment="there"), ready=False)
    of.ready("there")
    assert started(of) == [(1, "A")]
    of.end("A")
    assert started(of) == []
    assert of.waiting == 1
    of.ready("late")
    assert started(of) == [(0, "A")]
    assert of.waiting == 0


def test_of_two_that_are_as_long_the_one_with_fewer_lanes_to_choose_from_has_the_lane() -> None:
    of = scheduler(job(0, "AB"), job(1, "A"))
    assert started(of) == [(1, "A"), (0, "B")]


def test_a_lane_takes_whatever_may_run_on_it() -> None:
    of = scheduler(job(0, "AB", 5), job(1, "BC", 4), job(2, "C", 3), job(3, "A", 2))
    assert sorted(started(of)) == [(0, "A"), (1, "B"), (2, "C")]
    of.end("B")
    assert started(of) == []
    of.end("A")
    assert started(of) == [(3, "A")]


def test_all_lanes_together_are_given_at_once_and_only_when_all_are_idle() -> None:
    of = scheduler(job(0, "A"), job(1, "AB", all_=True), ready=False)
    of.ready("e")
    assert started(of) == [(1, "AB")]
    assert started(of) == []
    of.end("AB")
    assert started(of) == [(0, "A")]


def test_a_job_for_all_lanes_is_not_passed_by_for_ever() -> None:
    """One lane is always taken by another job: without lanes being held, all would never be idle at once."""
    singles = [job(number, "AB") for number in range(2, 100)]
    of = scheduler(*singles)
    starts = list(of.start())
    of.add(job(0, "AB", environment="all", all_=True))
    of.ready("all")
    passed = 0
    while True:
        first, *rest = starts
        of.end(first.lanes)
        new = list(of.start())
        if any(start.job.takes_all for start in new):
            break
        passed += len(new)
        starts = [*rest, *new]
    assert passed == 4, "two for each of its lanes, and not one more"


def test_lanes_are_not_held_before_that_nor_for_a_job_of_other_lanes() -> None:
    of = scheduler(job(0, "CD", all_=True, environment="all"), *(job(number, "AB") for number in range(1, 9)), job(9, "C", 9))
    of.ready("e")
    assert (9, "C") not in started(of), "all of its lanes were idle"
    for _ in range(3):
        of.end("AB")
        assert len(started(of)) == 2, "A and B are none of its lanes"


def test_those_with_overlapping_lanes_that_all_want_theirs_together_all_get_them() -> None:
    of = scheduler(job(0, "AB", all_=True), job(1, "BC", all_=True), job(2, "CA", all_=True))
    order = []
    for _ in range(3):
        [(number, lanes)] = started(of)
        order.append(number)
        of.end(lanes)
    assert sorted(order) == [0, 1, 2]


def test_a_lane_that_is_away_is_given_to_nobody_until_it_is_back() -> None:
    of = scheduler(job(0, "A"), job(1, "AB", all_=True))
    of.away("A")
    assert started(of) == []
    of.back("A")
    assert started(of) == [(1, "AB")]


def test_a_job_that_could_not_be_started_is_ready_again() -> None:
    of = scheduler(job(0, "AB"))
    [start] = of.start()
    assert of.again(start.job)
    of.end(start.lanes)
    of.away(start.lanes[0])
    assert started(of) == [(0, "B")]


def test_a_job_that_no_lane_is_left_for_is_not_taken_again() -> None:
    of = scheduler(job(0, "A"), job(1, "AB"))
    starts = list(of.start())
    of.put_aside("A")
    assert [of.again(start.job) for start in starts if start.job.number == 0] == [False]
    assert of.waiting == 0


def test_what_is_withdrawn_is_out() -> None:
    of = scheduler(job(0), job(1, environment="other"), ready=False)
    assert [each.number for each in of.withdraw("e")] == [0]
    assert of.withdraw("e") == ()
    of.ready("e")
    of.ready("other")
    assert started(of) == [(1, "A")]
    assert of.waiting == 0


def test_of_a_lane_put_aside_only_those_are_left_over_that_had_no_other() -> None:
    of = scheduler(job(0, "A"), job(1, "AB"), job(2, "AB", all_=True), job(3, "A", environment="late"), ready=False)
    of.ready("e")
    of.away("A")
    assert sorted(each.number for each in of.put_aside("A")) == [0, 3]
    assert started(of) == [(2, "B")], "all lanes that there are"
    of.end("B")
    assert started(of) == [(1, "B")]
    of.end("B")
    of.back("A")
    of.ready("late")
    assert started(of) == []
    assert of.waiting == 0


# ---------------------------------------------------------------- a whole day of it, in simulated time


def simulated(seed: int, jobs: int, lanes: int, *, faults: float, all_: int = 0, one_kind: bool = False) -> tuple[float, float]:
    """(time until all are done, the least that it can be); along the way every promise is looked at."""
    dice = random.Random(seed)  # noqa: S311 - the same every time
    names = [f"L{number:02}" for number in range(lanes)]
    kinds = [tuple(names)]
    if not one_kind:
        kinds += [tuple(names[begin : begin + lanes // 2]) for begin in range(0, lanes, lanes // 4)]
        kinds += [tuple(names[: lanes // 4])]
    todo = [
        Job(number, f"e{number % 97}", dice.choice(kinds), dice.expovariate(1.0) + 0.05, number < all_) for number in range(jobs)
    ]
    lengths = {each.number: each.expected * dice.uniform(0.8, 1.25) for each in todo}
    of = scheduler(*todo)
    idle, events, now, work = set(names), [], 0.0, 0.0
    done: Counter[int] = Counter()
    ready = {each.number: each for each in todo}
    while True:
        for start in of.start():
            assert set(start.lanes) <= idle, "a lane has one job at a time"
            assert set(start.lanes) <= set(start.job.lanes)
            assert (start.lanes == start.job.lanes) if start.job.takes_all else len(start.lanes) == 1
            idle -= set(start.lanes)
            del ready[start.job.number]
            heappush(events, (now + lengths[start.job.number], start.job.number, start))
        if not all_:
            wanted = {lane for each in ready.values() for lane in each.lanes} if len(ready) < 500 else set(names)
            assert not (idle & wanted), "a lane idles while a job that may run on it is ready"
        if not events:
            break
        now, number, start = heappop(events)
        work += lengths[number] * len(start.lanes)
        idle |= set(start.lanes)
        of.end(start.lanes)
        if dice.random() < faults:
            assert of.again(start.job)
            ready[number] = start.job
        else:
            done[number] += 1
    assert of.waiting == 0
    assert done == Counter(range(jobs)), "every job exactly once"
    return now, work / lanes


def test_ten_thousand_jobs_on_64_lanes_end_almost_as_soon_as_can_be() -> None:
    took, least = simulated(1, 10_000, 64, faults=0.05, one_kind=True)
    assert took <= 1.05 * least


@pytest.mark.parametrize("seed", range(4))
def test_jobs_of_overlapping_lanes_and_of_all_lanes_are_each_done_once(seed: int) -> None:
    simulated(seed, 1500, 16, faults=0.05)
    simulated(seed, 400, 8, faults=0.1, all_=20)


@pytest.mark.parametrize("seed", range(30))
def test_whatever_happens_to_lanes_every_job_is_started_once_or_left_over(seed: int) -> None:
    dice = random.Random(seed)  # noqa: S311 - the same every time
    names = list("ABCDEF")
    todo = [
        Job(number, f"e{dice.randrange(5)}", tuple(dice.sample(names, dice.randint(1, 6))), dice.random(), dice.random() < 0.1)
        for number in range(80)
    ]
    of, running, ended, aside = Scheduler(todo), [], [], set()
    environments = {each.environment for each in todo}
    lanes = {lane for each in todo for lane in each.lanes}
    for _ in range(2000):
        match dice.randrange(8):
            case 0 if environments:
                of.ready(environments.pop())
            case 1 if running:
                start = running.pop(dice.randrange(len(running)))
                of.end(start.lanes)
                ended.append(start.job.number)
            case 2 if running:  # could not begin, or failed
                start = running.pop(dice.randrange(len(running)))
                of.end(start.lanes)
                if not of.again(start.job):
                    ended.append(start.job.number)
            case 3:
                of.away(dice.choice(names))
            case 4:
                of.back(dice.choice(names))
            case 5 if len(aside) < 3 and dice.random() < 0.02 and lanes - aside:
                lane = dice.choice(sorted(lanes - aside))
                if not any(lane in start.lanes for start in running):
                    aside.add(lane)
                    ended += [each.number for each in of.put_aside(lane)]
            case 6 if environments and dice.random() < 0.02:
                ended += [each.number for each in of.withdraw(environments.pop())]
            case _:
                for start in of.start():
                    assert not set(start.lanes) & {lane for other in running for lane in other.lanes}
                    assert not set(start.lanes) & aside
                    running.append(start)
    for environment in environments:
        of.ready(environment)
    for name in names:
        of.back(name)
    while running or of.waiting:
        for start in running:
            of.end(start.lanes)
            ended.append(start.job.number)
        running: list[Start] = list(of.start())
        assert running or not of.waiting, "jobs that nothing can start"
    assert sorted(ended) == [each.number for each in todo]
