"""A machine's GPUs by the UUID that a cell ran on: the whole GPU's, or that of a device cut from it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from values import L4, T4, host

CUT = replace(L4, index=2, uuid="GPU-3", mig_enabled=True, mig_devices=("MIG-1", "MIG-2"))


@pytest.mark.parametrize(
    ("uuid", "found"),
    [("GPU-1111", T4), ("GPU-1", L4), ("GPU-3", CUT), ("MIG-1", CUT), ("MIG-2", CUT), ("MIG-3", None), ("", None), (None, None)],
)
def test_the_gpu_with_a_uuid(uuid: str | None, found: object) -> None:
    assert host(T4, L4, CUT).gpu_with(uuid) is found


def test_a_gpu_that_tells_no_uuid_is_never_the_one_with_none() -> None:
    assert host(replace(T4, uuid=None)).gpu_with(None) is None


def test_what_is_asked_for_to_compute_on_a_gpu() -> None:
    assert (L4.in_slices, L4.device_uuid) == (False, "GPU-1")
    assert (CUT.in_slices, CUT.device_uuid) == (True, "MIG-1")
    uncut = replace(CUT, mig_devices=())
    assert (uncut.in_slices, uncut.device_uuid) == (False, "GPU-3")
