"""Forked children of a check: each gives one small answer, under a deadline, and none is left behind."""

import os
import select
import signal
import sys
import time
import traceback
from typing import Any, Callable, List, NamedTuple, Optional

from .context import headline

_ANSWER_BYTES = 4096
_POLL_SECONDS = 0.02


class Answer(NamedTuple):
    """How a child ended."""

    text: str
    """What it returned; for one that raised, the exception in one line."""
    status: str
    """``returned``, ``raised``, ``hung``, or ``died: signal 11``."""


def run(functions: List[Callable[[], Any]], seconds: float) -> List[Answer]:
    """Fork a child for each function, all at once, and return how each ended.

    ``seconds`` is for all together; what still runs then is killed. Every child has been waited for when this returns.
    """
    sys.stdout.flush()  # what is still buffered would be printed by each child again
    sys.stderr.flush()
    children: List[_Child] = []
    try:
        for function in functions:
            children.append(_Child(function))
        end = time.monotonic() + seconds
        return [child.answer(end) for child in children]
    finally:
        for child in children:
            child.kill()


class _Child:
    def __init__(self, function: Callable[[], Any]) -> None:
        self._reader, writer = os.pipe()
        self._status: Optional[int] = None
        self.pid = os.fork()
        if self.pid == 0:
            _serve(function, writer)  # never returns
        os.close(writer)

    def answer(self, end: float) -> Answer:
        data = b""
        # The end of the pipe does not tell that the child ended: a later child holds a copy of nothing of ours, but a
        # library's own helper process may. So both are looked at.
        while time.monotonic() < end:
            ready, _, _ = select.select([self._reader], [], [], _POLL_SECONDS)
            part = os.read(self._reader, _ANSWER_BYTES) if ready else b""
            data += part
            if (ready and not part) or self._ended():
                break
        while self._status is None and time.monotonic() < end:
            self._ended()
            time.sleep(_POLL_SECONDS)
        if self._status is None:
            return Answer("no answer", "hung")
        if os.WIFSIGNALED(self._status):
            return Answer("", "died: signal {}".format(os.WTERMSIG(self._status)))
        ready, _, _ = select.select([self._reader], [], [], 0)
        data += os.read(self._reader, _ANSWER_BYTES) if ready else b""
        text = data.decode("utf-8", "replace")
        if text[:1] not in ("=", "!"):
            return Answer("", "died: exit status {}".format(os.WEXITSTATUS(self._status)))
        return Answer(text[1:], "returned" if text[0] == "=" else "raised")

    def _ended(self) -> bool:
        if self._status is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self._status = status
        return self._status is not None

    def kill(self) -> None:
        if self._status is None:
            os.kill(self.pid, signal.SIGKILL)
            _, self._status = os.waitpid(self.pid, 0)
        os.close(self._reader)


def _serve(function: Callable[[], Any], writer: int) -> None:
    """In the child: answer, and end at once, with none of the parent's own cleaning up."""
    answer = "!BaseException"
    try:
        answer = "=" + str(function())
    except BaseException as error:  # noqa: BLE001 - whatever it was, the parent says it
        answer = "!" + headline(error)
        traceback.print_exc()
    finally:
        try:
            os.write(writer, answer.encode("utf-8", "replace")[:_ANSWER_BYTES])
            sys.stdout.flush()
            sys.stderr.flush()
        finally:
            os._exit(0)
