"""A torch of lists for the checks (tests/small_torch), and the two places that they run in."""

import sys

import pytest
import small_torch

from validator.probe.context import Context


@pytest.fixture
def torch(monkeypatch):
    """What the checks get for torch; a test breaks it by putting something else into it."""
    found = small_torch.fresh()
    monkeypatch.setattr(Context, "torch", found)
    monkeypatch.setitem(sys.modules, "torch", found)
    monkeypatch.setitem(sys.modules, "torch.cuda", found.cuda)
    return found


@pytest.fixture
def cpu(torch):
    return Context("cpu", None)


@pytest.fixture
def gpu(torch):
    return Context("cuda", None)
