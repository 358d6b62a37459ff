"""The storms as data: what happens, and what is expected to come of it. The tests say what they saw (docs/storms.md)."""

from __future__ import annotations

from dataclasses import dataclass

#: Moments at which the run is killed. The seed is fixed, the machine is not: no two sessions hit the same instructions.
MOMENTS, SEED = 20, 12
#: Seconds after which nothing that a dead run started may be there any more.
GONE_SECONDS = 30.0


@dataclass(frozen=True)
class Storm:
    """One fault, or one kind of it."""

    id: str
    told: str
    """What is done, as the page says it."""
    expected: str


#: Every step from the intent to the record; each is tried just before and just after it happened.
TRANSITIONS = {
    "begin": "the cell is noted as begun",
    "intent": "the intent is written down",
    "create": "the container is created",
    "start": "the container is started",
    "read": "its output is read",
    "remove": "the container is removed",
    "record": "the result is recorded",
}

_TAKEN_UP = "`--resume` gives every cell one result, none that was finished is measured again, no container is left"

STORMS = (
    Storm(
        "moments",
        f"SIGKILL of the run at {MOMENTS} random moments, then `--resume`, beside a run of another",
        f"{_TAKEN_UP} after 30 s, the other run and its container go on",
    ),
    *(
        Storm(f"{when}-{name}", f"SIGKILL of the run just {when} {told}, then `--resume`", _TAKEN_UP)
        for name, told in TRANSITIONS.items()
        for when in ("before", "after")
    ),
    Storm(
        "run-and-reaper",
        "SIGKILL of the run and of its reaper, with containers going",
        "the containers stay; the next run removes them, and measures all",
    ),
    Storm(
        "signal-twice",
        "SIGTERM, twice, with cells going",
        "exit 143 within seconds, no container left, what was finished is in the report",
    ),
    Storm(
        "engine-back",
        "SIGKILL of the engine with 4 cells going; it is back after 5 s and has ended them",
        "each of the 4 is tried again and passes, with the lost attempt in its result",
    ),
    Storm(
        "engine-back-live",
        "the same with live-restore: the containers go on without the engine",
        "each of the 4 passes, with its lost attempts in its result, if any",
    ),
    Storm(
        "engine-gone",
        "SIGKILL of the engine with 4 cells going, for good, and 2 more to come",
        "bounded: the 4 are an error that names the engine, the rest is not measured and says why",
    ),
    Storm(
        "disk-full",
        "a state folder on 20 MB is filled up while cells run",
        "no new cell, what is measured is printed and kept, an own message; with room again the rest is taken up",
    ),
    Storm(
        "two-runs",
        "two runs want the same 2 GPUs, and the one that holds them is killed",
        "the second waits, then measures both cells; never two containers at once for one GPU",
    ),
    Storm(
        "stuck",
        "a container in uninterruptible sleep (a frozen disk) on one of 2 GPUs, with cells behind it",
        "after its limit and 30 s it is an error that says so; its GPU is put aside, the others go on, the exit does not hang",
    ),
    Storm(
        "neighbours",
        "1 GB of output before the probe and in a check, a fork bomb, the limits of memory and /dev/shm, beside a healthy cell",
        "the healthy cell passes; each other is named for what it is; the validator's own memory stays below 200 MiB",
    ),
    Storm(
        "clock",
        "the clock jumps by a day, back and forth, while cells run, and is a year ahead when the run comes again",
        "no cell is lost or over its limit for that; all seconds are those that passed; what is reused is reused",
    ),
    Storm(
        "truncated",
        "the history is cut off at every 4 KiB, and then read and taken up",
        "each time the report or a message of its own; no traceback, no defect, no hang",
    ),
)
