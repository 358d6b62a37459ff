"""What NVML answers about the busy GPU, and what it does not. The library itself is acted in tests/unit/host/test_nvml.py."""

import pytest

from validator.host.nvml import reading
from validator.probe import nvml_now

NAMES = [
    "applications_clocks",
    "power_cap",
    "hardware_slowdown",
    "sync_boost",
    "thermal",
    "hardware_thermal",
    "hardware_power_brake",
    "display_clocks",
]


@pytest.fixture
def library(monkeypatch):
    """libnvidia-ml as functions; each sets what its last argument points to, and answers 0 unless told otherwise."""

    values = {
        "nvmlDeviceGetClockInfo": 1410,
        "nvmlDeviceGetPowerUsage": 250500,
        "nvmlDeviceGetTemperature": 71,
        "nvmlDeviceGetCurrentClocksThrottleReasons": 0x1 | 0x4 | 0x20,
    }

    class Library:
        def __init__(self):
            self.codes, self.calls, self.missing = {}, [], set()

        def __getattr__(self, name):
            if name in self.missing:
                raise AttributeError(name)

            def call(*arguments):
                self.calls.append((name, arguments[1:-1] if name in values else arguments[:-1]))
                if name in values:
                    arguments[-1]._obj.value = values[name]
                return self.codes.get(name, 0)

            return call

    made = Library()

    def load(name):
        assert name == "libnvidia-ml.so.1"
        return made

    monkeypatch.setattr(nvml_now.ctypes, "CDLL", load)
    return made


def test_what_nvml_says_has_units(library):
    assert nvml_now.Gpu("GPU-1").now() == {
        "busy_clock_hz": 1410e6,
        "busy_power_watts": 250.5,
        "busy_temperature_celsius": 71,
        "busy_throttle_reasons": ["power_cap", "thermal"],
    }
    assert library.calls == [
        ("nvmlInit_v2", ()),
        ("nvmlDeviceGetHandleByUUID", (b"GPU-1",)),
        ("nvmlDeviceGetClockInfo", (1,)),  # of the multiprocessors
        ("nvmlDeviceGetPowerUsage", ()),
        ("nvmlDeviceGetTemperature", (0,)),
        ("nvmlDeviceGetCurrentClocksThrottleReasons", ()),
    ]


@pytest.mark.parametrize("uuid", [None, "GPU-elsewhere"])
def test_without_a_uuid_that_it_knows_the_first_gpu_is_taken(library, uuid):
    library.codes["nvmlDeviceGetHandleByUUID"] = 6
    assert nvml_now.Gpu(uuid).now()["busy_clock_hz"] == 1410e6
    assert ("nvmlDeviceGetHandleByIndex_v2", (0,)) in library.calls
    assert any(name == "nvmlDeviceGetHandleByUUID" for name, _ in library.calls) is (uuid is not None)


@pytest.mark.parametrize("refused", ["nvmlInit_v2", "nvmlDeviceGetHandleByIndex_v2"])
def test_an_nvml_that_refuses_answers_nothing(library, refused):
    library.codes[refused] = 9
    assert nvml_now.Gpu(None).now() == {}


@pytest.mark.parametrize(
    ("function", "metric"),
    [
        ("nvmlDeviceGetClockInfo", "busy_clock_hz"),
        ("nvmlDeviceGetPowerUsage", "busy_power_watts"),
        ("nvmlDeviceGetTemperature", "busy_temperature_celsius"),
        ("nvmlDeviceGetCurrentClocksThrottleReasons", "busy_throttle_reasons"),
    ],
)
@pytest.mark.parametrize("how", ["refused", "missing"])
def test_what_it_does_not_answer_is_left_out(library, function, metric, how):
    gpu = nvml_now.Gpu(None)
    if how == "refused":
        library.codes[function] = 3
    else:
        library.missing.add(function)
    assert len(gpu.now()) == 3
    assert metric not in gpu.now()


@pytest.mark.parametrize("error", [OSError("no such library"), AttributeError("nvmlInit_v2")])
def test_where_there_is_no_library_nothing_is_known(monkeypatch, error):
    def load(_):
        raise error

    monkeypatch.setattr(nvml_now.ctypes, "CDLL", load)
    assert nvml_now.Gpu("GPU-1").now() == {}


def test_a_python_without_ctypes_knows_nothing(monkeypatch):
    monkeypatch.setattr(nvml_now, "ctypes", None)
    assert nvml_now.Gpu("GPU-1").now() == {}


def test_each_reason_has_its_bit_and_idle_is_none():
    assert nvml_now.reasons(0x1FF) == NAMES
    assert [nvml_now.reasons(1 << bit) for bit in range(1, 9)] == [[name] for name in NAMES]
    assert nvml_now.reasons(1) == nvml_now.reasons(0) == []


def test_the_words_are_the_hosts():
    assert dict(nvml_now._REASONS) == {int(bit): name for bit, name in reading._THROTTLE.items()}
