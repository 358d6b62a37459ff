"""What installed packages say of themselves, and when two versions are the same."""

import pytest

from validator.probe import distributions


@pytest.mark.parametrize(
    ("line", "pin"),
    [
        ("torch==2.7.1", ("torch", "2.7.1")),
        ("torch (==2.3.0)", ("torch", "2.3.0")),
        ("nvidia-cudnn-cu12==9.5.1.17; platform_system == 'Linux'", ("nvidia-cudnn-cu12", "9.5.1.17")),
        ("numpy>=1.20", None),
        ("torch==2.*", None),
        ("pillow!=8.3.*,>=5.3.0", None),
        ("scipy==1.0; extra == 'scipy'", None),
    ],
)
def test_exact_demands_are_read_from_metadata_of_either_spelling(monkeypatch, line, pin):
    monkeypatch.setattr(distributions.metadata, "requires", lambda _: ["numpy", line])
    assert distributions.pins("anything") == (dict([pin]) if pin else {})


def test_one_that_demands_nothing_is_damaged_or_is_absent_has_no_pins(monkeypatch):
    monkeypatch.setattr(distributions.metadata, "requires", lambda _: None)
    assert distributions.pins("anything") == {}
    assert distributions.version("no-such-distribution") is None

    def damaged(_):
        raise OSError("METADATA is a folder")

    monkeypatch.setattr(distributions.metadata, "requires", damaged)
    assert distributions.pins("anything") == {}


def test_an_installed_version_is_read():
    assert distributions.version("pytest") == pytest.__version__


def test_on_a_python_before_3_8_nothing_is_known(monkeypatch):
    monkeypatch.setattr(distributions, "metadata", None)
    assert distributions.version("pytest") is None
    assert distributions.pins("pytest") == {}


@pytest.mark.parametrize(
    ("pinned", "installed", "same"),
    [
        ("2.7.1", "2.7.1", True),
        ("2.7.1", "2.7.1+cu126", True),
        ("2.7.1+cu126", "2.7.1+cu126", True),
        ("2.7.1+cu118", "2.7.1+cu126", False),
        ("2.7.1+cu118", "2.7.1", False),
        ("2.7", "2.7.0", True),
        ("2.7.0.0", "2.7", True),
        ("2.7.0", "2.7.1", False),
        ("2.70", "2.7", False),
    ],
)
def test_versions_are_the_same_but_for_zeros_and_a_local_part_that_the_pin_does_not_have(pinned, installed, same):
    assert distributions.same(pinned, installed) is same


def test_the_public_version_is_the_one_without_the_local_part():
    assert distributions.public("2.7.1+cu126") == distributions.public("2.7.1") == "2.7.1"
