"""What `validator host` says of a GPU that is held below its rate."""

from dataclasses import replace

from values import L4

from validator.model import GpuClocks
from validator.report.answers.host import _gpu


def test_a_power_cap_and_what_holds_the_clock_down_are_told() -> None:
    text = "\n".join(_gpu(L4))
    assert "power capped at 60 W of 72 W" in text
    assert "clock held down by power_cap" in text


def test_nothing_is_told_of_a_gpu_that_nothing_holds_down() -> None:
    free = replace(L4, clocks=GpuClocks(210e6, 2040e6, 72.0, 72.0))
    assert _gpu(free) == _gpu(replace(L4, clocks=None))
