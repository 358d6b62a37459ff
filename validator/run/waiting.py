"""The process that waits for a run to end, however it ends: run by its path, alone.

It imports nothing of ours, and of Python's own next to nothing, so that it starts at once and takes little memory while it waits:
``python waiting.py PID PROGRAM ARGUMENT...``. Its standard input is a pipe that the run, the process PID, holds open and never
writes to; when that ends, this process becomes the program. A run that ends well kills it before.
"""

import os
import select
import signal
import sys

#: Milliseconds between looks at whether the run is still the parent, in case something else holds its end of the pipe as well.
_LOOK_MILLISECONDS = 5000


def main(run: int, program: list[str]) -> None:
    """Wait, then be the program."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # whoever ends a run so ends it alone; the program inherits this
    pipe = select.poll()
    pipe.register(sys.stdin.fileno(), 0)  # its end is told without being asked for
    while os.getppid() == run and not pipe.poll(_LOOK_MILLISECONDS):
        pass
    os.execv(program[0], program)  # noqa: S606 - no shell is meant


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
