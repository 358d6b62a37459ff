"""Forked children of a check: every way to end is told, and none is left behind."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from validator.probe import children


def raises():
    raise ValueError("no such thing\nmore")


def dies():
    os.kill(os.getpid(), 9)


def leaves():
    os._exit(3)


@pytest.mark.parametrize(
    ("work", "answer"),
    [
        (lambda: 6 * 7, ("42", "returned")),
        (raises, ("ValueError: no such thing", "raised")),
        (dies, ("", "died: signal 9")),
        (leaves, ("", "died: exit status 3")),
        (lambda: sys.exit("enough"), ("SystemExit: enough", "raised")),
        ([sys.executable, "-c", "print('a line of its own'); print('=seven', end='')"], ("seven", "returned")),
        ([sys.executable, "-c", "raise SystemExit(2)"], ("", "died: exit status 2")),
        (["/nonexistent/program"], ("FileNotFoundError: [Errno 2] No such file or directory", "raised")),
    ],
    ids=["value", "exception", "signal", "exit", "sys.exit", "program", "program that fails", "no program"],
)
def test_how_a_child_ended_is_told(work, answer):
    assert tuple(children.run([work], 20.0)[0]) == answer


def test_children_run_side_by_side_and_are_told_in_order():
    # Each waits for what the other one writes, so one after the other would never end.
    (first, to_first), (second, to_second) = os.pipe(), os.pipe()

    def meet(own, other, name):
        os.write(other, b"x")
        os.read(own, 1)
        return name

    answers = children.run([lambda: meet(first, to_second, "a"), lambda: meet(second, to_first, "b")], 20.0)
    assert [answer.text for answer in answers] == ["a", "b"]


#: In a process of its own: this one may have other children (what the suite's fixtures started).
HANGS = """\
import os, sys, time
from validator.probe import children
work = {"function": lambda: time.sleep(600), "program": [sys.executable, "-c", "import time; time.sleep(600)"]}[sys.argv[1]]
print(children.run([work], 0.5)[0].status)
try:
    os.waitpid(-1, os.WNOHANG)
except ChildProcessError:
    print("none left")
"""


@pytest.mark.parametrize("work", ["function", "program"])
def test_a_child_that_hangs_is_killed_and_waited_for(work):
    variables = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])}
    done = subprocess.run([sys.executable, "-c", HANGS, work], env=variables, capture_output=True, text=True, check=True)
    assert done.stdout.split("\n") == ["hung", "none left", ""]


def test_what_the_parent_had_not_printed_yet_is_printed_once(tmp_path):
    script = tmp_path / "twice.py"
    script.write_text(
        "import sys\n"
        "from validator.probe import children\n"
        "sys.stdout.write('once ')\n"
        "children.run([lambda: 1, lambda: 2], 20.0)\n"
    )
    variables = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])}
    done = subprocess.run([sys.executable, str(script)], env=variables, capture_output=True, check=True)
    assert done.stdout == b"once "
