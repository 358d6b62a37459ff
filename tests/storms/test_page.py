"""The page and the data are of one mind."""

from __future__ import annotations

from storm_page import PAGE, fixed
from storms import STORMS


def test_the_page_shows_every_storm() -> None:
    lines = PAGE.read_text(encoding="utf-8").splitlines()
    for storm in STORMS:
        assert any(line.startswith(fixed(storm)) for line in lines), f"{storm.id} is not in docs/storms.md: `make storms`"
    assert len([line for line in lines if line.startswith("| ")]) == len(STORMS) + 1
