"""What happens in a container of the storms, by name."""

import os
import time


def calm(seconds):
    """Nothing, for so long."""
    time.sleep(seconds)


def working(seconds):
    """Memory, shared memory and processes are used as a good neighbour uses them, and must be there all the time."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        block = bytearray(16 << 20)
        with open("/dev/shm/neighbour", "wb") as file:
            file.write(block[: 4 << 20])
        os.remove("/dev/shm/neighbour")
        pid = os.fork()
        if not pid:
            os._exit(0)
        os.waitpid(pid, 0)
        time.sleep(0.05)


def log(seconds):
    """The gigabyte is said before the probe begins: see enter."""
    time.sleep(seconds)


log_without_lines = log


def chatter(_):
    """A gigabyte on standard error, while torch is imported."""
    block = (b"x" * 1023 + b"\n") * 1024
    for _ in range(1000):
        view = memoryview(block)
        while view:
            view = view[os.write(2, view) :]


def forks(seconds):
    """A fork bomb, for so long in each process."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            os.fork()
        except OSError:
            time.sleep(0.01)
    raise OSError(11, "Resource temporarily unavailable: no more processes")


def memory(_):
    """More memory than there is for it."""
    held = []
    while True:
        held.append(bytearray(os.urandom(1 << 16) * 256))


def shm(_):
    """/dev/shm filled up."""
    with open("/dev/shm/storm", "wb") as file:
        while True:
            file.write(b"x" * (1 << 20))
            file.flush()


def stuck(_):
    """Writes to what the storm mounted here and froze: the kernel does not let it go, not even for a SIGKILL."""
    with open("/frozen/file", "w") as file:
        file.write("x")
        file.flush()
        os.fsync(file.fileno())
