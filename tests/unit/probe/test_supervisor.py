"""The order of a plan: which checks run, in which worker, and what is reported. Real workers are in tests/unit/probe_host."""

import signal
import time
from types import SimpleNamespace

import pytest

from validator.probe import supervisor
from validator.probe.process import Died


@pytest.fixture
def world(monkeypatch, tmp_path):
    """Workers that answer from a table, a clock that they move, and the events that are reported."""
    found = SimpleNamespace(now=100.0, answers={}, workers=[], events=[], asked=[], alone=(), turns=[])

    class Worker:
        def __init__(self, environment, context):
            found.workers.append(self)
            self.environment, self.context, self.killed = environment, context, 0
            self.pid = 4000 + len(found.workers)

        def run(self, check, deadline):
            found.asked.append((check, deadline, found.workers.index(self)))
            answer = found.answers.get(check, {})
            found.now += answer.get("takes", 1.0) if isinstance(answer, dict) else 1.0
            if isinstance(answer, Exception):
                raise answer
            reply = {"check": check, "status": "pass", "message": check, "seconds": 0.5, "metrics": {}, "spent": False}
            return {**reply, **{name: value for name, value in answer.items() if name != "takes"}}

        def tail(self, chars):
            return "x" * chars

        def kill(self):
            self.killed += 1

    monkeypatch.setattr(supervisor, "WorkerProcess", Worker)
    monkeypatch.setattr(time, "monotonic", lambda: found.now)

    def run(*checks, total=1000.0):
        plan = {
            "checks": [
                {"name": name, "needs": list(needs), "deadline_seconds": 10.0, "alone": name in found.alone}
                for name, *needs in checks
            ],
            "deadline_seconds": total,
            **{"device": "cpu", "host_gpu": None, "asked": {}, "quick": False, "model": None},
        }
        emitter = SimpleNamespace(emit=lambda event, **fields: found.events.append((event, fields)))

        def turn(check):
            found.turns.append(check)
            found.now += 5000.0

        found.supervisor = supervisor.Supervisor(plan, emitter, SimpleNamespace(turn=turn), str(tmp_path))
        found.supervisor.run()
        return {fields["check"]: fields for event, fields in found.events if event == "check-end"}

    found.run = run
    return found


def test_a_plan_is_run_in_one_worker_and_reported_from_start_to_end(world):
    ended = world.run(["import"], ["device", "import"])
    assert [event for event, _ in world.events] == [
        "start",
        "worker-start",
        "check-start",
        "check-end",
        "check-start",
        "check-end",
        "end",
    ]
    start, worker_start, check_start = (fields for _, fields in world.events[:3])
    assert start["checks"] == ["import", "device"]
    assert (start["protocol"], start["python"]) == (2, supervisor.platform.python_version())
    assert worker_start == {"worker": 1, "pid": 4001}
    assert check_start == {"check": "import", "worker": 1}
    assert ended["import"] == {
        "check": "import",
        "status": "pass",
        "message": "import",
        "seconds": 0.5,
        "metrics": {},
        "died": None,
        "output": "",
    }
    assert world.events[-1][1] == {"seconds": 2.0, "checks": 2}
    (worker,) = world.workers
    assert worker.context == {"device": "cpu", "host_gpu": None, "asked": {}, "quick": False, "model": None}
    assert worker.environment["PYTHONDONTWRITEBYTECODE"] == "1"
    assert world.asked == [("import", 110.0, 0), ("device", 111.0, 0)]


@pytest.mark.parametrize(("status", "kept"), [("pass", 0), ("skip", 0), ("warn", 4000), ("fail", 4000)])
def test_output_is_kept_where_something_is_to_be_explained(world, status, kept):
    world.answers["device"] = {"status": status}
    assert len(world.run(["device"])["device"]["output"]) == kept


def test_a_spent_worker_is_ended_and_the_next_check_gets_a_new_one(world):
    world.answers["model"] = {"spent": True}
    ended = world.run(["model"], ["device"])
    assert "spent" not in ended["model"]
    assert [(check, worker) for check, _, worker in world.asked] == [("model", 0), ("device", 1)]
    assert [worker.killed for worker in world.workers] == [1, 0]
    assert world.events[4] == ("worker-start", {"worker": 2, "pid": 4002})
    world.supervisor.stop()
    world.supervisor.stop()
    assert [worker.killed for worker in world.workers] == [1, 1]


def test_what_needs_a_check_that_did_not_hold_is_skipped_with_the_reason_all_the_way_down(world):
    world.answers.update(
        device={"status": "fail"}, bf16={"status": "skip", "message": "no bfloat16 here"}, tf32={"status": "warn"}
    )
    ended = world.run(
        ["device"], ["kernels", "import", "device"], ["jit", "kernels"], ["bf16"], ["after", "bf16"], ["tf32"], ["last", "tf32"]
    )
    assert {name: (each["status"], each["message"]) for name, each in ended.items()} == {
        "device": ("fail", "device"),
        "kernels": ("skip", "needs device, which failed"),
        "jit": ("skip", "needs device, which failed"),
        "bf16": ("skip", "no bfloat16 here"),
        "after": ("skip", "no bfloat16 here"),
        "tf32": ("warn", "tf32"),
        "last": ("pass", "last"),
    }
    assert (ended["kernels"]["seconds"], ended["kernels"]["output"], ended["kernels"]["died"]) == (0.0, "", None)
    assert [check for check, _, _ in world.asked] == ["device", "bf16", "tf32", "last"]


@pytest.mark.parametrize(
    ("error", "died", "cause"),
    [
        (Died(-signal.SIGSEGV), "signal 11 (SIGSEGV)", "native_crash"),
        (Died(-signal.SIGBUS), "signal 7 (SIGBUS)", "native_crash"),
        (Died(-signal.SIGABRT), "signal 6 (SIGABRT)", "native_crash"),
        (Died(-signal.SIGFPE), "signal 8 (SIGFPE)", "native_crash"),
        (Died(-signal.SIGILL), "signal 4 (SIGILL)", "cpu_instructions_missing"),
        (Died(-signal.SIGKILL), "signal 9 (SIGKILL)", None),
        (Died(11), "exit status 11", None),
        (Died(None), "it could not be killed", None),
        (TimeoutError(), "deadline of 10 s", "hang"),
    ],
)
def test_a_worker_that_does_not_survive_costs_its_check_and_is_replaced(world, error, died, cause):
    world.answers["device"] = error
    ended = world.run(["device"], ["jit"])
    assert ended["device"] == {
        "check": "device",
        "status": "fail",
        "message": f"the process that ran device did not survive: {died}",
        "seconds": 1.0,
        "metrics": {"cause": cause} if cause else {},
        "died": died,
        "output": "x" * 4000,
    }
    assert ended["jit"]["status"] == "pass"
    assert len(world.workers) == 2


def test_the_total_deadline_ends_the_running_check_without_calling_it_a_hang_and_skips_the_rest(world):
    world.answers["import"] = {"takes": 3.0}
    world.answers["device"] = TimeoutError()
    ended = world.run(["import"], ["device"], total=4.0)
    assert world.asked[1] == ("device", 104.0, 0)
    assert ended["device"]["died"] == "total deadline of 4 s"
    assert ended["device"]["metrics"] == {}
    world.events.clear()
    world.asked.clear()
    ended = world.run(["import"], ["jit"], total=3.0)
    assert (ended["jit"]["status"], ended["jit"]["message"]) == ("skip", "not run: total deadline reached")
    assert len(world.asked) == 1


def test_messages_and_metrics_are_cut_to_size(world):
    world.answers["device"] = {"message": "m" * 3000, "metrics": {"nan": float("nan")}}
    ended = world.run(["device"])["device"]
    assert ended["message"] == "m" * 2000
    assert ended["metrics"] == {"nan": "nan"}


def test_what_is_to_run_alone_waits_for_its_turn_and_the_wait_counts_for_nothing(world):
    world.alone = ("throughput", "amp_benefit")
    world.run(["import"], ["throughput"], ["amp_benefit"], total=40.0)
    assert world.turns == ["throughput", "amp_benefit"]
    assert [event for event, _ in world.events][3:6] == ["check-end", "turn", "check-start"]
    assert world.events[4] == ("turn", {"check": "throughput"})
    assert [deadline for _, deadline, _ in world.asked] == [110.0, 5111.0, 10112.0]
    assert world.events[-1] == ("end", {"seconds": 3.0, "checks": 3})


def test_what_does_not_run_asks_for_no_turn(world):
    world.alone = ("throughput", "amp_benefit")
    world.answers["import"] = {"status": "fail"}
    ended = world.run(["import"], ["throughput", "import"])
    assert (ended["throughput"]["status"], world.turns) == ("skip", [])
    world.events.clear()
    world.run(["amp_benefit"], total=0.0)
    assert world.turns == []
