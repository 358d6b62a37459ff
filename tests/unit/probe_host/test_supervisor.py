"""The real supervisor and worker as processes. ``torch`` is a stub here: each one misbehaves as a broken torch would."""

import ast
import contextlib
import io
import json
import os
import re
import select
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from interpreters import interpreters

from validator import probe_host
from validator.catalogue.checks import CheckSpec
from validator.model import CheckStatus, Level
from validator.probe_host import EventStream, ProbePlan, ProbeReport

pytestmark = pytest.mark.timeout(90)

IMPORTABLE = """
import types
__version__ = "0.0.stub"
class Tensor: pass
version = types.SimpleNamespace(cuda=None, debug=False)
"""


def spec(name, *needs, seconds=30.0):
    return CheckSpec(name=name, level=Level.REQUIRED, deadline_seconds=seconds, needs=needs, inspect=True)


@dataclass
class Ran:
    exit_code: int
    events: list
    report: ProbeReport
    stderr: str
    raw: bytes

    def check(self, name):
        return next(check for check in self.report.checks if check.name == name)

    def started(self, event):
        return [each for each in self.events if each["event"] == event]


class Stage:
    """A folder with a stub torch, and what is needed to run a probe on it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.site = folder / "site"
        self.scratch = folder / "scratch"
        self.site.mkdir()
        self.scratch.mkdir()

    def stub(self, source: str, name: str = "torch/__init__.py") -> None:
        path = self.site / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(source, encoding="utf-8")

    def plan(self, *specs, total=60.0, device="cpu"):
        return ProbePlan(probe_host.new_nonce(), specs or (spec("import"),), device, None, total, str(self.scratch))

    def start(self, plan, python=sys.executable, *, within=(), nonce=True, **variables):
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder),
            "PYTHONPATH": str(self.site),
            **probe_host.environment(plan),
            **variables,
        }
        process = subprocess.Popen(
            [*within, *probe_host.command(python)],
            env=environment,
            cwd=self.folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        if nonce and plan.listens:
            with contextlib.suppress(BrokenPipeError):  # a probe that cannot even start hears nothing
                process.stdin.write(probe_host.answer("nonce", plan.nonce))
                process.stdin.flush()
        return process

    def run(self, *specs, total=60.0, device="cpu", python=sys.executable, within=(), plan=None, **variables) -> Ran:
        plan = plan or self.plan(*specs, total=total, device=device)
        process = self.start(plan, python, within=within, **variables)
        out, err = process.communicate(timeout=60)
        stream = EventStream(plan)
        events = stream.feed(out)
        return Ran(process.returncode, events, stream.close(), err.decode(), out)


@pytest.fixture
def stage(tmp_path):
    return Stage(tmp_path)


def wait_until_gone(pid: int) -> None:
    """Return once the process has ended (a zombie that nobody collects has ended too); fail after ten seconds."""
    end = time.monotonic() + 10
    while time.monotonic() < end:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            return
        if state == "Z":
            return
        time.sleep(0.05)
    pytest.fail(f"process {pid} is still there")


@pytest.mark.parametrize(
    ("source", "died", "cause"),
    [
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "signal 11 (SIGSEGV)", "native_crash"),
        ("import os; os.abort()", "signal 6 (SIGABRT)", "native_crash"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGILL)", "signal 4 (SIGILL)", "cpu_instructions_missing"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "signal 9 (SIGKILL)", None),
        ("import os; os._exit(3)", "exit status 3", None),
        ("import sys; sys.exit(3)", "exit status 3", None),
        ("import os; os._exit(0)", "exit status 0", None),
    ],
)
def test_a_torch_that_kills_its_process_costs_one_check_and_says_how(stage, source, died, cause):
    stage.stub(source)
    ran = stage.run(spec("import"), spec("device", "import"))
    assert ran.exit_code == 0
    assert ran.report.complete
    assert ran.report.violations == ()
    found = ran.check("import")
    assert (found.status, found.died) == (CheckStatus.FAIL, died)
    assert died in found.message
    assert found.metrics.get("cause") == cause
    assert ran.check("device").status is CheckStatus.SKIP


def test_a_segfault_leaves_a_python_traceback_in_the_output(stage):
    stage.stub("import os, signal\ndef broken_kernel():\n    os.kill(os.getpid(), signal.SIGSEGV)\nbroken_kernel()\n")
    output = stage.run().check("import").output
    assert "Segmentation fault" in output
    assert "broken_kernel" in output


def test_a_hang_is_ended_at_the_deadline_of_the_check_and_says_where_it_hung(stage):
    stage.stub("import time\ndef waits_for_a_sick_driver():\n    time.sleep(1000)\nwaits_for_a_sick_driver()\n")
    ran = stage.run(spec("import", seconds=1.5))
    found = ran.check("import")
    assert (found.status, found.died) == (CheckStatus.FAIL, "deadline of 1.5 s")
    assert "waits_for_a_sick_driver" in found.output
    assert found.metrics["cause"] == "hang"
    assert ran.report.complete


def test_children_of_a_hung_check_do_not_outlive_it(stage):
    stage.stub("import subprocess, time\nprint('child', subprocess.Popen(['sleep', '1000']).pid, flush=True)\ntime.sleep(1000)\n")
    output = stage.run(spec("import", seconds=2)).check("import").output
    wait_until_gone(int(re.search(r"child (\d+)", output).group(1)))


def test_a_child_that_keeps_the_pipes_open_does_not_hide_that_the_worker_died(stage):
    stage.stub("import os, subprocess\nsubprocess.Popen(['sleep', '1000'], close_fds=False)\nos._exit(7)\n")
    assert stage.run().check("import").died == "exit status 7"


def test_the_checks_after_a_crash_run_in_a_new_worker(stage):
    stage.stub(IMPORTABLE + "import os\ndef get_num_threads():\n    os._exit(9)\n")
    ran = stage.run(spec("import"), spec("device"), spec("train_fp32"))
    assert [each["worker"] for each in ran.started("check-start")] == [1, 1, 2]
    assert ran.check("device").died == "exit status 9"
    # The stub has no manual_seed: that this is said proves that the check ran.
    assert "manual_seed" in ran.check("train_fp32").message
    assert ran.check("train_fp32").metrics["raised"] == "AttributeError"
    assert re.fullmatch(r"validator_probe/\S+\.py:\d+", ran.check("train_fp32").metrics["raised_at"])
    assert ran.check("train_fp32").died is None


def test_the_checks_after_one_that_ran_out_of_memory_run_in_a_new_worker(stage):
    stage.stub(IMPORTABLE + "def get_num_threads():\n    raise RuntimeError('CUDA out of memory. Tried to allocate 2 GiB')\n")
    ran = stage.run(spec("import"), spec("device"), spec("train_fp32"))
    assert ran.report.complete
    assert [each["worker"] for each in ran.started("check-start")] == [1, 1, 2]
    assert ran.check("device").died is None


def test_a_check_that_failed_on_a_gpu_is_followed_by_a_new_worker_since_its_error_may_stick(stage):
    stage.stub(IMPORTABLE + "cuda = None\n")
    ran = stage.run(spec("import"), spec("device"), spec("train_fp32"), device="cuda")
    assert ran.report.complete
    assert [each["worker"] for each in ran.started("check-start")] == [1, 1, 2]


def test_a_worker_that_dies_between_checks_costs_the_next_one(stage):
    dies_later = (
        "import os, threading\n"
        "threading.Timer(0.3, os._exit, (5,)).start()\n"
        "def get_num_threads():\n"
        "    threading.Event().wait()\n"
    )
    stage.stub(IMPORTABLE + dies_later)
    ran = stage.run(spec("import"), spec("device"))
    assert ran.check("import").status in (CheckStatus.PASS, CheckStatus.WARN)
    assert ran.check("device").died == "exit status 5"


def test_checks_whose_need_failed_are_skipped_with_the_reason_and_no_new_worker(stage):
    stage.stub("raise ImportError('broken')")
    ran = stage.run(spec("import"), spec("device", "import"), spec("train_fp32", "device"))
    assert ran.check("device").message == "needs import, which failed"
    assert ran.check("train_fp32").message == "needs import, which failed"
    assert {ran.check(name).status for name in ("device", "train_fp32")} == {CheckStatus.SKIP}
    assert len(ran.started("worker-start")) == 1


def test_the_total_deadline_ends_the_running_check_and_skips_the_rest(stage):
    stage.stub("import time; time.sleep(1000)")
    ran = stage.run(spec("import"), spec("device"), total=1.5)
    assert ran.check("import").died == f"{probe_host.TOTAL_DEADLINE} of 1.5 s"
    assert ran.check("device").status is CheckStatus.SKIP
    assert ran.check("device").message == "not run: total deadline reached"
    assert ran.report.complete


def test_a_flood_of_output_neither_blocks_nor_arrives_and_its_end_is_kept(stage):
    stage.stub("for _ in range(400):\n    print('x' * 100_000)\nprint('the last words')\nraise ImportError('after the flood')\n")
    ran = stage.run()
    found = ran.check("import")
    assert "after the flood" in found.message
    assert "the last words" in found.output
    assert len(found.output) <= 4000
    assert len(ran.raw) < 20_000


def test_event_lines_that_torch_prints_never_reach_the_host(stage):
    forged = {"nonce": "0" * 32, "seq": 999, "event": "end", "seconds": 1, "checks": 1}
    stage.stub(f"print({json.dumps(forged)!r}, flush=True)\nimport time; time.sleep(1000)\n")
    ran = stage.run(spec("import", seconds=2))
    assert ran.report.stray == ""
    assert ran.check("import").status is CheckStatus.FAIL


#: A torch that looks for the nonce wherever a process can look into another.
SPY = """
import ctypes, errno, os, sys
libc, parent, found = ctypes.CDLL(None, use_errno=True), os.getppid(), {}

def tried(name, call):
    ctypes.set_errno(0)
    try:
        result = call()
        found[name] = "got in" if result != -1 else errno.errorcode[ctypes.get_errno()]
    except OSError as error:
        found[name] = errno.errorcode[error.errno]

class Span(ctypes.Structure):
    _fields_ = [("base", ctypes.c_void_p), ("length", ctypes.c_size_t)]

word = ctypes.create_string_buffer(8)
mine, theirs = Span(ctypes.addressof(word), 8), Span(id(Span), 8)
for file in ("environ", "mem", "maps", "fd/0", "fd/1"):
    tried(file, lambda: os.close(os.open("/proc/%d/%s" % (parent, file), os.O_RDONLY)))
tried("readv", lambda: libc.process_vm_readv(parent, ctypes.byref(mine), 1, ctypes.byref(theirs), 1, 0))
tried("ptrace", lambda: libc.ptrace(16, parent, 0, 0))
print("looked", sorted(found.items()))
print("command line", [part.decode() for part in open("/proc/%d/cmdline" % parent, "rb").read().split(b"\\0")])
print("own", [name for name in os.environ if name.startswith("VALIDATOR_")])
print("stdin", os.readlink("/proc/self/fd/0"))
opened = ["/proc/self/fd/" + fd for fd in os.listdir("/proc/self/fd") if int(fd) > 2]
print("open", [os.readlink(path).split(":")[0] for path in opened if os.path.lexists(path)])
raise ImportError
"""


def as_in_a_container():
    """Before a command: what takes root's capabilities away, as the docker runner does."""
    if os.geteuid() != 0:
        return ()
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        pytest.skip("setpriv is needed to be a root without capabilities")
    return (setpriv, "--bounding-set", "-all", "--inh-caps", "-all", "--")


def test_the_nonce_is_out_of_reach_of_the_environment_under_test(stage):
    stage.stub(SPY)
    output = stage.run(within=as_in_a_container()).check("import").output
    looked = ast.literal_eval(re.search(r"looked (.*)", output).group(1))
    assert {what for _, what in looked} <= {"EPERM", "EACCES"}, looked
    assert len(looked) == 7
    command_line = ast.literal_eval(re.search(r"command line (.*)", output).group(1))
    assert command_line[-4] == "supervisor"
    assert "own []" in output
    assert "stdin /dev/null" in output
    opened = ast.literal_eval(re.search(r"open (.*)", output).group(1))
    assert opened.count("socket") == 1  # its orders
    assert "pipe" not in opened


def test_what_starts_the_probe_does_not_learn_the_nonce_by_reading(stage):
    plan = stage.plan()
    told = [*probe_host.command(sys.executable), *probe_host.environment(plan).values()]
    assert not any(plan.nonce in text for text in told)


# ---------------------------------------------------------------- what it hears over stdin


def lines_of(process, stream):
    for line in process.stdout:
        yield from stream.feed(line)


def tell(process, line):
    process.stdin.write(line)
    process.stdin.flush()


def test_the_nonce_is_asked_for_once_and_whatever_else_is_said_is_passed_over(stage):
    stage.stub(IMPORTABLE)
    plan = stage.plan()
    process = stage.start(plan, nonce=False)
    assert [process.stdout.readline() for _ in range(2)] == [b"\n", probe_host.READY + b"\n"]
    other = [b"\n", b"junk\n", b"[]\n", b'{"nonce": 5}\n', b'{"nonce": "short"}\n', b"x" * 20_000 + b"\n", b"[" * 9000 + b"\n"]
    tell(process, b"".join(other) + probe_host.answer("turn", "import"))
    answer = probe_host.answer("nonce", plan.nonce)
    tell(process, answer[:9])
    time.sleep(0.2)
    tell(process, answer[9:])
    out, _ = process.communicate(timeout=60)
    stream = EventStream(plan)
    stream.feed(out)
    assert stream.close().complete


@pytest.mark.parametrize("closed", [True, False])
def test_a_probe_that_is_not_answered_says_so_and_ends(stage, closed, monkeypatch):
    if not closed:
        host = zipped_source("host.py").replace("ANSWER_SECONDS = 20.0", "ANSWER_SECONDS = 0.3")
        monkeypatch.setattr(probe_host.probe_plan, "pack", lambda model: probe_with({"validator_probe/host.py": host}))
    process = stage.start(stage.plan(), nonce=False)
    if closed:
        process.stdin.close()
        process.stdin = None
    else:
        tell(process, b"hello\n")
    out, err = (process.stdout.read(), process.stderr.read())
    assert process.wait(30) == 1
    assert out == b"\n" + probe_host.READY + b"\n"
    assert err.startswith(b"validator probe: no answer came from outside on standard input")
    assert len(err.splitlines()) == 1
    assert list(stage.scratch.iterdir()) == []
    for pipe in (process.stdin, process.stdout, process.stderr):
        if pipe is not None:
            pipe.close()


def zipped_source(name):
    return zipfile.ZipFile(io.BytesIO(probe_host.pack())).read(f"validator_probe/{name}").decode()


def probe_with(changed):
    """The packed probe with some of its files replaced."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(probe_host.pack())) as whole, zipfile.ZipFile(buffer, "w") as archive:
        for name in whole.namelist():
            archive.writestr(name, changed.get(name, whole.read(name)))
    return buffer.getvalue()


def test_a_probe_without_a_stdin_at_all_says_that_it_is_not_answered(stage):
    plan = stage.plan()
    shut = ["sh", "-c", 'exec "$@" <&-', "sh"]
    process = stage.start(plan, nonce=False, within=shut)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 1
    assert err.startswith(b"validator probe: no answer came from outside")


def test_where_nobody_listens_the_nonce_of_the_plan_is_used(stage):
    stage.stub(IMPORTABLE)
    plan = replace(stage.plan(), listens=False)
    ran = stage.run(plan=plan)
    assert ran.report.complete
    assert ran.events[0]["event"] == "start"
    assert probe_host.READY not in ran.raw


ALONE = replace(spec("device", seconds=2.0), alone=True)


def test_a_check_that_runs_alone_waits_until_it_is_told_and_loses_no_time(stage):
    stage.stub(IMPORTABLE + "def get_num_threads(): return 1\n")
    plan = replace(stage.plan(spec("import"), ALONE, total=20.0), turns=True)
    process = stage.start(plan)
    stream = EventStream(plan)
    seen = []
    for event in lines_of(process, stream):
        seen.append(event["event"])
        if event["event"] == "turn":
            tell(process, probe_host.answer("turn", "import") + probe_host.answer("nonce", plan.nonce))
            time.sleep(3)  # more than the check may take
            assert not select.select([process.stdout], [], [], 0)[0]
            tell(process, probe_host.answer("turn", "device"))
        if event["event"] == "end":
            assert event["seconds"] < 20
    process.communicate(timeout=60)
    report = stream.close()
    assert report.complete
    assert seen.count("turn") == 1
    assert report.checks[1].died is None
    assert seen[seen.index("turn") + 1] == "check-start"


def test_a_host_that_can_say_nothing_any_more_keeps_nobody_waiting(stage):
    stage.stub(IMPORTABLE)
    plan = replace(stage.plan(spec("import"), ALONE), turns=True)
    process = stage.start(plan)
    out, _ = process.communicate(timeout=60)  # closes stdin at once
    stream = EventStream(plan)
    stream.feed(out)
    assert stream.close().complete


def test_a_supervisor_that_waits_for_its_turn_can_be_ended(stage):
    stage.stub(IMPORTABLE)
    plan = replace(stage.plan(spec("import"), ALONE), turns=True)
    process = stage.start(plan)
    for event in lines_of(process, EventStream(plan)):
        pid = event.get("pid", 0) or locals().get("pid", 0)
        if event["event"] == "turn":
            break
    process.terminate()
    process.communicate(timeout=30)
    assert process.returncode == 128 + signal.SIGTERM
    wait_until_gone(pid)
    assert list(stage.scratch.iterdir()) == []


@pytest.mark.parametrize(
    "junk",
    [
        b"not json\n",
        b"\xff\xfe\x00\n",
        b"[1, 2]\n",
        b'{"check": "device", "status": "pass", "message": "", "seconds": 0.1, "metrics": {}}\n',
        b'{"check": "import", "status": "green", "message": "", "seconds": 0.1, "metrics": {}}\n',
        b'{"check": "import", "status": "pass"}\n',
        b'{"check": "import", "status": "pass", "message": "", "seconds": NaN, "metrics": {}}\n',
        b'{"check": "import", "status": "pass", "message": "", "seconds": 0.1, "metrics": {"m": [[1]]}}\n',
        b"x" * 200_000 + b"\n",
        b"[" * 50_000 + b"\n",
    ],
    ids=["text", "bytes", "list", "other-check", "unknown-status", "fields-missing", "nan", "nested", "overlong", "deep"],
)
def test_lines_written_to_the_workers_private_socket_are_ignored_unless_they_are_a_reply(stage, junk):
    stage.stub(
        f"import socket, sys\njunk = {junk[:1]!r} * {len(junk) - 1} + b'\\n'\n"
        if len(set(junk)) == 2
        else f"import socket, sys\njunk = {junk!r}\n"
    )
    with (stage.site / "torch/__init__.py").open("a", encoding="utf-8") as file:
        file.write("import os\nwhile junk:\n    junk = junk[os.write(int(sys.argv[2]), junk):]\nraise ImportError('the truth')\n")
    ran = stage.run()
    assert ran.check("import").status is CheckStatus.FAIL
    assert "the truth" in ran.check("import").message


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (
            "raise ImportError('libcudart.so.11.0: cannot open shared object file: No such file or directory')",
            "a shared library that torch needs is missing: ImportError: libcudart.so.11.0",
        ),
        (
            "raise OSError('libcublas.so.11: cannot open shared object file: No such file or directory')",
            "a shared library that torch needs is missing: OSError: libcublas.so.11",
        ),
        (
            "raise ImportError('\\n\\nundefined symbol: iJIT\\nmore')",
            "import torch failed: ImportError: undefined symbol: iJIT",
        ),
        ("import no_such_part", "import torch failed: ModuleNotFoundError: No module named 'no_such_part'"),
        ("raise RuntimeError('first line\\nsecond')", "RuntimeError: first line"),
        ("x = 1", "is not PyTorch"),
    ],
)
def test_a_torch_that_cannot_be_imported_fails_with_the_reason(stage, source, message):
    stage.stub(source)
    found = stage.run().check("import")
    assert found.status is CheckStatus.FAIL
    assert message in found.message


def test_what_torch_raises_is_told_from_what_the_probe_raises_by_its_place(stage):
    stage.stub(IMPORTABLE)
    stage.stub("def get_num_threads():\n    raise RuntimeError('sick')\n", name="torch/sick.py")
    with (stage.site / "torch/__init__.py").open("a", encoding="utf-8") as file:
        file.write("from torch.sick import get_num_threads\n")
    metrics = stage.run(spec("device")).check("device").metrics
    assert metrics == {"raised": "RuntimeError", "raised_at": "site/torch/sick.py:2"}


def test_a_folder_named_torch_is_told_from_torch_and_its_path_given(stage):
    (stage.site / "torch").mkdir()
    found = stage.run().check("import")
    assert found.status is CheckStatus.FAIL
    assert str(stage.site / "torch") in found.message


def test_an_importable_torch_without_numpy_bridge_is_a_warning_that_says_so(stage):
    stage.stub(IMPORTABLE)
    stage.stub("raise ModuleNotFoundError(\"No module named 'numpy'\", name='numpy')", name="numpy/__init__.py")
    found = stage.run().check("import")
    assert found.status is CheckStatus.WARN
    assert "numpy is not installed" in found.message
    assert found.metrics["torch_version"] == "0.0.stub"
    assert found.metrics["numpy_bridge"] is False


def test_a_numpy_that_torch_was_not_built_for_is_named_with_both_versions(stage):
    stage.stub(IMPORTABLE + "def from_numpy(array):\n    raise RuntimeError('Numpy is not available')\n")
    stage.stub("__version__ = '2.1.3'\ndef arange(*_, **__):\n    return []\n", name="numpy/__init__.py")
    found = stage.run().check("import")
    assert found.status is CheckStatus.WARN
    assert "torch 0.0.stub and numpy 2.1.3 do not work together (RuntimeError: Numpy is not available)" in found.message
    assert "needs numpy<2" in found.message


def test_the_worker_runs_as_the_image_would_and_writes_only_into_scratch(stage):
    stage.stub("print('sitecustomize ran')", name="sitecustomize.py")
    stage.stub(
        "import os, sys\n"
        "print('flags', sys.flags.isolated, sys.flags.no_site, 'cwd', os.getcwd())\n"
        "print(dict(os.environ))\n"
        "raise ImportError\n"
    )
    output = stage.run().check("import").output
    assert "sitecustomize ran" in output
    assert "flags 0 0" in output
    assert f"cwd {stage.folder}" in output
    caches = ("XDG_CACHE_HOME", "TRITON_CACHE_DIR", "TORCHINDUCTOR_CACHE_DIR", "CUDA_CACHE_PATH", "PYTORCH_KERNEL_CACHE_PATH")
    for name in ("HOME", "TMPDIR", *caches):
        assert f"'{name}': '{stage.scratch}/" in output
    assert f"'PYTHONUSERBASE': '{stage.folder / '.local'}'" in output
    assert not list(stage.folder.rglob("__pycache__"))


def test_the_variables_that_bend_results_are_reported_and_secrets_masked(stage):
    stage.stub(IMPORTABLE)
    ran = stage.run(CUDA_VISIBLE_DEVICES="0", NVIDIA_API_KEY="hunter2", TORCH_LOGS="x" * 3000, UNRELATED="1")
    facts = ran.report.facts
    assert facts["env.CUDA_VISIBLE_DEVICES"] == "0"
    assert facts["env.NVIDIA_API_KEY"] == "***"
    assert facts["env.TORCH_LOGS"] == "x" * 500
    assert facts["env.PYTHONPATH"] == str(stage.site)
    assert "env.UNRELATED" not in facts
    assert b"hunter2" not in ran.raw
    assert facts["python"] == ".".join(map(str, sys.version_info[:3]))


def test_an_entrypoint_that_prints_without_ending_its_line_does_not_swallow_the_start(stage):
    stage.stub(IMPORTABLE)
    plan = stage.plan()
    process = stage.start(plan)
    out, _ = process.communicate(timeout=60)
    stream = EventStream(plan)
    stream.feed(b"welcome to this image" + out)
    report = stream.close()
    assert report.complete
    assert report.stray == "welcome to this image"


def start_and_wait_for_the_check(stage):
    stage.stub("import time; time.sleep(1000)")
    plan = stage.plan()
    process = stage.start(plan)
    stream = EventStream(plan)
    pid = None
    for line in process.stdout:
        for event in stream.feed(line):
            pid = event.get("pid", pid)
            if event["event"] == "check-start":
                return process, stream, pid
    raise AssertionError("the check never started")


def test_a_terminated_supervisor_ends_its_worker_says_no_end_and_leaves_nothing(stage):
    process, stream, pid = start_and_wait_for_the_check(stage)
    process.terminate()
    out, err = process.communicate(timeout=30)
    stream.feed(out)
    assert process.returncode == 128 + signal.SIGTERM
    assert err == b""
    assert not stream.close().complete
    wait_until_gone(pid)
    assert list(stage.scratch.iterdir()) == []


def test_a_killed_supervisor_takes_its_worker_with_it(stage):
    process, _, pid = start_and_wait_for_the_check(stage)
    process.kill()
    process.communicate(timeout=30)
    wait_until_gone(pid)


def test_a_host_that_stops_listening_ends_the_probe_quietly(stage):
    stage.stub("import time; time.sleep(3)")
    process = stage.start(stage.plan())
    process.stdout.readline()
    process.stdout.close()
    with contextlib.closing(process.stderr):
        assert process.stderr.read() == b""
    assert process.wait(30) == 1


def test_nothing_is_left_in_scratch_after_a_normal_end(stage):
    stage.stub(IMPORTABLE)
    stage.run()
    assert list(stage.scratch.iterdir()) == []


@pytest.mark.parametrize(
    "variables",
    [
        {"VALIDATOR_PROBE_ZIP_0": "%%%"},
        {"VALIDATOR_PROBE_PARTS": "99"},
        {"VALIDATOR_PROBE_PARTS": ""},
        {"VALIDATOR_PROBE_PLAN": "{"},
    ],
)
def test_a_bootstrap_whose_variables_were_changed_says_so(stage, variables):
    ran = stage.run(**variables)
    assert ran.exit_code != 0
    assert not ran.report.started
    assert ran.stderr.startswith("validator probe: the environment did not pass the probe on unchanged")
    assert len(ran.stderr.splitlines()) == 1


def test_a_bootstrap_that_cannot_write_says_so(stage):
    stage.scratch.rmdir()
    ran = stage.run()
    assert ran.exit_code != 0
    assert ran.stderr.startswith("validator probe: cannot start, a writable folder and a runnable interpreter are needed")
    assert len(ran.stderr.splitlines()) == 1


@pytest.mark.parametrize("python", interpreters())
def test_every_python_since_36_runs_the_probe_without_torch(stage, python):
    if python is None:
        pytest.skip("this Python is not installed here")
    ran = stage.run(spec("import"), spec("device", "import"), python=python)
    assert ran.exit_code == 0, ran.stderr
    assert ran.report.complete
    assert "no module named torch" in ran.check("import").message
    assert ran.check("device").status is CheckStatus.SKIP
