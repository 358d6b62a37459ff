"""``dataloader``: two worker processes hand over batches larger than a container's default /dev/shm."""

import contextlib
import importlib
import inspect
import multiprocessing
import os
import resource
import tempfile
from typing import Any, Dict, Iterator, List, Optional

from ..context import Context, Result, headline

_WORKERS = 2
_BATCH = 3
#: 24 MiB each, so a batch is 72 MiB, and each worker has one under way. Docker gives a container 64 MiB of /dev/shm unless told
#: otherwise, and batches of images for training are often larger.
_ITEM_FLOATS = 6 << 20
_TIMEOUT_SECONDS = 60
#: A socket's path holds 107 characters; /pymp-xxxxxxxx/listener-xxxxxxxx come after the folder.
_FOLDER_CHARS = 107 - 32
#: How torch of any release says that /dev/shm is full; a worker that writes beyond it dies of SIGBUS, "Bus error".
_SHM_WORDS = ("shared memory", "shm", "Bus error", "No space left on device")


class _Numbers:
    """A dataset of two batches, one for each worker, of large tensors that hold their own index."""

    def __init__(self, torch: Any) -> None:
        self._torch = torch

    def __len__(self) -> int:
        return _WORKERS * _BATCH

    def __getitem__(self, index: int) -> Any:
        return self._torch.full((_ITEM_FLOATS,), float(index))


def run(context: Context) -> Result:
    """Load every batch, through pinned memory on a GPU, and compare what arrives."""
    torch = context.torch
    size, free = shared_memory()
    batch_bytes = _BATCH * _ITEM_FLOATS * 4
    metrics: Dict[str, Any] = {
        "workers": _WORKERS,
        "batch_bytes": batch_bytes,
        "shm_bytes": size,
        "shm_free_bytes": free,
        "open_files_limit": resource.getrlimit(resource.RLIMIT_NOFILE)[0],
    }
    try:
        with short_folder():
            wrong = _wrong_batches(torch, context)
    except Exception as raised:  # noqa: BLE001 - torch raises the worker's own exception, whatever its type
        return explained(raised, metrics)
    if wrong:
        metrics["cause"] = "wrong_results"
        return Result("fail", "batches {} arrive with other values than were loaded".format(wrong), metrics)
    how = "pinned and copied to the GPU" if context.on_gpu else "unchanged"
    told = "{} workers hand over batches of {} MiB, {}".format(_WORKERS, batch_bytes >> 20, how)
    return Result("pass", told, metrics)


def shared_memory() -> Any:
    """Size of /dev/shm and what is free of it, in bytes; None, None where there is none."""
    try:
        found = os.statvfs("/dev/shm")
    except OSError:
        return None, None
    return found.f_frsize * found.f_blocks, found.f_frsize * found.f_bavail


@contextlib.contextmanager
def short_folder() -> Iterator[None]:
    """A short name for the folder of temporary files, where its own is too long for the sockets of workers.

    The folder is deep because of the probe, not the environment. A descriptor of it means the same in every forked worker.
    """
    folder, config = tempfile.gettempdir(), getattr(multiprocessing.current_process(), "_config", None)
    if len(os.fsencode(folder)) <= _FOLDER_CHARS or config is None:
        yield
        return
    descriptor, before = os.open(folder, os.O_RDONLY), config.get("tempdir")
    config["tempdir"] = "/proc/self/fd/{}".format(descriptor)
    try:
        yield
    finally:
        config["tempdir"] = before
        os.close(descriptor)


def _loader(torch: Any, context: Context) -> Any:
    data = importlib.import_module("torch.utils.data")  # `import torch` alone does not, in torch 1.0
    options = {"batch_size": _BATCH, "num_workers": _WORKERS, "timeout": _TIMEOUT_SECONDS, "pin_memory": context.on_gpu}
    # Forked, whatever the Python's default: a new interpreter would have to import torch first, twice.
    if "multiprocessing_context" in inspect.signature(data.DataLoader.__init__).parameters:
        options["multiprocessing_context"] = "fork"
    return data.DataLoader(_Numbers(torch), **options)


def _wrong_batches(torch: Any, context: Context) -> List[int]:
    wrong = []
    iterator: Optional[Iterator[Any]] = iter(_loader(torch, context))
    try:
        for number in range(_WORKERS):
            batch = next(iterator)
            if context.on_gpu:
                batch = batch.to("cuda", non_blocking=True)
            expected = [float(number * _BATCH + item) for item in range(_BATCH)]
            if batch.min(1)[0].tolist() != expected or batch.max(1)[0].tolist() != expected:
                wrong.append(number)
    finally:
        iterator = None  # ends the workers
    return wrong


def explained(raised: BaseException, metrics: Dict[str, Any]) -> Result:
    """A failure to load, by its words and the size of /dev/shm."""
    said: str = headline(raised)
    chain: str = ""
    link: Any = raised
    while link is not None and len(chain) < 20000:
        chain += str(link) + "\n"
        link = link.__cause__ or link.__context__
    if "Too many open files" in chain or "ancdata" in chain:
        text = "workers run out of open files (limit {}): {}".format(metrics["open_files_limit"], said)
        return Result("fail", text, metrics)
    size = metrics["shm_bytes"]
    if size is None:
        metrics["cause"] = "shm_too_small"
        return Result("fail", "there is no /dev/shm, through which workers hand over their batches: {}".format(said), metrics)
    # A worker's exception arrives with its whole traceback as its text; the line that names shared memory says most.
    lines = [line.strip() for line in chain.splitlines() if any(words in line for words in _SHM_WORDS)]
    said = lines[-1][:300] if lines else said
    small = metrics["shm_free_bytes"] < _WORKERS * metrics["batch_bytes"]
    if small and any(words in chain for words in _SHM_WORDS + ("exited unexpectedly",)):
        metrics["cause"] = "shm_too_small"
        text = "/dev/shm has {} MiB, too little for {} workers with batches of {} MiB: {}"
        return Result("fail", text.format(size >> 20, _WORKERS, metrics["batch_bytes"] >> 20, said), metrics)
    if "an't start new thread" in chain or "Resource temporarily unavailable" in chain:
        metrics["cause"] = "pids_limit"
        return Result("fail", "no more processes or threads can be started: {}".format(said), metrics)
    return Result("fail", "loading with {} workers failed: {}".format(_WORKERS, said), metrics)
