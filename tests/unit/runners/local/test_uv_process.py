"""One run of uv: what it is given, what is handed on of its words, how it is ended, and what is said of a failure.

uv's place is taken by a shell script, so that it says and does what a test wants.
"""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from watching import alive, until

from validator.base.errors import AcquireError, InterruptedRunError
from validator.base.stopping import Stop
from validator.runners.local import uv_process
from validator.runners.local.uv_process import run_uv


@pytest.fixture
def script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where a test puts its uv."""
    path = tmp_path / "uv"
    monkeypatch.setattr("uv.find_uv_bin", lambda: str(path))
    return path


def run(script: Path, body: str, *, seconds: float = 60, variables: dict[str, str] | None = None, **more: Any) -> list[str]:
    """The lines handed on."""
    script.write_text(f"#!/bin/sh\n{body}\n", encoding="utf-8")
    script.chmod(0o755)
    lines: list[str] = []
    run_uv(("venv", "x"), variables or {}, what="mine", on_line=lines.append, deadline=time.monotonic() + seconds, **more)
    return lines


def failed(script: Path, body: str, *, seconds: float = 60) -> AcquireError:
    with pytest.raises(AcquireError) as caught:
        run(script, body, seconds=seconds)
    return caught.value


def test_uv_is_told_to_read_no_configuration_and_to_draw_nothing(script: Path) -> None:
    assert run(script, 'echo "$@"') == ["venv x --no-config --color=never --no-progress"]


def test_both_outputs_are_handed_on_line_by_line_without_passwords_and_blanks(script: Path) -> None:
    assert run(script, "echo one; echo; echo 'from https://ci:s3cret@mirror' >&2") == ["one", "from https://***@mirror"]


def test_a_line_is_bounded(script: Path) -> None:
    (line,) = run(script, "head -c 2000 /dev/zero | tr '\\0' x")
    assert line == "x" * 499 + "…"


def test_what_the_person_set_for_uv_does_not_change_what_is_made(script: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("UV_INDEX_URL", "UV_DEFAULT_INDEX", "UV_PROJECT_ENVIRONMENT", "UV_RESOLUTION", "VIRTUAL_ENV", "CONDA_PREFIX"):
        monkeypatch.setenv(name, "theirs")
    monkeypatch.setenv("UV_CACHE_DIR", "kept")
    monkeypatch.setenv("MY_VIRTUAL_ENV", "kept")
    lines = run(script, "env", variables={"UV_DEFAULT_INDEX": "ours"})
    assert "theirs" not in "".join(lines)
    assert {"UV_CACHE_DIR=kept", "MY_VIRTUAL_ENV=kept", "UV_DEFAULT_INDEX=ours"} <= set(lines)


# ---------------------------------------------------------------- in time


def test_past_the_deadline_uv_and_what_it_started_are_ended(script: Path, tmp_path: Path) -> None:
    error = failed(script, f"echo one; echo two; echo three; echo four; sleep 300 & echo $! > {tmp_path}/pid; wait", seconds=1)
    assert error.what == "making the virtual environment of mine took too long and was stopped"
    assert error.why.splitlines() == ["uv's last lines:", "    two", "    three", "    four"]
    assert until(lambda: not alive(int((tmp_path / "pid").read_text())))


def test_a_silent_uv_that_is_stopped_is_said_to_have_been_silent(script: Path) -> None:
    assert failed(script, "sleep 300", seconds=0.5).why == "uv said nothing"


def test_a_uv_that_closes_its_output_and_goes_on_is_ended_at_the_deadline(script: Path) -> None:
    assert "took too long" in failed(script, "exec >&- 2>&-; sleep 300", seconds=1).what


@pytest.mark.timeout(60)
def test_a_tool_that_keeps_the_output_open_does_not_keep_uv(script: Path, tmp_path: Path) -> None:
    assert run(script, f"setsid sleep 300 & echo $! > {tmp_path}/pid; echo done", seconds=120) == ["done"]
    assert not alive(int((tmp_path / "pid").read_text()))


@pytest.mark.timeout(60)
@pytest.mark.parametrize("body", ["setsid sleep 300 & echo $! > PID; wait", "exec >&- 2>&-; sleep 300 & echo $! > PID; wait"])
def test_a_run_that_is_to_end_ends_uv_and_what_it_started_and_says_so(script: Path, tmp_path: Path, body: str) -> None:
    stop, pid = Stop(), tmp_path / "pid"

    def ask() -> None:
        while not (pid.exists() and pid.read_text()):
            time.sleep(0.02)
        stop.ask(3600)  # what is being made is not waited for, whatever the grace is for cells

    threading.Thread(target=ask, daemon=True).start()
    with pytest.raises(InterruptedRunError, match="making the virtual environment of mine was given up"):
        run(script, body.replace("PID", str(pid)), stop=stop)
    assert not alive(int(pid.read_text()))


def test_uv_carries_the_mark_of_its_run(script: Path) -> None:
    lines = run(script, "env", run_id="run-7")
    assert {"VALIDATOR_RUN=run-7", "VALIDATOR_CELL=uv mine"} <= set(lines)


# ---------------------------------------------------------------- failures


def test_a_uv_that_succeeds_says_nothing_more_whatever_it_wrote(script: Path) -> None:
    assert run(script, "echo 'error: nothing really'") == ["error: nothing really"]


def test_a_failure_is_quoted_from_its_error_on(script: Path) -> None:
    error = failed(script, "echo 'Resolved 3 packages'; echo 'error: No solution found'; echo '  because'; exit 2")
    assert error.what == "the virtual environment of mine could not be made (uv ended with 2)"
    assert error.why.splitlines() == ["error: No solution found", "    because"]


def test_a_failure_without_the_word_is_quoted_by_its_last_lines(script: Path) -> None:
    lines = failed(script, "for n in $(seq 60); do echo line $n; done; exit 1").why.splitlines()
    assert [line.strip() for line in lines] == [f"line {number}" for number in range(49, 61)]


def test_a_failure_that_says_much_is_quoted_by_its_end(script: Path) -> None:
    lines = failed(script, "echo error: one; for n in $(seq 20); do echo line $n; done; exit 1").why.splitlines()
    assert len(lines) == 12
    assert lines[-1].strip() == "line 20"


def test_a_failure_without_words_says_so(script: Path) -> None:
    error = failed(script, "exit 9")
    assert (error.why, "run again" in error.hint) == ("uv said nothing", True)


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        ("error: No interpreter found for Python 3.99", "no-python"),
        ("error: No download found for request", "no-python"),
        ("error: torch==2.7.1 has no wheels with a matching Python version tag", "tag"),
        ("error: Requires-Python >=3.10", "tag"),
        ("error: failed to write: No space left on device (os error 28)", "disk"),
        ("error: there is no version of torch==9.9", "version"),
        ("error: No solution found when resolving dependencies", "version"),
        ("error: invalid peer certificate: UnknownIssuer", "tls"),
        ("error: Failed to fetch: https://x\ndns error", "network"),
        ("error: connection timed out", "network"),
        ("error: HTTP status client error (401)", "credentials"),
        ("error: 403 Forbidden", "credentials"),
        ("error: permission denied: /x", "permission"),
        ("error: Failed to fetch: `https://x`\nHTTP status server error (503 Service Unavailable) for url (https://x)", "busy"),
        ("error: Failed to fetch: `https://x`\nHTTP status client error (429 Too Many Requests) for url (https://x)", "busy"),
    ],
)
def test_a_failure_says_what_to_do_and_whether_it_may_be_gone_in_a_moment(script: Path, said: str, kind: str) -> None:
    error = failed(script, f"cat <<'END'\n{said}\nEND\nexit 1")
    assert error.hint == uv_process._ADVICE[kind]
    assert error.transient == (kind in ("busy", "network"))


def test_words_that_nobody_knows_give_the_plain_advice(script: Path) -> None:
    assert failed(script, "echo 'error: something new'; exit 1").hint.startswith("run again with the same matrix")


def test_a_uv_that_cannot_be_started_is_told(script: Path) -> None:
    script.write_text("not a program")  # and not executable
    with pytest.raises(AcquireError, match="uv cannot be started to make mine"):
        run_uv((), {}, what="mine", on_line=print, deadline=time.monotonic() + 60)


def test_a_uv_without_its_program_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing() -> str:
        raise FileNotFoundError(os.strerror(2))

    monkeypatch.setattr("uv.find_uv_bin", missing)
    with pytest.raises(AcquireError, match="uv's program is missing"):
        run_uv((), {}, what="mine", on_line=print, deadline=time.monotonic() + 60)
