"""One worker process: what counts as its reply, how its end is told, and what is kept of its output.

What a real process does is in tests/unit/probe_host/test_supervisor.py.
"""

import json
import resource
import signal
import sys
import time

import pytest

from validator.probe import process
from validator.probe.emit import LINE_BYTES

REPLY = {
    "check": "device",
    "status": "pass",
    "message": "fine",
    "seconds": 1.0,
    "metrics": {"a": [1, None], "b": "x"},
    "spent": False,
}


def line(**changed):
    return json.dumps({**REPLY, **changed}).encode()


def test_a_reply_is_read_and_what_is_no_part_of_it_left_out():
    assert process._reply(line(extra=1), "device") == REPLY
    for status in ("pass", "warn", "fail", "skip"):
        assert process._reply(line(status=status), "device")["status"] == status


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"no json",
        b"[1]",
        b"\xff",
        b"[" * 100000,
        line(check="other"),
        line(status="maybe"),
        line(status=None),
        line(message=3),
        line(seconds=1),
        line(seconds=float("nan")),
        line(metrics=[]),
        line(metrics={"a": {}}),
        line(metrics={"a": [[1]]}),
        line(metrics={"a": 1, "b": [{}]}),
        line(spent=0),
        line(message="x" * LINE_BYTES),
        json.dumps({name: value for name, value in REPLY.items() if name != "spent"}).encode(),
    ],
    ids=lambda data: data[:40],
)
def test_what_is_no_reply_is_passed_over(data):
    assert process._reply(data, "device") is None


def test_a_reply_may_be_just_as_long_as_a_line():
    spare = LINE_BYTES - len(line(message=""))
    assert process._reply(line(message="x" * spare), "device")
    assert process._reply(line(message="x" * (spare + 1)), "device") is None


@pytest.mark.parametrize(
    ("code", "told"),
    [
        (0, "exit status 0"),
        (3, "exit status 3"),
        (-signal.SIGSEGV, "signal 11 (SIGSEGV)"),
        (-40, "signal 40"),
        (None, "it could not be killed"),
    ],
)
def test_how_a_process_ended_is_told(code, told):
    assert process.describe_exit(code) == told
    assert (str(process.Died(code)), process.Died(code).code) == (told, code)


# ---------------------------------------------------------------- a process that is no real worker


@pytest.fixture
def worker(monkeypatch, tmp_path):
    """A process whose program is given; ``socket`` is its end of the private one."""
    started = []

    def start(source, **context):
        script = tmp_path / "worker.py"
        script.write_text(
            "import json, os, socket, sys, time\n"
            "assert sys.argv[1] == 'worker'\n"
            "channel = socket.socket(fileno=int(sys.argv[2]))\n"
            "orders = channel.makefile('r')\n"
            "def reply(check, **more):\n"
            "    whole = dict(check=check, status='pass', message='', seconds=0.5, metrics={}, spent=False, **more)\n"
            "    channel.sendall(json.dumps(whole).encode() + b'\\n')\n" + source
        )
        monkeypatch.setattr(sys, "argv", [str(script)])
        made = process.WorkerProcess({"PYTHONPATH": ""}, context)
        started.append(made)
        return made

    yield start
    for each in started:
        if each._process.poll() is None:
            each.kill()


def soon(seconds=20.0):
    return time.monotonic() + seconds


def test_the_first_order_brings_the_context_and_the_others_only_their_check(worker):
    echo = worker(
        "for line in orders:\n    order = json.loads(line)\n    print(line.strip(), flush=True)\n    reply(order['check'])\n",
        device="cpu",
    )
    assert echo.run("import", soon())["check"] == "import"
    assert json.loads(echo.tail(1000)) == {"device": "cpu", "check": "import"}
    echo.run("device", soon())
    assert json.loads(echo.tail(1000)) == {"check": "device"}  # of the last order alone
    assert echo.tail(3) == '"}\n'


def test_lines_that_are_no_reply_to_the_order_are_passed_over(worker):
    made = worker(
        "orders.readline()\n"
        "channel.sendall(b'junk\\n' + b'x' * 200000 + b'\\n')\n"
        "reply('other')\n"
        "channel.sendall(b'{\"check\": ')\n"
        "time.sleep(0.2)\n"
        'channel.sendall(b\'"device", "status": "warn", "message": "", "seconds": 0.5, "metrics": {}, "spent": true}\\n\')\n'
        "time.sleep(60)\n"
    )
    assert made.run("device", soon())["status"] == "warn"


def test_a_process_that_ends_without_a_reply_has_died_and_its_last_words_are_kept(worker):
    made = worker("orders.readline()\nprint('x' * 40000 + 'the end', flush=True)\nos._exit(3)\n")
    with pytest.raises(process.Died, match="exit status 3"):
        made.run("device", soon())
    assert made.tail(1 << 20).endswith("the end\n")
    assert len(made.tail(1 << 20)) == 16 * 1024


def test_a_process_past_its_deadline_is_asked_where_it_hangs_and_ended(worker):
    made = worker(
        "import signal\nsignal.signal(signal.SIGUSR1, lambda *_: print('hangs here', flush=True))\n"
        "orders.readline()\nwhile True:\n    time.sleep(1)\n"
    )
    began = time.monotonic()
    with pytest.raises(TimeoutError):
        made.run("device", began + 1.0)
    assert time.monotonic() >= began + 1.0
    assert "hangs here" in made.tail(1000)
    assert made._process.poll() == -signal.SIGKILL


def test_an_order_to_a_process_that_is_gone_finds_out_how_it_ended(worker):
    made = worker("os._exit(4)\n")
    made._process.wait(20)
    with pytest.raises(process.Died, match="exit status 4"):
        made.run("device", soon())


def test_a_worker_leaves_no_core_file_and_is_a_group_of_its_own(worker):
    before = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (before[1], before[1]))
    try:
        made = worker(
            "import resource\norders.readline()\n"
            "print(resource.getrlimit(resource.RLIMIT_CORE)[0], os.getpgid(0) == os.getpid(), flush=True)\n"
            "reply('device')\ntime.sleep(60)\n"
        )
    finally:
        resource.setrlimit(resource.RLIMIT_CORE, before)
    made.run("device", soon())
    assert made.tail(100) == "0 True\n"
