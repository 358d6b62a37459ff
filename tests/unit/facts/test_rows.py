"""What the rows of the facts derive from their fields."""

from __future__ import annotations

from dataclasses import replace

import pytest

from validator.facts import load


@pytest.mark.parametrize("other", [{}, {"linux_aarch64": "cpu"}])
def test_what_a_plain_install_gives_depends_on_the_platform(other: dict[str, str]) -> None:
    release = replace(next(iter(load().releases.values())), default="12.8", default_other=other)
    assert release.default_on("linux_x86_64") == "12.8"
    assert release.default_on("windows") == "cpu"
    assert release.default_on("linux_aarch64") == ("cpu" if other else "12.8")
    assert replace(release, default_other={"windows": "12.6"}).default_on("windows") == "12.6"
