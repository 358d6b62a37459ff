"""What a GPU should do, by its capability and, where cards of one capability differ, by its name."""

from __future__ import annotations

from dataclasses import replace

import pytest
from values import T4

from validator.model import GpuClocks
from validator.probe_host.rates import fp16_flops_per_clock, of


@pytest.mark.parametrize(
    ("compute_capability", "name", "flops"),
    [
        ("7.5", "Tesla T4", 512),
        ("7.5", "NVIDIA T400 4GB", 128),
        ("7.5", "NVIDIA GeForce GTX 1650", 128),  # "GTX 16" begins a name, the others are whole words
        ("7.5", "NVIDIA T4000", 512),
        ("8.0", "NVIDIA T400 4GB", 2048),  # the names count for one capability only
        ("7.5", None, 512),
        ("9.0", "NVIDIA H200", 4096),
        ("9.0", "NVIDIA H20", 1024),
        ("99.0", "NVIDIA H20", None),
        (None, "NVIDIA H20", None),
    ],
)
def test_operations_in_a_clock(compute_capability: str | None, name: str | None, flops: int | None) -> None:
    assert fp16_flops_per_clock(compute_capability, name) == flops


def test_what_the_probe_is_told_of_a_gpu() -> None:
    clocks = GpuClocks(300e6, 1590e6, 60.0, 70.0, ("power_cap", "thermal"))
    assert of(replace(T4, clocks=clocks)) == {
        "fp16_flops_per_clock": 512,
        "clock_hz": 300e6,
        "clock_max_hz": 1590e6,
        "power_limit_watts": 60.0,
        "power_default_watts": 70.0,
        "throttle_reasons": ["power_cap", "thermal"],
    }


def test_a_gpu_whose_clocks_are_unknown_is_told_by_its_capability_alone() -> None:
    told = of(replace(T4, clocks=None))
    assert told.pop("fp16_flops_per_clock") == 512
    assert told.pop("throttle_reasons") == []
    assert set(told.values()) == {None}
