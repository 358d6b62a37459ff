"""What uv and pip are configured to do, file by file and variable by variable."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from validator.base.errors import InvalidInputError
from validator.runners.packages import config
from validator.runners.packages.config import Setting, is_true, of_pip, of_uv


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The environment variables of a machine on which nothing is configured."""
    monkeypatch.setattr(config, "SYSTEM_FOLDER", tmp_path / "etc")
    monkeypatch.setattr(sys, "prefix", str(tmp_path / "prefix"))
    return {"HOME": str(tmp_path / "home")}


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("text", "on"),
    [*((text, True) for text in ("1", "TRUE", " yes ", "on", "y", "t")), *((text, False) for text in ("0", "", "off", "tr"))],
)
def test_words_of_a_switch(text: str, on: bool) -> None:
    assert is_true(text) is on


# ---------------------------------------------------------------- pip

#: From weakest to strongest.
PIP_FILES = (
    "xdg2/pip/pip.conf",
    "xdg1/pip/pip.conf",
    "etc/pip.conf",
    "home/.pip/pip.conf",
    "conf/pip/pip.conf",
    "prefix/pip.conf",
    "named",
)


def test_of_pips_files_the_later_one_wins(machine: dict[str, str], tmp_path: Path) -> None:
    machine |= {
        "XDG_CONFIG_DIRS": f"{tmp_path / 'xdg1'}:{tmp_path / 'xdg2'}:",
        "XDG_CONFIG_HOME": str(tmp_path / "conf"),
        "PIP_CONFIG_FILE": str(tmp_path / "named"),
    }
    for number, name in enumerate(PIP_FILES):
        file = write(tmp_path / name, f"[global]\nindex-url = https://{number}\n")
        shown = "~/.pip/pip.conf" if name.startswith("home") else str(file)
        assert of_pip(machine) == {"index-url": Setting((f"https://{number}",), (shown,))}


def test_the_home_folder_has_pips_file_where_no_other_place_is_named(machine: dict[str, str], tmp_path: Path) -> None:
    write(tmp_path / "home/.config/pip/pip.conf", "[global]\nproxy = a:1\n")
    write(tmp_path / "etc/xdg/pip/pip.conf", "[global]\nproxy = b:1\ncert = c\n")
    settings = of_pip(machine)
    assert settings["proxy"] == Setting(("a:1",), ("~/.config/pip/pip.conf",))
    assert settings["cert"] == Setting(("c",), (str(tmp_path / "etc/xdg/pip/pip.conf"),))


def test_pips_options_are_read_in_every_spelling_and_others_left_alone(machine: dict[str, str], tmp_path: Path) -> None:
    write(
        tmp_path / "etc/pip.conf",
        "[global]\n--extra-index-url = https://a\n  https://b\nfind_links = /w\ntimeout = 9\nclient-cert = c d\ntrusted-host =\n"
        "[freeze]\nindex-url = https://no\n",
    )
    file = str(tmp_path / "etc/pip.conf")
    assert of_pip(machine) == {
        "extra-index-url": Setting(("https://a", "https://b"), (file,)),
        "find-links": Setting(("/w",), (file,)),
        "client-cert": Setting(("c d",), (file,)),  # no list: a name may hold a space
    }


def test_pips_variables_win_over_its_files_and_an_empty_one_is_not_set(machine: dict[str, str], tmp_path: Path) -> None:
    write(tmp_path / "etc/pip.conf", "[install]\nindex-url = https://file\nno-index = true\n")
    machine |= {"PIP_NO_INDEX": " ", "PIP_INDEX_URL": " https://variable ", "PIP_TRUSTED_HOST": "a b", "PIP_TIMEOUT": "9"}
    assert of_pip(machine) == {
        "index-url": Setting(("https://variable",), ("PIP_INDEX_URL",)),
        "no-index": Setting(("true",), (str(tmp_path / "etc/pip.conf"),)),
        "trusted-host": Setting(("a", "b"), ("PIP_TRUSTED_HOST",)),
    }


# ---------------------------------------------------------------- uv


def test_every_variable_of_uv(machine: dict[str, str]) -> None:
    machine |= {
        "UV_DEFAULT_INDEX": "corp=https://default",
        "UV_INDEX": "a=https://a https://b",
        "UV_EXTRA_INDEX_URL": "https://b https://c",
        "UV_FIND_LINKS": "/w one, https://links",
        "UV_NO_INDEX": "true",
        "UV_INSECURE_HOST": "h1 h2",
    }
    assert of_uv(machine) == {
        "index-url": Setting(("https://default",), ("UV_DEFAULT_INDEX",)),
        "extra-index-url": Setting(("https://a", "https://b", "https://c"), ("UV_INDEX", "UV_EXTRA_INDEX_URL")),
        "find-links": Setting(("/w one", "https://links"), ("UV_FIND_LINKS",)),
        "no-index": Setting(("true",), ("UV_NO_INDEX",)),
        "trusted-host": Setting(("h1", "h2"), ("UV_INSECURE_HOST",)),
    }


def test_of_two_default_indexes_the_newer_variable_counts(machine: dict[str, str]) -> None:
    assert of_uv({**machine, "UV_INDEX_URL": "https://old"})["index-url"].value == "https://old"
    assert of_uv({**machine, "UV_INDEX_URL": "https://old", "UV_DEFAULT_INDEX": "https://new"})["index-url"].value == "https://new"


def test_every_option_of_a_uv_toml(machine: dict[str, str], tmp_path: Path) -> None:
    write(
        tmp_path / "home/.config/uv/uv.toml",
        """
        index-url = "https://weaker"
        extra-index-url = ["https://e"]
        find-links = ["/f"]
        allow-insecure-host = ["h"]
        no-index = true
        [pip]
        index-url = "https://stronger"
        find-links = ["/p"]
        [[index]]
        url = "https://joined"
        [[index]]
        url = "/flat"
        format = "flat"
        [[index]]
        url = "https://named-only"
        explicit = true
        """,
    )
    found = {name: setting.values for name, setting in of_uv(machine).items()}
    assert found == {
        "index-url": ("https://stronger",),
        "extra-index-url": ("https://joined", "https://e"),
        "find-links": ("/p", "/flat", "/f"),
        "trusted-host": ("h",),
        "no-index": ("true",),
    }
    assert {setting.origins for setting in of_uv(machine).values()} == {("~/.config/uv/uv.toml",)}


def test_the_users_uv_toml_goes_before_the_systems_and_of_those_the_first_counts(
    machine: dict[str, str], tmp_path: Path
) -> None:
    machine["XDG_CONFIG_DIRS"] = str(tmp_path / "xdg")
    text = 'index-url = "https://{0}"\nfind-links = ["/{0}"]\nno-index = false\n'
    write(tmp_path / "etc/uv/uv.toml", text.format("etc"))
    assert of_uv(machine)["find-links"].values == ("/etc",)
    write(tmp_path / "xdg/uv/uv.toml", text.format("xdg"))
    assert of_uv(machine)["find-links"].values == ("/xdg",)
    write(tmp_path / "home/.config/uv/uv.toml", text.format("home"))
    found = of_uv(machine)
    assert found["index-url"].value == "https://home"
    assert found["find-links"] == Setting(("/home", "/xdg"), ("~/.config/uv/uv.toml", str(tmp_path / "xdg/uv/uv.toml")))
    assert "no-index" not in found


def test_a_named_uv_toml_is_the_only_one(machine: dict[str, str], tmp_path: Path) -> None:
    write(tmp_path / "home/.config/uv/uv.toml", 'index-url = "https://home"')
    machine["UV_CONFIG_FILE"] = str(write(tmp_path / "mine.toml", 'find-links = "/mine"'))
    assert of_uv(machine) == {"find-links": Setting(("/mine",), (str(tmp_path / "mine.toml"),))}
    assert of_uv({**machine, "UV_NO_CONFIG": "1"}) == {}


def test_a_named_uv_toml_that_is_not_there_is_an_error(machine: dict[str, str], tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match=r"UV_CONFIG_FILE names .*gone\.toml, which does not exist"):
        of_uv({**machine, "UV_CONFIG_FILE": str(tmp_path / "gone.toml")})


@pytest.mark.parametrize(
    "content",
    ['pip = ["x"]', "find-links = [1]", 'index = [1]', "index = {}", '[[index]]\nurl = 3', "[pip]\nextra-index-url = [false]"],
)
def test_a_uv_toml_of_another_shape_is_an_error_with_its_name(content: str, machine: dict[str, str], tmp_path: Path) -> None:
    file = write(tmp_path / "home/.config/uv/uv.toml", content)
    with pytest.raises(InvalidInputError) as caught:
        of_uv(machine)
    assert caught.value.what.startswith(f"{file}: ")
    assert "must be" in caught.value.why


def test_a_byte_order_mark_is_no_part_of_a_file(machine: dict[str, str], tmp_path: Path) -> None:
    write(tmp_path / "home/.config/uv/uv.toml", "\ufefffind-links = '/w'")
    write(tmp_path / "etc/pip.conf", "\ufeff[global]\nproxy = p:1")
    assert of_uv(machine)["find-links"].value == "/w"
    assert of_pip(machine)["proxy"].value == "p:1"


def test_a_file_that_may_not_be_read_is_named(machine: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = write(tmp_path / "etc/pip.conf", "[global]\n")

    def closed(self: Path, encoding: str) -> str:
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(Path, "read_text", closed)
    with pytest.raises(InvalidInputError) as caught:
        of_pip(machine)
    assert (caught.value.what.split(": ")[0], caught.value.why) == (str(file), "Permission denied")


def test_a_setting_does_not_show_its_values() -> None:
    assert "s3cret" not in repr(Setting(("https://ci:s3cret@mirror",), ("PIP_INDEX_URL",)))
