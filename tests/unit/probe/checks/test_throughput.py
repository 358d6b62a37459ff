"""``throughput``: what is multiplied and timed, the rate that is expected, and what a low one is told with."""

from types import SimpleNamespace

import pytest
from judging import verdict

from validator.model import Gpu, GpuClocks
from validator.probe import nvml_now
from validator.probe.checks import throughput
from validator.probe.context import Context
from validator.probe_host.rates import fp16_flops_per_clock, of

MIB = 1 << 20


@pytest.fixture
def card(torch, monkeypatch):
    """A GPU whose product takes so many seconds by dtype, and what NVML says while it is busy."""
    found = SimpleNamespace(
        seconds={"float16": 0.001, "bfloat16": 0.002}, products=[], uuids=[], busy={"busy_clock_hz": 1e9}, sides=[]
    )

    class Matrix:
        def __init__(self, dtype="float32", device="cpu"):
            self.dtype, self.device = dtype, device

        def to(self, wanted):
            return Matrix(self.dtype, wanted) if wanted == "cuda" else Matrix(wanted.name, self.device)

        def t(self):
            return self

        def contiguous(self):
            return self

        def matmul(self, other):
            assert (self.dtype, self.device) == (other.dtype, other.device)
            found.products.append((self.dtype, self.device))

    class Nvml:
        def __init__(self, uuid):
            found.uuids.append(uuid)

        def now(self):
            return found.busy

    def seconds(self, work):
        before = len(found.products)
        work()
        return found.seconds[found.products[-1][0]] * (len(found.products) - before)

    torch.randn = lambda *shape: found.sides.append(shape) or Matrix()
    torch.cuda.get_device_properties = lambda _: SimpleNamespace(total_memory=80 << 30, multi_processor_count=10)
    monkeypatch.setattr(nvml_now, "Gpu", Nvml)
    monkeypatch.setattr(Context, "seconds", seconds)
    return found


def host(**rates):
    return Context("cuda", {"uuid": "GPU-1", "rates": rates})


OPERATIONS = 2.0 * 8192**3


def test_the_better_rate_is_compared_with_the_expected_one(card):
    result = throughput.run(host(fp16_flops_per_clock=1e6, clock_max_hz=2e8))
    assert verdict(result) == ("pass", None)
    assert result.metrics == {
        "matrix_side": 8192,
        "multiprocessors": 10,
        "float16.flops_per_second": pytest.approx(OPERATIONS / 0.001),
        "bfloat16.flops_per_second": pytest.approx(OPERATIONS / 0.002),
        "busy_clock_hz": 1e9,
        "expected_flops_per_second": 2e15,
        "rate_ratio": pytest.approx(OPERATIONS / 0.001 / 2e15),
        "fair_share_ratio": 0.4,
    }
    assert card.uuids == ["GPU-1"]
    assert set(card.products) == {("float16", "cuda"), ("bfloat16", "cuda")}
    assert set(card.sides) == {(8192, 8192)}


def test_the_rate_of_bfloat16_counts_where_it_is_the_better_one(card):
    card.seconds = {"float16": 0.01, "bfloat16": 0.001}
    result = throughput.run(host(fp16_flops_per_clock=1e6, clock_max_hz=2e8))
    assert result.metrics["rate_ratio"] == pytest.approx(OPERATIONS / 0.001 / 2e15)


@pytest.mark.parametrize(("capability", "dtypes"), [((7, 5), {"float16"}), ((8, 0), {"float16", "bfloat16"})])
def test_bfloat16_is_measured_from_ampere_on(card, torch, capability, dtypes):
    torch.cuda.get_device_capability = lambda _: capability
    metrics = throughput.run(host()).metrics
    assert {name.split(".")[0] for name in metrics if name.endswith(".flops_per_second")} == dtypes


def test_a_slow_gpu_is_a_warning_with_what_nvml_said_meanwhile(card):
    card.busy = {"busy_clock_hz": 3e8, "busy_throttle_reasons": ["thermal"]}
    result = throughput.run(host(fp16_flops_per_clock=1e6, clock_max_hz=2e9))
    assert verdict(result) == ("warn", "slow_device")
    assert "its clock was 300 MHz of 2000 MHz while busy" in result.message
    assert "held back by thermal" in result.message


@pytest.mark.parametrize("known", [None, {"uuid": None, "rates": None}])
def test_without_what_the_host_knows_the_rate_is_told_and_not_judged(card, known):
    result = throughput.run(Context("cuda", known))
    assert verdict(result) == ("pass", None)
    assert card.uuids == [None]
    assert "rate_ratio" not in result.metrics


def test_the_rate_of_a_cpu_is_not_judged(cpu):
    assert throughput.run(cpu).status == "skip"


@pytest.mark.parametrize(("once", "times"), [(0.001, 400), (0.4, 1), (3.0, 1), (0.0, 400000)])
def test_the_measured_work_lasts_long_enough_and_is_asked_about_while_it_runs(card, gpu, monkeypatch, once, times):
    calls, counted, asked = [], [], []

    def seconds(self, work):
        before = len(card.products)
        if not calls or times < 1000:
            work()
        counted.append(len(card.products) - before)
        calls.append(work)
        return once if len(calls) == 1 else 2.0

    monkeypatch.setattr(Context, "seconds", seconds)
    if times < 1000:
        rate = throughput.measured(gpu, "float16", 100, lambda: asked.append(len(card.products)))
        assert counted == [1, times]
        assert rate == times * 2.0 * 100**3 / 2.0
        # Three to warm up, one timed, then the work three times: to bring the clock up, timed, and while NVML is asked.
        assert asked == [len(card.products)] == [3 + 1 + 3 * times]
    else:
        monkeypatch.setattr(throughput, "_SECONDS", 5e-6)
        assert throughput.measured(gpu, "float16", 100, lambda: None) > 0  # no division by zero


@pytest.mark.parametrize(
    ("memory", "side"),
    [
        (80 << 30, 8192),
        (60 * 8192 * 8192 + 1, 8192),  # three matrices of two bytes a number are just below a tenth
        (60 * 8192 * 8192, 4096),
        (60 * 4096 * 4096, 2048),
        (64 * MIB, 2048),
    ],
)
def test_the_matrices_take_no_more_than_a_tenth_of_the_memory(memory, side):
    assert throughput._side(memory) == side


# ---------------------------------------------------------------- the rate that is expected


@pytest.mark.parametrize(
    ("name", "capability", "clock_mhz", "multiprocessors", "data_sheet"),
    [
        ("Tesla V100-SXM2-16GB", "7.0", 1530, 80, 125e12),
        ("NVIDIA A100-SXM4-80GB", "8.0", 1410, 108, 312e12),
        ("NVIDIA H100 80GB HBM3", "9.0", 1830, 132, 989e12),
        ("NVIDIA GeForce RTX 3090", "8.6", 1695, 82, 71e12),
        ("NVIDIA GeForce RTX 4090", "8.9", 2520, 128, 165e12),
        ("NVIDIA H200", "9.0", 1830, 132, 989e12),
        ("NVIDIA H20", "9.0", 1850, 78, 148e12),
        ("NVIDIA B200", "10.0", 1850, 148, 2250e12),
        ("NVIDIA GeForce GTX 1660 Ti", "7.5", 1770, 24, 5.4e12),
    ],
)
def test_the_expected_rate_is_the_data_sheets(name, capability, clock_mhz, multiprocessors, data_sheet):
    gpu = Gpu(0, "GPU-1", name, capability, clocks=GpuClocks(sm_max_hz=clock_mhz * 1e6))
    assert throughput.expected(of(gpu), multiprocessors) == pytest.approx(data_sheet, rel=0.02)


def test_a_t4_has_tensor_cores_and_a_t400_has_none():
    assert fp16_flops_per_clock("7.5", "Tesla T4") == 512
    assert fp16_flops_per_clock("7.5", "NVIDIA T400 4GB") == 128
    assert fp16_flops_per_clock("7.5", "Quadro T2000 with Max-Q Design") == 128
    assert fp16_flops_per_clock("7.5", None) == 512
    assert fp16_flops_per_clock("99.0", "NVIDIA of tomorrow") is None


@pytest.mark.parametrize("rates", [{}, {"fp16_flops_per_clock": 512, "clock_max_hz": None}, {"clock_max_hz": 1e9}])
def test_an_unknown_gpu_is_measured_and_not_judged(rates):
    assert throughput.expected(rates, 40) is None
    assert verdict(throughput.judged(1e12, None, rates, {})) == ("pass", None)


# ---------------------------------------------------------------- the verdict

RATES = {"clock_hz": 345e6, "clock_max_hz": 1410e6, "power_limit_watts": 100.0, "power_default_watts": 400.0}


@pytest.mark.parametrize(("share", "expected"), [(0.9, ("pass", None)), (0.4, ("pass", None)), (0.39, ("warn", "slow_device"))])
def test_a_rate_is_judged_by_its_share_of_the_expected_one(share, expected):
    assert verdict(throughput.judged(share * 100e12, 100e12, RATES, {})) == expected


def test_a_slow_gpu_is_told_with_what_may_explain_it():
    result = throughput.judged(10e12, 312e12, {**RATES, "throttle_reasons": ["power_cap", "thermal"]}, {})
    assert result.message == (
        "10.0 TFLOP/s in half precision, 3% of the 312.0 expected; its clock was 345 MHz of 1410 MHz before the run; "
        "its power is capped at 100 W of 400 W; it is held back by power_cap, thermal"
    )


def test_what_nvml_says_of_the_busy_gpu_stands_before_what_the_host_said_of_the_idle_one():
    busy = {
        "busy_clock_hz": 600e6,
        "busy_throttle_reasons": ["thermal"],
        "busy_power_watts": 80.5,
        "busy_temperature_celsius": 91,
    }
    assert throughput.circumstances({**RATES, "throttle_reasons": ["power_cap", "thermal"]}, busy) == [
        "its clock was 600 MHz of 1410 MHz while busy",
        "its power is capped at 100 W of 400 W",
        "it is held back by thermal, power_cap",
        "91 °C and 80.5 W while busy",
    ]


@pytest.mark.parametrize(
    ("rates", "busy"),
    [
        ({}, {"busy_clock_hz": 6e8}),  # of what is unknown
        ({"clock_max_hz": 1e9}, {}),
        ({"power_limit_watts": 400.0, "power_default_watts": 400.0}, {}),  # no cap
        ({"power_limit_watts": 100.0}, {}),
        ({"power_default_watts": 400.0}, {}),
        ({}, {"busy_power_watts": 80.0}),
        ({}, {"busy_temperature_celsius": 80}),
    ],
)
def test_what_is_half_known_explains_nothing(rates, busy):
    assert throughput.circumstances(rates, busy) == []
