"""``dataloader``: what is loaded and how, and what a failure to load means."""

import multiprocessing
import os
import resource
from types import ModuleType, SimpleNamespace

import pytest
from judging import verdict

from validator.probe.checks import loading

MIB = 1 << 20
SHM = {"workers": 2, "batch_bytes": 72 * MIB, "open_files_limit": 1024, "shm_bytes": 64 * MIB, "shm_free_bytes": 64 * MIB}


@pytest.fixture
def loader(torch, monkeypatch):
    """torch.utils.data whose loader stacks what the dataset gives; ``change`` may break a batch on its way."""
    found = SimpleNamespace(options=None, change=lambda number, batch: batch)

    class DataLoader:
        def __init__(self, dataset, batch_size, num_workers, timeout, pin_memory, multiprocessing_context=None):
            found.options = {"workers": num_workers, "timeout": timeout, "pinned": pin_memory, "started": multiprocessing_context}
            self._dataset, self._size = dataset, batch_size

        def __iter__(self):
            for number, start in enumerate(range(0, len(self._dataset), self._size)):
                items = [self._dataset[index] for index in range(start, start + self._size)]
                values = [value for item in items for value in item.values]
                yield found.change(number, torch.Tensor(values, (len(items), items[0].numel())))

    data = ModuleType("torch.utils.data")
    data.DataLoader = found.kind = DataLoader
    monkeypatch.setattr(loading.importlib, "import_module", lambda name: {"torch.utils.data": data}[name])
    monkeypatch.setattr(loading, "_ITEM_FLOATS", 4)
    found.module = data
    return found


def test_batches_that_arrive_whole_pass(loader, cpu):
    result = loading.run(cpu)
    assert verdict(result) == ("pass", None)
    assert loader.options == {"workers": 2, "timeout": 60, "pinned": False, "started": "fork"}
    size, free = loading.shared_memory()
    assert result.metrics == {
        "workers": 2,
        "batch_bytes": 3 * 4 * 4,
        "shm_bytes": size,
        "shm_free_bytes": pytest.approx(free, abs=256 * MIB),
        "open_files_limit": resource.getrlimit(resource.RLIMIT_NOFILE)[0],
    }
    assert "2 workers" in result.message
    assert "pinned" not in result.message


def test_on_a_gpu_batches_go_through_pinned_memory_and_are_compared_there(loader, gpu, torch):
    moved = []

    def to(place, non_blocking):
        moved.append((place, non_blocking))
        return batch

    batch = None

    def change(_, given):
        nonlocal batch
        batch = given
        return SimpleNamespace(to=to)

    loader.change = change
    result = loading.run(gpu)
    assert verdict(result) == ("pass", None)
    assert loader.options["pinned"] is True
    assert moved == [("cuda", True)] * 2
    assert "pinned and copied to the GPU" in result.message


@pytest.mark.parametrize("value", [-1.0, 9.0], ids=["lower", "higher"])
@pytest.mark.parametrize("place", [0, -1])
def test_one_value_that_arrives_changed_names_its_batch(loader, cpu, value, place):
    def change(number, batch):
        if number == 1:
            batch.values[place] = value
        return batch

    loader.change = change
    result = loading.run(cpu)
    assert verdict(result) == ("fail", "wrong_results")
    assert "batches [1] arrive" in result.message


def test_batches_in_another_order_are_wrong(loader, cpu, torch):
    loader.change = lambda number, batch: batch * 0
    assert "batches [0, 1]" in loading.run(cpu).message


def test_a_loader_of_old_that_always_forks_is_not_told_to(loader, cpu):
    kind = loader.kind

    class Old(kind):
        def __init__(self, dataset, batch_size, num_workers, timeout, pin_memory):
            super().__init__(dataset, batch_size, num_workers, timeout, pin_memory)

    loader.module.DataLoader = Old
    assert loading.run(cpu).status == "pass"
    assert loader.options["started"] is None


def test_what_a_worker_raises_is_explained_whatever_its_type(loader, cpu):
    def change(*_):
        raise ValueError("an ordinary mistake")

    loader.change = change
    result = loading.run(cpu)
    assert verdict(result) == ("fail", None)
    assert result.message == "loading with 2 workers failed: ValueError: an ordinary mistake"


def test_a_batch_is_larger_than_the_64_mib_that_docker_gives():
    assert loading._BATCH * loading._ITEM_FLOATS * 4 > 64 * MIB
    assert len(loading._Numbers(None)) == 2 * loading._BATCH


def test_where_there_is_no_shared_memory_its_size_is_unknown(monkeypatch):
    def statvfs(path):
        assert path == "/dev/shm"
        raise FileNotFoundError

    monkeypatch.setattr(os, "statvfs", statvfs)
    assert loading.shared_memory() == (None, None)


def test_the_size_of_shared_memory_is_blocks_times_their_size(monkeypatch):
    monkeypatch.setattr(os, "statvfs", lambda _: SimpleNamespace(f_frsize=4096, f_blocks=16, f_bavail=3))
    assert loading.shared_memory() == (16 * 4096, 3 * 4096)


# ---------------------------------------------------------------- the folder of the workers' sockets


@pytest.mark.parametrize("short", [False, True])
def test_a_folder_too_deep_for_a_socket_gets_a_short_name(monkeypatch, tmp_path, short):
    folder = str(tmp_path)
    monkeypatch.setattr(loading.tempfile, "gettempdir", lambda: folder)
    monkeypatch.setattr(loading, "_FOLDER_CHARS", len(folder) - (1 if short else 0))
    config = {"tempdir": "before"}
    monkeypatch.setattr(multiprocessing, "current_process", lambda: SimpleNamespace(_config=config))
    with loading.short_folder():
        inside = config["tempdir"]
        if short:
            assert os.path.samefile(inside, folder)
            assert len(inside) < 32
        else:
            assert inside == "before"
    assert config == {"tempdir": "before"}
    assert not short or not os.path.exists(inside)


def test_a_socket_fits_into_the_longest_folder_that_keeps_its_name():
    # 107 characters of a path; /pymp-xxxxxxxx/listener-xxxxxxxx after it.
    assert loading._FOLDER_CHARS + len("/pymp-xxxxxxxx/listener-xxxxxxxx") == 107


def test_a_python_without_such_a_setting_keeps_its_folder(monkeypatch):
    monkeypatch.setattr(loading, "_FOLDER_CHARS", 0)
    monkeypatch.setattr(multiprocessing, "current_process", lambda: SimpleNamespace())
    with loading.short_folder():
        pass


# ---------------------------------------------------------------- failures


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("unable to allocate shared memory(shm) for file </torch_7_2>: No space left on device (28)", "shm_too_small"),
        ("DataLoader worker (pid 7) is killed by signal: Bus error. It is possible that", "shm_too_small"),
        ("DataLoader worker (pid(s) 7, 8) exited unexpectedly", "shm_too_small"),
        ("unable to open shared memory object </torch_1> in read-write mode: Too many open files (24)", None),
        ("received 0 items of ancdata", None),
        ("can't start new thread", "pids_limit"),
        ("an ordinary mistake", None),
    ],
)
def test_a_failed_load_on_a_small_shm_is_explained_by_it_where_the_words_fit(said, expected):
    result = loading.explained(RuntimeError(said), dict(SHM))
    assert verdict(result) == ("fail", expected)
    assert said[:60] in result.message
    assert ("/dev/shm has 64 MiB, too little for 2 workers with batches of 72 MiB" in result.message) == (
        expected == "shm_too_small"
    )
    assert ("open files (limit 1024)" in result.message) == ("ancdata" in said or "open files" in said)


@pytest.mark.parametrize(("free", "expected"), [(144 * MIB - 1, "shm_too_small"), (144 * MIB, None)])
def test_shared_memory_is_too_small_where_two_batches_do_not_fit(free, expected):
    metrics = {**SHM, "shm_bytes": 1 << 30, "shm_free_bytes": free}
    assert verdict(loading.explained(RuntimeError("Bus error"), metrics)) == ("fail", expected)


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("DataLoader worker (pid(s) 7, 8) exited unexpectedly", None),
        ("received 0 items of ancdata", None),
        ("can't start new thread", "pids_limit"),
        ("Resource temporarily unavailable", "pids_limit"),
    ],
)
def test_a_failed_load_on_a_large_shm_is_something_else(said, expected):
    large = {**SHM, "shm_bytes": 1 << 30, "shm_free_bytes": 1 << 30}
    assert verdict(loading.explained(RuntimeError(said), large)) == ("fail", expected)


def test_without_a_shared_memory_folder_that_is_the_cause():
    result = loading.explained(OSError("no such file"), {**SHM, "shm_bytes": None, "shm_free_bytes": None})
    assert verdict(result) == ("fail", "shm_too_small")
    assert "there is no /dev/shm" in result.message


@pytest.mark.parametrize("link", ["__cause__", "__context__"])
def test_what_an_exception_came_of_counts_too(link):
    raised = RuntimeError("worker failed")
    setattr(raised, link, OSError("write: No space left on device"))
    result = loading.explained(raised, dict(SHM))
    assert verdict(result) == ("fail", "shm_too_small")
    assert result.message.endswith("write: No space left on device")


def test_of_a_whole_traceback_the_last_line_about_shared_memory_is_told():
    said = "Caught RuntimeError\nTraceback\n  shared memory of old\n  unable to write to shm file\nmore"
    assert loading.explained(RuntimeError(said), dict(SHM)).message.endswith(": unable to write to shm file")
