"""Forked children of a check: each gives one small answer, under a deadline, and none is left behind."""

import os
import select
import signal
import sys
import time
import traceback
from typing import Any, Callable, List, NamedTuple, Optional, Union

from .context import headline

_ANSWER_BYTES = 4096
_POLL_SECONDS = 0.02


class Answer(NamedTuple):
    """How a child ended."""

    text: str
    """What it returned; for one that raised, the exception in one line."""
    status: str
    """``returned``, ``raised``, ``hung``, or ``died: signal 11``."""


#: What a child does: a function here, or a program whose output ends in a line that begins with ``=`` and the answer.
Work = Union[Callable[[], Any], List[str]]


def run(works: List[Work], seconds: float) -> List[Answer]:
    """Fork a child for each work, all at once, and return how each ended.

    ``seconds`` is for all together; what still runs then is killed. Every child has been waited for when this returns.
    """
    sys.stdout.flush()  # what is still buffered would be printed by each child again
    sys.stderr.flush()
    children: List[_Child] = []
    try:
        for work in works:
            children.append(_Child(work))
        end = time.monotonic() + seconds
        return [child.answer(end) for child in children]
    finally:
        for child in children:
            child.kill()


class _Child:
    def __init__(self, work: Work) -> None:
        self._reader, writer = os.pipe()
        self._status: Optional[int] = None
        self.pid = os.fork()
        if self.pid == 0:
            _serve(work, writer)  # never returns
        os.close(writer)

    def answer(self, end: float) -> Answer:
        data = b""
        # The end of the pipe does not tell that the child ended: the next child, or a library's own helper process, may hold
        # a copy. So both are looked at.
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
        # The last line: a program may have printed others before.
        text = data.decode("utf-8", "replace").rpartition("\n")[2]
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


def _serve(work: Work, writer: int) -> None:
    """In the child: answer, and end at once, with none of the parent's own cleaning up."""
    answer = "!BaseException"
    try:
        if isinstance(work, list):
            os.dup2(writer, 1)
            os.execv(work[0], work)
        answer = "=" + str(work())
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
