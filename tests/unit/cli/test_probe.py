"""``validator probe``: the result as an object for programs, and an exit code that says what it is."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from values import T4

from validator.base.errors import InvalidInputError
from validator.catalogue.checks import registry
from validator.cli import cli
from validator.model import Gpu, NvmlInfo, UserModel
from validator.probe_host import ProbePlan


def probe(*options: str) -> Result:
    return CliRunner().invoke(cli, ["-q", "probe", *options])


def test_json_is_one_object_with_every_check() -> None:
    # The interpreter of the tests has no torch, on purpose: the host side never needs it.
    done = probe("--device", "cpu", "--format", "json")
    document = json.loads(done.stdout)
    assert document["status"] == "fail"
    assert next(check["name"] for check in document["checks"]) == "import"
    assert done.exit_code == 1


def test_an_interpreter_that_is_not_there_is_named() -> None:
    argv = [sys.executable, "-m", "validator", "probe", "--python", "/nowhere/python3"]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 3
    assert done.stderr.startswith("error: '/nowhere/python3' is not a program that can be run here\n")
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--checks", "trian_*"], ["no check matches 'trian_*'", "the checks here are import, "]),
        (["--model", "a:b", "--input", "3", "--device", "none"], ["--model with --device none"]),
        (["--checks", "model"], ["no check matches 'model'", "needs --model"]),
        (["--model", "net.py:build"], ["--model needs --input"]),
        (["--input", "3x8x8", "--batch", "2"], ["--input, --batch without --model"]),
        (["--model", "/nowhere/net.py:build", "--input", "3x8x8"], ["/nowhere/net.py' cannot be read: No such file"]),
        (["--model", "net.py", "--input", "3x8x8"], ["'net.py' is not path.py:factory or module:factory"]),
        (["--model", "a:b", "--input", "3x8", "--amp-dtype", "fp16"], ["'fp16' is not float16 or bfloat16"]),
    ],
)
def test_what_cannot_be_asked_is_answered_in_one_sentence(options: list[str], said: list[str]) -> None:
    done = probe(*options)
    assert isinstance(done.exception, InvalidInputError)
    for words in said:
        assert words in str(done.exception)


#: A torch that starts a process in a session of its own, without its environment, and never returns.
NEVER_ENDS = """
import os, subprocess, sys, time
quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "start_new_session": True, "env": {}}
child = subprocess.Popen([sys.executable, "-S", "-c", "import time; time.sleep(300)"], **quiet)
with open(os.environ["PIDS"] + ".partial", "w") as file:
    print(os.getppid(), os.getpid(), child.pid, file=file)
os.rename(os.environ["PIDS"] + ".partial", os.environ["PIDS"])
time.sleep(300)
"""


@pytest.mark.timeout(90)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_nothing_is_left_of_a_probe_that_is_ended_from_outside(number: int, tmp_path: Path) -> None:
    pids, scratch = tmp_path / "pids", tmp_path / "scratch"
    scratch.mkdir()
    (tmp_path / "torch.py").write_text(NEVER_ENDS)
    environment = {**os.environ, "PYTHONPATH": f"{tmp_path}:{os.getcwd()}", "PIDS": str(pids), "TMPDIR": str(scratch)}
    argv = [sys.executable, "-m", "validator", "-q", "probe", "--device", "cpu"]
    process = subprocess.Popen(argv, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    end = time.monotonic() + 40
    while not pids.exists():
        assert time.monotonic() < end, process.communicate(timeout=10)
        time.sleep(0.05)
    process.send_signal(number)
    process.communicate(timeout=40)
    left = [Path("/proc", pid) for pid in pids.read_text().split()]
    while any(map(Path.exists, left)):
        assert time.monotonic() < end, left
        time.sleep(0.05)
    assert list(scratch.iterdir()) == []


def test_only_the_checks_asked_for_run_and_what_they_need() -> None:
    done = probe("--device", "cpu", "--format", "json", "--checks", "train_amp_fp16,bf16")
    names = [check["name"] for check in json.loads(done.stdout)["checks"]]
    assert names == ["import", "device", "train_fp32", "train_amp_fp16", "bf16"]


def test_quick_is_import_device_and_training() -> None:
    names = {check["name"] for check in json.loads(probe("--device", "cpu", "--format", "json", "--quick").stdout)["checks"]}
    assert names == {"import", "device", "train_fp32", "train_amp_fp16", "train_amp_bf16"}


def test_the_checks_are_listed_with_their_levels() -> None:
    done = probe("--list")
    assert done.exit_code == 0
    assert [line.split()[0] for line in done.stdout.splitlines()] == list(registry())
    assert done.stdout.splitlines()[0] == "import           required  needs nothing"
    train = next(line for line in done.stdout.splitlines() if line.startswith("train_fp32"))
    assert train.split() == ["train_fp32", "required", "needs", "device"]


# ---------------------------------------------------------------- what is asked of the probe


class Asked(Exception):
    """Ends the command where the probe would be started, with what it would be asked."""

    def __init__(self, python: str, plan: ProbePlan, gpu: Gpu | None, cell_id: str) -> None:
        super().__init__()
        self.python, self.plan, self.gpu, self.cell_id = python, plan, gpu, cell_id


@pytest.fixture(name="gpus", autouse=True)
def gpus_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> list[Gpu]:
    found: list[Gpu] = []
    monkeypatch.setattr("validator.host.nvml.query", lambda *_: NvmlInfo("580", gpus=tuple(found)))
    return found


@pytest.fixture(name="asked")
def asked_of_the_probe(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Asked]:
    def request_for(python: str, plan: ProbePlan, gpus: Sequence[Gpu], *, cell_id: str) -> None:
        raise Asked(python, plan, next(iter(gpus), None), cell_id)

    monkeypatch.setattr("validator.runners.local.runner.request_for", request_for)

    def asked(*options: str) -> Asked:
        done = probe(*options)
        assert isinstance(done.exception, Asked)
        return done.exception

    return asked


BROKEN = Gpu(0, "GPU-0", "Tesla T4", problem="it is lost")
NAMELESS = Gpu(0, None, "Tesla T4")


@pytest.mark.parametrize(
    ("device", "here", "becomes", "gpu"),
    [
        ("auto", [T4], "cuda", T4),
        ("auto", [], "cpu", None),
        ("auto", [BROKEN, NAMELESS, T4], "cuda", T4),
        ("auto", [BROKEN, NAMELESS], "cpu", None),
        ("cuda", [T4], "cuda", T4),
        ("cuda", [], "cuda", None),
        ("cpu", [T4], "cpu", None),
        ("none", [T4], "none", None),
    ],
)
def test_the_device_is_the_first_gpu_that_can_be_used_unless_another_is_asked_for(
    device: str, here: list[Gpu], becomes: str, gpu: Gpu | None, gpus: list[Gpu], asked: Callable[..., Asked]
) -> None:
    gpus.extend(here)
    found = asked("--device", device)
    assert (found.plan.device, found.plan.host_gpu, found.gpu) == (becomes, gpu, gpu)


def test_the_probe_is_asked_what_the_options_say(asked: Callable[..., Asked]) -> None:
    found = asked()
    assert (found.python, found.cell_id) == (sys.executable, "python@host")
    assert (found.plan.deadline_seconds, found.plan.quick, found.plan.model) == (600.0, False, None)
    assert len(found.plan.nonce) > 8
    assert found.plan.nonce != asked().plan.nonce
    found = asked("--quick", "--timeout", "30")
    assert (found.plan.deadline_seconds, found.plan.quick) == (30.0, True)


MODEL = ("--model", "net:build", "--input", "3x8")
QUICK = ["import", "device", "train_fp32", "train_amp_fp16", "train_amp_bf16"]
OPENED = [name for name, spec in registry().items() if spec.inspect]


@pytest.mark.parametrize(
    ("options", "names"),
    [
        ([], [name for name, spec in registry().items() if not spec.model]),
        (MODEL, list(registry())),
        (["--checks", " sdpa , "], ["import", "device", "sdpa"]),
        (["--checks", ""], [name for name, spec in registry().items() if not spec.model]),
        (["--quick"], QUICK),
        (["--quick", *MODEL], [*QUICK, "model"]),
        (["--quick", "--checks", "sdpa"], ["import", "device", "sdpa"]),
        (["--device", "none"], OPENED),
        (["--device", "none", "--quick"], ["import"]),
    ],
)
def test_the_checks_are_those_asked_for_with_what_they_need(
    options: Sequence[str], names: list[str], asked: Callable[..., Asked]
) -> None:
    assert sorted(spec.name for spec in asked(*options).plan.checks) == sorted(names)


def test_a_model_of_ones_own_travels_with_what_is_said_of_it(asked: Callable[..., Asked], tmp_path: Path) -> None:
    file = tmp_path / "net.py"
    file.write_text("def build(): ...\n", encoding="utf-8")
    more = ("--dtype", "long:1000", "--loss", "mean", "--batch", "4", "--amp-dtype", "bfloat16")
    of_file = asked("--model", f"{file}:build", "--input", "3x8", *more).plan.model
    assert isinstance(of_file, UserModel)
    assert of_file.folder == str(tmp_path)
    assert (of_file.factory, of_file.input, of_file.dtype, of_file.loss) == ("build", "3x8", "long:1000", "mean")
    assert (of_file.batch, of_file.amp) == ("4", "bfloat16")
    of_module = asked(*MODEL).plan.model
    assert isinstance(of_module, UserModel)
    assert (of_module.factory, of_module.folder) == ("build", None)


@pytest.mark.parametrize(("device", "basis"), [("none", "inspected"), ("cpu", "measured")])
def test_what_is_only_opened_is_no_measurement_and_a_failure_has_its_cause(device: str, basis: str) -> None:
    document = json.loads(probe("--device", device, "--checks", "import", "--format", "json").stdout)
    assert (document["status"], document["basis"]) == ("fail", basis)
    assert [finding["cause"] for finding in document["findings"]] == ["python_module_missing"]


def test_what_goes_on_is_noted() -> None:
    done = CliRunner().invoke(cli, ["probe", "--device", "none"])
    assert done.stderr == "check import\n"  # of all events of the probe this one alone


def test_only_the_interpreter_of_the_validator_is_told_of_the_option(tmp_path: Path) -> None:
    another = tmp_path / "python"
    another.symlink_to(sys.executable)
    assert "--python PATH names the one" in probe("--device", "none").stdout
    assert "--python PATH names the one" not in probe("--device", "none", "--python", str(another)).stdout
