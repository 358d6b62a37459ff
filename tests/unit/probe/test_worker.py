"""The worker without a process: orders over a socket, what a check's result becomes, and when no other may follow."""

import io
import json
import os
import socket
import sys
import threading

import pytest

from validator.probe import worker
from validator.probe.context import Context, Result


@pytest.fixture
def checks(monkeypatch):
    """Checks by name, in place of the real ones."""
    found = {}
    monkeypatch.setattr(worker, "find", found.__getitem__)
    return found


def test_orders_are_served_with_one_context_until_the_socket_is_closed(checks, monkeypatch):
    contexts = []

    def check(context):
        contexts.append(context)
        return Result("pass", "fine", {"count": len(contexts)})

    checks.update(one=check, two=check)
    monkeypatch.setattr(worker.faulthandler, "enable", lambda **_: None)
    monkeypatch.setattr(worker.faulthandler, "register", lambda *_, **__: None)
    ours, theirs = socket.socketpair()
    os.set_inheritable(theirs.fileno(), True)
    ended = []
    thread = threading.Thread(target=lambda: ended.append(worker.main(theirs.fileno())), daemon=True)
    thread.start()
    greeting = {"device": "cuda", "host_gpu": {"name": "T4"}, "asked": {"torch": "2"}, "quick": True, "model": {"file": "net.py"}}
    replies = ours.makefile("rb")
    seen = []
    for order in ({**greeting, "check": "one"}, {"check": "two"}):
        ours.sendall(json.dumps(order).encode() + b"\n")
        seen.append(json.loads(replies.readline()))
    ours.shutdown(socket.SHUT_WR)
    thread.join(20)
    assert ended == [0]
    assert [(each["check"], each["status"], each["message"], each["metrics"]) for each in seen] == [
        ("one", "pass", "fine", {"count": 1}),
        ("two", "pass", "fine", {"count": 2}),
    ]
    one, two = contexts
    assert one is two
    assert (one.device, one.host_gpu, one.asked, one.quick, one.model) == tuple(greeting.values())
    assert not os.get_inheritable(theirs.fileno())
    ours.close()
    theirs.close()


def test_a_result_becomes_a_reply_with_metrics_that_json_carries(checks):
    checks["device"] = lambda context: Result("warn", "hm", {"nan": float("nan")})
    reply = worker._run("device", Context("cpu", None))
    seconds = reply.pop("seconds")
    assert 0 <= seconds < 5
    assert reply == {"check": "device", "status": "warn", "message": "hm", "metrics": {"nan": "nan"}, "spent": False}


def test_what_a_check_raises_is_its_failure_with_type_and_place(checks, capsys):
    def sick(context):
        raise RuntimeError("CUDA error: no kernel image\nmore")

    checks["kernels"] = sick
    reply = worker._run("kernels", Context("cpu", None))
    assert (reply["status"], reply["message"]) == ("fail", "RuntimeError: CUDA error: no kernel image")
    assert reply["metrics"]["raised"] == "RuntimeError"
    assert reply["metrics"]["raised_at"] == f"unit/probe/test_worker.py:{sick.__code__.co_firstlineno + 1}"
    assert "no kernel image" in capsys.readouterr().err


@pytest.mark.parametrize(
    "path", ["/scratch/probe.zip/validator_probe/checks/jit.py", "/a/validator_probe/validator_probe/checks/jit.py"]
)
def test_a_fault_of_the_probe_is_told_by_its_own_path(path):
    with pytest.raises(ZeroDivisionError) as raised:
        exec(compile("\n1 / 0", path, "exec"))  # noqa: S102
    assert worker._place(raised.value) == "validator_probe/checks/jit.py:2"


@pytest.mark.parametrize(
    ("name", "status", "device", "message", "spent"),
    [
        ("kernels", "pass", "cuda", "fine", False),
        ("kernels", "warn", "cuda", "hm", False),
        ("kernels", "fail", "cuda", "wrong", True),
        ("kernels", "fail", "cpu", "wrong", False),
        ("kernels", "fail", "cpu", "CUDA Out Of Memory", True),
        ("kernels", "skip", "cpu", "out of memory", False),
        ("model", "pass", "cpu", "fine", True),
    ],
)
def test_after_what_may_have_left_something_broken_no_other_check_follows(name, status, device, message, spent):
    assert worker._spent(name, Result(status, message, {}), Context(device, None)) is spent


@pytest.mark.parametrize("broken", [None, io.StringIO()])
def test_an_image_that_closed_or_replaced_stdout_costs_no_reply(checks, monkeypatch, broken):
    if broken is not None:
        broken.close()
    monkeypatch.setattr(sys, "stdout", broken)
    checks["device"] = lambda context: Result("pass", "fine", {})
    assert worker._run("device", Context("cpu", None))["status"] == "pass"


def test_what_was_printed_is_out_before_the_reply(checks, monkeypatch):
    flushed = []

    class Stream(io.StringIO):
        def flush(self):
            flushed.append(self)

    out, err = Stream(), Stream()
    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.setattr(sys, "stderr", err)
    checks["device"] = lambda context: Result("pass", "fine", {})
    worker._run("device", Context("cpu", None))
    assert flushed[-2:] == [out, err]


def test_a_reply_is_sent_whole_however_little_the_socket_takes(monkeypatch):
    sent = []

    def write(descriptor, data):
        assert descriptor == 7
        sent.append(bytes(data[:10]))
        return len(sent[-1])

    monkeypatch.setattr(worker.os, "write", write)
    worker._send(7, {"check": "device", "status": "pass"})
    assert b"".join(sent) == b'{"check": "device", "status": "pass"}\n'
