"""A run is claimed by one process at a time, and by nobody once that has ended."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from validator.run.claim import claim, claimed

RUN = f"run-{os.getpid()}"


def test_a_run_is_claimed_once_and_until_the_claim_is_closed() -> None:
    assert not claimed(RUN)
    first = claim(RUN)
    assert first is not None
    try:
        assert claim(RUN) is None
        assert claimed(RUN)
        assert not claimed(f"{RUN}-another")
    finally:
        first.close()
    assert not claimed(RUN)


def test_who_inherits_a_claim_holds_it_too_and_death_ends_it() -> None:
    held = claim(RUN)
    assert held is not None
    heir = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, pass_fds=[held.fileno()])
    held.close()
    assert claimed(RUN)
    heir.kill()
    heir.communicate()
    assert not claimed(RUN)


def test_what_is_no_name_is_refused_and_claimed_by_nobody() -> None:
    with pytest.raises(OSError, match="too long"):
        claim("x" * 200)
    assert not claimed("x" * 200)
