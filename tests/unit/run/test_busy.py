"""Whether others use a GPU, as the real pynvml reads it from a stand-in for the driver's library; how long it is waited for."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

import pytest
from nvml_stand_in import FIRST_T4, SECOND_T4, SLICED_A100, StandIn, processes, scenario
from values import host

from validator.base.errors import ExitCode, InterruptedRunError, ValidatorError
from validator.base.stopping import Stop
from validator.host import lanes_for, nvml
from validator.model import BusyPolicy, Gpu, GpuProcess, NvmlInfo, Target
from validator.run import busy
from validator.run.busy import Busy, GpuBusyError, GpuUnseenError, Unseen, look, wait_until_free
from validator.verdict.findings import of_error

SLICE_1, SLICE_2 = (replace(SLICED_A100, mig_devices=(device,)) for device in SLICED_A100.mig_devices)
TRAINING = processes(4711, memory_bytes=9 << 30)
DESKTOP = (GpuProcess(90, "/usr/lib/xorg/Xorg", 300 << 20, computes=False),)


@pytest.fixture(scope="module")
def stand_in(tmp_path_factory: pytest.TempPathFactory) -> StandIn:
    return StandIn.made(tmp_path_factory.mktemp("nvml"))


Play = Callable[..., None]


@pytest.fixture
def play(stand_in: StandIn, monkeypatch: pytest.MonkeyPatch) -> Play:
    """Lets NVML show GPUs, and what follows them in the scenario."""
    stand_in.use(monkeypatch)
    return lambda *gpus, more="": stand_in.play(scenario(*gpus) + more)


def shown(*gpus: Gpu, **fields: object) -> Callable[[float], NvmlInfo]:
    return lambda _: NvmlInfo(gpus=gpus, **fields)  # type: ignore[arg-type]


# ---------------------------------------------------------------- one look


def test_nobody_uses_a_gpu_whatever_others_do_on_others(play: Play) -> None:
    play(replace(FIRST_T4, processes=TRAINING), SECOND_T4, SLICED_A100)
    assert [look(gpu) for gpu in (SECOND_T4, SLICE_1, SLICE_2)] == [None, None, None]


def test_processes_of_others_are_told_with_name_and_memory(play: Play) -> None:
    play(replace(FIRST_T4, processes=(*DESKTOP, *TRAINING)))
    found = look(FIRST_T4)
    assert found == Busy(FIRST_T4, computing=TRAINING, drawing=DESKTOP)
    assert found.text == "train-4711 (process 4711, 9.0 GiB)"
    assert not found.only_draws
    assert not found.shuts_out


def test_a_mig_device_is_used_by_what_is_on_it_and_not_by_what_is_beside_it(play: Play) -> None:
    on_second = processes(7, memory_bytes=None, mig_device=SLICE_2.device_uuid)
    play(FIRST_T4, replace(SLICED_A100, processes=on_second, memory_free_bytes=1 << 30))
    lanes, _ = lanes_for(Target("a100", gpu="A100-SXM4-80GB"), replace(host(), nvml=nvml.query()))
    assert [lane.device_uuid for lane in lanes] == list(SLICED_A100.mig_devices)
    assert [look(lane) for lane in lanes] == [None, Busy(lanes[1], computing=on_second)]


@pytest.mark.parametrize(
    ("used_mib", "processes_", "unexplained_mib"),
    [
        (1351, (), 0),  # 1 GiB and 2 % of 16 GiB are the driver's own
        (1352, (), 1352),
        (1351 + 300, DESKTOP, 0),
        (1352 + 300, DESKTOP, 1352),
        (9000, TRAINING, 0),
    ],
)
def test_memory_that_no_process_explains_is_somebodys(
    used_mib: int, processes_: tuple[GpuProcess, ...], unexplained_mib: int
) -> None:
    free = (16 << 30) - (used_mib << 20)
    found = look(FIRST_T4, shown(replace(FIRST_T4, memory_free_bytes=free, processes=processes_)))
    assert (found.unexplained_bytes if isinstance(found, Busy) else 0) == unexplained_mib << 20
    assert (found is None) is (not processes_ and not unexplained_mib)
    if isinstance(found, Busy) and not processes_:
        assert found.text == "a process that NVML does not show (1.3 GiB of memory)"


@pytest.mark.parametrize("field", ["memory_free_bytes", "memory_total_bytes"])
def test_where_memory_is_not_told_the_processes_decide(field: str) -> None:
    untold = replace(FIRST_T4, **{field: None})
    assert look(FIRST_T4, shown(untold)) is None
    assert look(FIRST_T4, shown(replace(untold, processes=TRAINING))) == Busy(FIRST_T4, computing=TRAINING)


def test_a_process_of_which_the_kind_is_not_known_computes() -> None:
    unknown = (GpuProcess(5, None, None),)
    assert look(FIRST_T4, shown(replace(FIRST_T4, processes=unknown))) == Busy(FIRST_T4, computing=unknown)


@pytest.mark.parametrize("mode", ["exclusive_process", "exclusive_thread", "default"])
def test_a_compute_mode_that_lets_one_process_in_shuts_us_out_where_one_computes(mode: str) -> None:
    modal = replace(FIRST_T4, compute_mode=mode)
    assert look(modal, shown(modal)) is None
    computing = look(modal, shown(replace(modal, processes=TRAINING)))
    drawing = look(modal, shown(replace(modal, processes=DESKTOP)))
    assert isinstance(computing, Busy)
    assert isinstance(drawing, Busy)
    assert (computing.shuts_out, drawing.shuts_out, drawing.only_draws) == (mode != "default", False, True)


@pytest.mark.parametrize(
    ("gpu", "info", "problem"),
    [
        (
            FIRST_T4,
            NvmlInfo(problem="NVML did not answer within 10 s.", problem_kind="timeout"),
            "NVML did not answer within 10 s.",
        ),
        (FIRST_T4, NvmlInfo(gpus=(SECOND_T4,)), "NVML does not show it"),
        (FIRST_T4, NvmlInfo(gpus=(replace(FIRST_T4, problem="GPU 0: lost."),)), "GPU 0: lost."),
        (FIRST_T4, NvmlInfo(gpus=(replace(FIRST_T4, compute_mode="prohibited"),)), "compute mode prohibited"),
        (
            FIRST_T4,
            NvmlInfo(gpus=(replace(FIRST_T4, mig_enabled=True, mig_devices=("M",)),)),
            "it has been divided into MIG devices",
        ),
        (SLICE_2, NvmlInfo(gpus=(SLICE_1,)), "NVML does not show this MIG device any more"),
        (SLICE_2, NvmlInfo(gpus=(replace(SLICE_1, mig_devices=()),)), "MIG is on and no MIG device has been made"),
    ],
)
def test_a_gpu_that_nvml_does_not_show_is_neither_free_nor_busy(gpu: Gpu, info: NvmlInfo, problem: str) -> None:
    assert look(gpu, lambda _: info) == Unseen(problem)


def test_a_hanging_driver_is_given_up(play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(busy, "_QUERY_SECONDS", 1.0)
    play(FIRST_T4, more="hang nvmlDeviceGetMemoryInfo\n")
    found = look(FIRST_T4)
    assert isinstance(found, Unseen)
    assert "did not answer within 1 s" in found.problem


@pytest.mark.parametrize(
    ("found", "text"),
    [
        (
            Busy(FIRST_T4, processes(1, 2, 3)),
            "train-1 (process 1, 1.0 GiB), train-2 (process 2, 1.0 GiB), train-3 (process 3, 1.0 GiB)",
        ),
        (
            Busy(FIRST_T4, processes(1, 2, 3, 4, 5, memory_bytes=None)),
            "train-1 (process 1), train-2 (process 2), train-3 (process 3) and 2 more",
        ),
        (Busy(FIRST_T4, (GpuProcess(7, None, 3 << 29),)), "process 7 with 1.5 GiB"),
        (Busy(FIRST_T4, (GpuProcess(7, None, None),)), "process 7"),
        (Busy(FIRST_T4, drawing=DESKTOP), "/usr/lib/xorg/Xorg (process 90, 0.3 GiB)"),
    ],
)
def test_who_it_is_in_words(found: Busy, text: str) -> None:
    assert found.text == text


# ---------------------------------------------------------------- the wait


BUSY = Busy(FIRST_T4, TRAINING)
DRAWS = Busy(FIRST_T4, drawing=DESKTOP)
SHUT = replace(BUSY, one_process=True)
AWAY = Unseen("NVML does not show it.")


class Clock:
    """Time that passes when it is waited, and nowhere else."""

    def __init__(self) -> None:
        self.now = 100.0
        self.pauses: list[float] = []

    def __call__(self) -> float:
        return self.now

    def pause(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.now += seconds


def waited(
    seen: Iterable[Busy | Unseen | None], policy: BusyPolicy | str = BusyPolicy.WAIT, limit: float = 600.0
) -> tuple[bool, list[str], Clock]:
    """Whether the GPU is exclusive in the end, what was said, and the clock. The last thing seen stays."""
    clock, said, left = Clock(), [], list(seen)

    def looks(gpu: Gpu) -> Busy | Unseen | None:
        assert gpu == FIRST_T4
        return left.pop(0) if len(left) > 1 else left[0]

    exclusive = wait_until_free(
        FIRST_T4,
        policy,
        limit,
        Stop(),
        said.append,
        looks=looks,
        clock=clock,
        pause=clock.pause,  # type: ignore[arg-type]
    )
    return exclusive, said, clock


@pytest.mark.parametrize("policy", ["wait", "run", "error"])
@pytest.mark.parametrize(
    ("seen", "exclusive"),
    [
        pytest.param([None], True, id="nobody uses it"),
        pytest.param([BUSY, None], True, id="a process that was just ending"),
        pytest.param([DRAWS], False, id="a desktop draws on it"),
        pytest.param([AWAY, AWAY, None], True, id="it was away for a moment"),
        pytest.param([AWAY, BUSY, None], True, id="it was away, and somebody was just ending"),
    ],
)
def test_when_nothing_is_waited_for(policy: str, seen: list[Busy | Unseen | None], exclusive: bool) -> None:
    assert waited(seen, policy)[:2] == (exclusive, [])


def test_it_is_waited_for_and_said_who_for() -> None:
    exclusive, said, clock = waited([BUSY] * 5 + [None])
    assert exclusive
    assert said == [
        "Tesla T4 #0 is used by train-4711 (process 4711, 9.0 GiB): waiting for it, 10 min at most (--busy run does not wait)"
    ]
    assert clock.pauses == [1, 2, 4, 5, 5]


def test_it_is_said_again_once_a_minute_and_when_others_have_come_whatever_memory_does() -> None:
    more = replace(BUSY, computing=(replace(TRAINING[0], memory_bytes=10 << 30),))
    others = replace(BUSY, computing=processes(5))
    _, said, _ = waited([BUSY, BUSY, BUSY, more, more, others, others, None])
    assert ["5" in text.partition("process ")[2][:2] for text in said] == [False, True]
    _, said, clock = waited([BUSY] * 16 + [None])
    assert clock.now == 100 + 7 + 13 * 5
    assert len(said) == 2
    assert "9 min at most" in said[1]


def test_the_wait_ends_at_its_limit_with_who_it_was_for() -> None:
    with pytest.raises(GpuBusyError) as caught:
        waited([BUSY], limit=90)
    assert caught.value.what == "GPU busy: Tesla T4 #0 is used by train-4711 (process 4711, 9.0 GiB) after 90 s"
    assert "--busy run" in caught.value.hint
    assert caught.value.exit_code == ExitCode.NOT_FOUND_OUT


def test_run_goes_on_beside_others_and_error_does_not() -> None:
    exclusive, said, clock = waited([BUSY], "run")
    assert (exclusive, said, clock.pauses) == (False, [], [1, 2])
    with pytest.raises(GpuBusyError) as caught:
        waited([BUSY], "error")
    assert caught.value.what.endswith("(process 4711, 9.0 GiB)")


def test_where_the_compute_mode_lets_one_in_nothing_runs_beside() -> None:
    with pytest.raises(GpuBusyError) as caught:
        waited([SHUT], "run")
    assert "one process" in caught.value.why
    assert "nvidia-smi -c DEFAULT" in caught.value.hint
    assert waited([SHUT, SHUT, SHUT, None], "wait")[0]


def test_a_gpu_that_stays_away_is_an_error_of_its_own() -> None:
    with pytest.raises(GpuUnseenError) as caught:
        waited([AWAY], limit=5)
    assert caught.value.what == "Tesla T4 #0 is not there: NVML does not show it"
    assert caught.value.exit_code == ExitCode.NOT_FOUND_OUT
    # Away for half a minute in all, but never so long at once.
    assert waited([AWAY] * 5 + [BUSY] + [AWAY] * 5 + [None])[0]


def test_a_wait_ends_when_the_run_is_to_end() -> None:
    stop, looked = Stop(), []

    def looks(gpu: Gpu) -> Busy:
        looked.append(gpu)
        if len(looked) == 3:
            stop.ask()
        return BUSY

    with pytest.raises(InterruptedRunError, match="Tesla T4 #0"):
        wait_until_free(FIRST_T4, BusyPolicy.WAIT, 600, stop, print, looks=looks, clock=Clock(), pause=lambda _: None)
    assert len(looked) == 3
    with pytest.raises(InterruptedRunError):
        wait_until_free(FIRST_T4, BusyPolicy.WAIT, 600, stop, print, looks=looks)
    assert len(looked) == 3


def test_the_pause_itself_ends_when_the_run_is_to_end() -> None:
    stop = Stop()

    def looks(_: Gpu) -> Busy:
        stop.ask()
        return BUSY

    with pytest.raises(InterruptedRunError):
        wait_until_free(FIRST_T4, BusyPolicy.WAIT, 600, stop, print, looks=looks)


def test_a_gpu_is_waited_for_until_its_user_has_gone(play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(busy, "_SETTLE_SECONDS", 0.0)
    monkeypatch.setattr(busy, "_FIRST_PAUSE_SECONDS", 0.01)
    play(replace(FIRST_T4, processes=TRAINING), SECOND_T4)
    said: list[str] = []

    def gone(text: str) -> None:
        said.append(text)
        play(FIRST_T4, SECOND_T4)

    assert wait_until_free(FIRST_T4, BusyPolicy.WAIT, 600, Stop(), gone)
    assert len(said) == 1


@pytest.mark.parametrize(
    ("looks", "cause"),
    [
        (lambda _: BUSY, "gpu_in_use"),
        (lambda _: replace(BUSY, one_process=True), "gpu_busy_exclusive"),
        (lambda _: Unseen("GPU is lost"), "gpu_fallen_off_bus"),
    ],
)
def test_why_a_gpu_was_not_used_is_a_cause_of_the_catalogue(looks: Callable[[Gpu], Busy | Unseen], cause: str) -> None:
    clock = Clock()
    with pytest.raises(ValidatorError) as refused:
        wait_until_free(FIRST_T4, BusyPolicy.ERROR, 1, Stop(), print, looks=looks, clock=clock, pause=clock.pause)
    [found] = of_error(refused.value)
    assert found.cause == cause
    assert found.remedy
