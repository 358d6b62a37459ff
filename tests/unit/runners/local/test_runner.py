"""The local runner with real processes: the real probe in this very interpreter, and processes that do not want to end."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from secrets import token_hex

import pytest
from values import L4_HOST, T4, built, cell, cpu_environment, environment, matrix, probe_plan
from watching import alive, until

from validator.base.errors import InterruptedRunError
from validator.base.stopping import Stop
from validator.catalogue import checks
from validator.model import Action, CheckStatus, Environment, HostInterpreter, Limits, PackageOptions, PulledImage, Status
from validator.runners.base import GRACE_SECONDS, OnLine, Prepared, RunContext, RunRequest, Share
from validator.runners.local import runner as local
from validator.runners.local.runner import LocalRunner, create, process_environment, request_for, run_process
from validator.runners.local.venvs import MadeEnvironment
from validator.verdict import of_outcome

CONTEXT = RunContext("run-1", owner="host:1")

#: A probe's place taken by a process that ignores SIGTERM and starts another in a process group of its own.
STUBBORN = """
import os, signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
grandchild = "import os, time; os.setpgid(0, 0); print(os.getpid(), flush=True); time.sleep(300)"
child = subprocess.Popen([sys.executable, "-c", grandchild], stdout=subprocess.PIPE)
print(int(child.stdout.readline()), os.getpid(), file=open(sys.argv[1], "w"), flush=True)
sys.stderr.write("still here\\n")
sys.stderr.flush()
time.sleep(300)
"""


def ignore(event: Mapping[str, object]) -> None:
    pass


@pytest.fixture
def no_torch(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A `torch` that cannot be imported comes first, so that it does not matter whether this Python has one."""
    (tmp_path / "torch.py").write_text("raise ImportError('libc10.so: cannot open shared object file')\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))


def process(argv: list[str], *, deadline_seconds: float = 60) -> RunRequest:
    payload = {"argv": argv, "env": {}, "run_id": f"test-{token_hex(4)}", "cpus": ()}
    return RunRequest("a@host", "name", payload, probe_plan(), deadline_seconds)


@pytest.mark.usefixtures("no_torch")
def test_the_probe_reports_to_its_end_also_where_torch_cannot_be_imported() -> None:
    events: list[Mapping[str, object]] = []
    request = request_for(sys.executable, probe_plan(), (), cell_id="a@host")
    outcome = run_process(request, events.append)
    assert (outcome.exit_code, outcome.timed_out, outcome.start_problem) == (0, False, None)
    assert outcome.report.complete, outcome
    assert outcome.report.violations == ()
    first, *others = outcome.report.checks
    assert (first.name, first.status) == ("import", CheckStatus.FAIL)
    assert "libc10.so" in first.message
    assert {check.status for check in others} == {CheckStatus.SKIP}
    assert [event["event"] for event in events][:1] == ["start"]
    assert of_outcome(cell(), Prepared(sys.executable), outcome, checks.levels({})).status is Status.FAIL


@pytest.mark.usefixtures("no_torch")
def test_an_interpreter_is_measured_from_request_to_result() -> None:
    of = cpu_environment(source=HostInterpreter(Path(sys.executable)))
    runner = LocalRunner(matrix(of), CONTEXT)
    prepared = runner.prepare(of, print)
    assert Path(prepared.handle) == Path(sys.executable)
    outcome = runner.run(runner.request(cell(of), prepared), ignore)
    assert outcome.report.complete
    for seconds in (prepared.seconds, outcome.start_seconds, outcome.probe_seconds):
        assert seconds is not None
        assert 0 <= seconds < 60, "how long it took, not what a clock shows"


@pytest.mark.timeout(60)
def test_at_the_deadline_every_process_of_the_session_is_ended(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    request = process([sys.executable, "-c", STUBBORN, str(pids)], deadline_seconds=3)
    outcome = run_process(request, ignore)
    assert outcome.timed_out
    assert outcome.exit_code == 128 + 9
    assert outcome.stderr == "still here\n"
    grandchild, child = map(int, pids.read_text().split())
    for pid in (grandchild, child):
        until = time.monotonic() + 10
        while alive(pid) and time.monotonic() < until:
            time.sleep(0.05)  # a killed process takes the kernel a moment
        assert not alive(pid)


def test_at_the_deadline_the_supervisor_may_still_end_what_it_started(tmp_path: Path) -> None:
    tidy = (
        "import signal, sys, time\n"
        "signal.signal(signal.SIGTERM, lambda *_: (open(sys.argv[1], 'w').close(), sys.exit(7)))\n"
        "print('ready', file=sys.stderr, flush=True)\ntime.sleep(300)\n"
    )
    outcome = run_process(process([sys.executable, "-c", tidy, str(tmp_path / "ended")], deadline_seconds=3), ignore)
    assert (outcome.timed_out, outcome.exit_code, outcome.stderr) == (True, 7, "ready\n")
    assert (tmp_path / "ended").exists()


@pytest.mark.timeout(60)
def test_what_a_process_leaves_running_is_ended_though_it_ended_well_itself(tmp_path: Path) -> None:
    leaves = (
        "import subprocess, sys\n"
        "left = subprocess.Popen(['sleep', '300'], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)\n"
        "open(sys.argv[1], 'w').write(str(left.pid))\n"
    )
    outcome = run_process(process([sys.executable, "-c", leaves, str(tmp_path / "pid")]), ignore)
    assert (outcome.timed_out, outcome.exit_code) == (False, 0)
    pid, until = int((tmp_path / "pid").read_text()), time.monotonic() + 10
    while alive(pid) and time.monotonic() < until:
        time.sleep(0.05)
    assert not alive(pid)


def test_a_process_has_this_ones_variables_and_those_of_the_request(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OURS", "1")
    monkeypatch.setenv("BOTH", "ours")
    script = "import os, sys; sys.stderr.write(os.environ['OURS'] + os.environ['BOTH'])"
    request = process([sys.executable, "-c", script])
    request.payload["env"]["BOTH"] = "the probe's"  # type: ignore[index]
    assert run_process(request, ignore).stderr == "1the probe's"


def test_an_interrupt_leaves_no_process_behind(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    plan = probe_plan("import")
    script = f"import os, time; open({str(pids)!r}, 'w').write(str(os.getpid())); print('x', flush=True); time.sleep(300)"
    start = f'{{"nonce": "{plan.nonce}", "seq": 1, "event": "start", "protocol": 2, "python": "", "executable": "", '
    start += '"platform": "", "libc": "", "environment": {}, "checks": ["import"]}'
    request = replace(process([sys.executable, "-c", f"print({start!r}, flush=True)\n{script}"]), plan=plan)
    seen = []

    def interrupt(event: Mapping[str, object]) -> None:
        seen.append(event)
        while not (pids.exists() and pids.read_text()):
            time.sleep(0.01)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_process(request, interrupt)
    assert len(seen) == 1
    assert not alive(int(pids.read_text()))


@pytest.mark.timeout(60)
def test_a_run_that_is_to_end_at_once_ends_the_process_and_says_so(tmp_path: Path) -> None:
    stop, pids = Stop(), tmp_path / "pids"
    threading.Thread(target=lambda: (until(pids.exists), stop.ask()), daemon=True).start()
    with pytest.raises(InterruptedRunError, match="a@host was ended"):
        run_process(process([sys.executable, "-c", STUBBORN, str(pids)]), ignore, stop=stop)
    for pid in map(int, pids.read_text().split()):
        assert until(lambda pid=pid: not alive(pid))


@pytest.mark.usefixtures("no_torch")
def test_several_run_at_once_each_in_its_thread_and_none_disturbs_another() -> None:
    with ThreadPoolExecutor(6) as pool:
        requests = [request_for(sys.executable, probe_plan(), (), cell_id=f"{n}@host", run_id="run-t") for n in range(6)]
        outcomes = list(pool.map(lambda request: run_process(request, ignore), requests))
    for outcome in outcomes:
        assert outcome.report.complete, outcome
        assert (outcome.exit_code, outcome.stuck, outcome.report.stray) == (0, False, "")


def test_the_processors_of_its_share_are_all_it_gets() -> None:
    one = min(os.sched_getaffinity(0))
    request = LocalRunner(matrix(), CONTEXT).request(cell(), Prepared(sys.executable), share=Share(cpus=(one,)), attempt=2)
    assert request.payload["cpus"] == (one,)
    assert (request.attempt, request.name[-2:]) == (2, "-2")
    script = "import os, sys; sys.stderr.write(repr(sorted(os.sched_getaffinity(0))))"
    request.payload["argv"] = [sys.executable, "-c", script]  # type: ignore[index]
    assert run_process(request, ignore).stderr == f"[{one}]"


def test_a_probe_asks_for_its_turn_and_the_wait_is_not_its_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "torch.py").write_text("__version__ = '1'\nclass Tensor: pass\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    plan = replace(probe_plan("import"), turns=True)
    plan = replace(plan, checks=tuple(replace(spec, alone=True) for spec in plan.checks))

    class Later:
        """A turn that comes after a second."""

        def __init__(self) -> None:
            self.began, self.ended = time.monotonic(), False

        @property
        def granted(self) -> bool:
            return time.monotonic() - self.began > 1.0

        def end(self) -> None:
            self.ended = True

    turns: list[Later] = []

    class Gate:
        def ask(self) -> Later:
            turns.append(Later())
            return turns[-1]

    began = time.monotonic()
    outcome = run_process(request_for(sys.executable, plan, (), cell_id="a@host"), ignore, Gate())
    took = time.monotonic() - began
    assert outcome.report.complete
    assert [turn.ended for turn in turns] == [True]
    assert outcome.probe_seconds is not None
    assert outcome.probe_seconds <= took - 1.0


@pytest.mark.parametrize("kind", ["absent", "not executable", "a folder"])
def test_what_cannot_be_started_is_said_and_nothing_is_raised(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "python"
    if kind == "not executable":
        path.write_text("#!/bin/sh\n")
    elif kind == "a folder":
        path.mkdir()
    outcome = run_process(request_for(str(path), probe_plan(), (), cell_id="a@host"), ignore)
    assert outcome.start_problem is not None
    assert str(path) in outcome.start_problem
    assert not outcome.report.started
    result = of_outcome(cell(), Prepared(str(path)), outcome, checks.levels({}))
    assert result.status is (Status.FAIL if kind == "absent" else Status.ERROR)


@pytest.mark.parametrize(("script", "code"), [("raise SystemExit(3)", 3), ("import os; os.kill(os.getpid(), 11)", 128 + 11)])
def test_how_a_process_ended_is_told_as_a_shell_does(script: str, code: int) -> None:
    outcome = run_process(process([sys.executable, "-c", script]), ignore)
    assert (outcome.exit_code, outcome.timed_out) == (code, False)
    assert not outcome.report.started


# ---------------------------------------------------------------- the request, as a value


def test_the_request_carries_the_plan_and_the_limits() -> None:
    of = environment()
    request = LocalRunner(matrix(of, limits=Limits(timeout_seconds=90)), CONTEXT).request(cell(of, gpu=T4), Prepared("/x/python"))
    assert request.payload["argv"][0] == "/x/python"
    assert request.payload["env"]["CUDA_VISIBLE_DEVICES"] == "GPU-1111"
    assert (request.plan.device, request.plan.host_gpu, request.plan.deadline_seconds) == ("cuda", T4, 90)
    assert request.deadline_seconds == 90 + GRACE_SECONDS
    assert (request.cell_id, request.name) == (cell(of).id, f"validator-run-1-{cell(of).id}-1")


@pytest.mark.parametrize(
    ("action", "gpu", "device"), [(Action.INSPECT, None, "none"), (Action.MEASURE, None, "cpu"), (Action.MEASURE, T4, "cuda")]
)
def test_the_device_is_what_the_plan_said(action: Action, gpu: object, device: str) -> None:
    request = LocalRunner(matrix(), CONTEXT).request(cell(action=action, gpu=gpu), Prepared("python"))
    assert request.plan.device == device


def test_the_gpus_of_the_cell_are_what_the_probe_sees() -> None:
    base = {"CUDA_VISIBLE_DEVICES": "3", "PATH": "/bin"}
    assert process_environment({"A": "b"}, (), base) == {**base, "A": "b"}
    assert process_environment({}, (T4,), base)["CUDA_VISIBLE_DEVICES"] == "GPU-1111"
    mig = replace(T4, mig_enabled=True, mig_devices=("MIG-aaaa", "MIG-bbbb"))
    assert process_environment({}, (mig,), base)["CUDA_VISIBLE_DEVICES"] == "MIG-aaaa"
    assert process_environment({}, (T4, replace(T4, uuid="GPU-2")), base)["CUDA_VISIBLE_DEVICES"] == "GPU-1111,GPU-2"
    assert base["CUDA_VISIBLE_DEVICES"] == "3"


def test_the_local_runner_has_no_containers_and_speaks_of_the_engine_as_it_was_asked() -> None:
    runner = create(matrix(), replace(CONTEXT, engine=L4_HOST.engine))
    assert (runner.name, runner.contained) == ("local", False)
    assert runner.host().engine is L4_HOST.engine


def test_how_an_environment_was_made_is_handed_on(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    asked: list[tuple[object, ...]] = []

    def made(
        of: Environment, options: PackageOptions, root: Path, *, on_line: OnLine, run_id: str, stop: Stop
    ) -> MadeEnvironment:
        asked.append((of, options, root, on_line, run_id, stop))
        return MadeEnvironment(tmp_path / "bin" / "python", "key", ("the mirror was used",), reused=True, identity="sha256:1")

    monkeypatch.setattr(local, "ensure", made)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    of, options = environment(source=built()), PackageOptions(index="https://i")
    prepared = LocalRunner(matrix(of, packages=options), CONTEXT).prepare(of, print)
    assert (prepared.handle, prepared.notes, prepared.digest) == (f"{tmp_path}/bin/python", ("the mirror was used",), None)
    assert (prepared.identity, prepared.was_there) == ("sha256:1", True)
    assert asked == [(of, options, tmp_path / "torch-matrix-validator" / "envs", print, "run-1", CONTEXT.stop)]


def test_an_image_needs_an_engine() -> None:
    runner = LocalRunner(matrix(), CONTEXT)
    assert "container engine" in (runner.supports(environment(source=PulledImage("a:1"))) or "")
    assert runner.supports(environment(source=built())) is None
    assert runner.supports(environment(source=HostInterpreter(Path(sys.executable)))) is None
    gone = environment(source=HostInterpreter(Path("/gone/python")))
    assert runner.supports(gone) == "there is no /gone/python on this machine"
