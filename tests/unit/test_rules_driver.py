"""Driver floors, branches and kernel modules, on both sides of every boundary."""

from __future__ import annotations

import pytest
from rules_values import causes, status_of

from validator.model import Outlook


# Floors of NVIDIA's release notes, table 2; below CUDA 11 the toolkit's own driver, table 3.
@pytest.mark.parametrize(
    ("torch", "cuda", "gpu", "below", "at"),
    [
        ("2.5.1", "12.4", "NVIDIA A100-SXM4-40GB", "520.61.05", "525.60.13"),
        ("2.5.1", "11.8", "NVIDIA A100-SXM4-40GB", "450.80.01", "450.80.02"),
        ("2.11.0", "13.0", "NVIDIA GeForce RTX 3090", "575.64.03", "580.65.06"),
        ("2.13.0", "13.2", "NVIDIA GeForce RTX 3090", "580.65.05", "580.65.06"),
        ("1.7.1", "10.2", "Tesla V100-SXM2-16GB", "440.32", "440.33"),
        ("1.7.1", "10.1", "Tesla V100-SXM2-16GB", "418.38", "418.39"),
        ("1.2.0", "9.2", "Tesla V100-SXM2-16GB", "396.25", "396.26"),
        ("1.7.1", "11.0", "NVIDIA A100-SXM4-40GB", "450.36.05", "450.36.06"),
    ],
)
def test_a_build_needs_the_floor_of_its_cuda(torch: str, cuda: str, gpu: str, below: str, at: str) -> None:
    assert "driver_too_old" in causes(torch=torch, cuda=cuda, gpu=gpu, driver=below)
    assert "driver_too_old" not in causes(torch=torch, cuda=cuda, gpu=gpu, driver=at)


def test_windows_has_its_own_floors() -> None:
    ada = {"torch": "2.5.1", "cuda": "12.4", "gpu": "RTX 4090", "platform": "windows"}
    assert status_of(**ada, driver="528.24") is Outlook.FAIL
    assert status_of(**ada, driver="528.33") is Outlook.PASS
