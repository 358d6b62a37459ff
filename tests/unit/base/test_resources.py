"""Where the files are that ship with the package."""

from __future__ import annotations

from pathlib import Path

import pytest

from validator.base import resources

CHECKOUT = Path(__file__).parents[3]


def test_the_folders_of_the_package_are_there() -> None:
    assert resources.PACKAGE == CHECKOUT / "validator"
    assert (resources.DATA / "checks.yaml").is_file()
    assert (resources.PROBE / "main.py").is_file()


def test_the_shipped_matrix_is_at_the_top_of_a_checkout_and_inside_a_wheel(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert resources.shipped_folder() == CHECKOUT
    monkeypatch.setattr(resources, "DATA", tmp_path)
    (tmp_path / "shipped").mkdir()
    assert resources.shipped_folder() == tmp_path / "shipped"
