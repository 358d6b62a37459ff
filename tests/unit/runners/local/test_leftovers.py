"""Finding the processes of a run, and of no other, whatever is in /proc."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from secrets import token_hex

import pytest

from validator import probe_host
from validator.runners.local import leftovers

SLEEPS = [sys.executable, "-S", "-c", "import sys, time; print(flush=True); time.sleep(300)"]


@pytest.fixture
def run_id() -> str:
    return f"test-{token_hex(4)}"


@pytest.fixture
def start() -> Iterator[object]:
    """Starts sleeping processes with marks."""
    started: list[subprocess.Popen[bytes]] = []

    def begin(run: str, part: str = "", **options: object) -> int:
        environment = {**os.environ, **leftovers.marks(run, part)}
        started.append(subprocess.Popen(SLEEPS, env=environment, stdout=subprocess.PIPE, **options))  # type: ignore[call-overload]
        started[-1].stdout.readline()  # type: ignore[union-attr]
        return started[-1].pid

    begin.processes = started  # type: ignore[attr-defined]
    yield begin
    for process in started:
        process.kill()
        process.wait()
        process.stdout.close()  # type: ignore[union-attr]


def test_the_processes_of_a_run_are_found_by_their_marks_and_no_others(start, run_id):
    first, second = start(run_id, "a@host"), start(run_id, "b@host", start_new_session=True)
    other = start(run_id + "x", "a@host")
    found = {each.pid: each for each in leftovers.processes(run_id)}
    assert set(found) == {first, second}
    assert found[second] == leftovers.Leftover(second, run_id, "b@host")
    assert [each.pid for each in leftovers.processes(run_id, "a@host")] == [first]
    assert {first, second, other} <= {each.pid for each in leftovers.processes()}


def test_a_part_of_a_run_is_ended_and_the_rest_left(start, run_id):
    first, second, other = start(run_id, "a@host"), start(run_id, "b@host"), start(run_id + "x", "a@host")
    assert leftovers.end(run_id, "a@host") == ()
    assert start.processes[0].wait(20) == -9
    assert [each.pid for each in leftovers.processes(run_id)] == [second]
    assert leftovers.end(run_id) == ()
    assert start.processes[1].wait(20) == -9
    assert start.processes[2].poll() is None
    assert first != other


def test_processes_of_no_run_are_no_leftovers(start):
    unmarked = start("", "a@host")
    assert unmarked not in {each.pid for each in leftovers.processes()}
    assert leftovers.end("") == ()
    assert start.processes[0].poll() is None


def test_a_session_is_found_whatever_its_members_carry(start, run_id):
    alone = start("", start_new_session=True)
    assert [each.pid for each in leftovers.processes(run_id, session=alone)] == [alone]
    assert leftovers.end(run_id, "a@host", session=alone) == ()
    assert start.processes[0].wait(20) == -9


def test_this_process_and_what_it_descends_from_are_never_meant(run_id):
    # A validator that runs inside what another run measures carries that run's mark.
    source = "from validator.runners.local import leftovers; import sys; print(leftovers.end(sys.argv[1], seconds=0.2))"
    command = [sys.executable, "-c", "import subprocess, sys; sys.exit(subprocess.call(sys.argv[1:]))"]
    done = subprocess.run(
        [*command, sys.executable, "-c", source, run_id],
        env={**os.environ, **leftovers.marks(run_id, "")},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stdout) == (0, "()\n"), done.stderr


def test_what_cannot_be_ended_in_time_is_told(start, run_id, monkeypatch):
    pid = start(run_id)
    monkeypatch.setattr(leftovers, "_kill", lambda *_: None)
    assert [each.pid for each in leftovers.end(run_id, seconds=0.2)] == [pid]


def test_what_is_ended_meanwhile_or_is_a_zombie_is_not_found(start, run_id):
    start(run_id)
    start.processes[0].kill()
    time.sleep(0.2)
    assert list(leftovers.processes(run_id)) == []


def test_a_supervisor_that_hides_its_environment_is_known_by_its_command_line(run_id, tmp_path, monkeypatch):
    if os.geteuid() == 0:
        # To root nothing is hidden: read it as everybody else has to.
        whole = leftovers._readable
        monkeypatch.setattr(leftovers, "_readable", lambda file: b"" if file.name == "environ" else whole(file))
    plan = probe_host.ProbePlan(probe_host.new_nonce(), (), "cpu", None, 60.0, str(tmp_path))
    environment = {**os.environ, **probe_host.environment(plan), **leftovers.marks(run_id, "a@host")}
    process = subprocess.Popen(
        probe_host.command(sys.executable), env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    while process.stdout.readline() != probe_host.READY + b"\n":
        pass
    assert list(leftovers.processes(run_id)) == [leftovers.Leftover(process.pid, run_id, "")]
    assert leftovers.end(run_id) == ()
    process.communicate(timeout=30)
