"""``path.py:factory`` and its input: what is refused, with which words; what travels."""

from __future__ import annotations

from pathlib import Path

import pytest

from validator.matrix import user_model


def test_the_last_colon_parts_file_and_factory() -> None:
    assert user_model.split("nets/net.py:build") == ("nets/net.py", "build")
    assert user_model.split("a.b:Net.small") == ("a.b", "Net.small")
    assert user_model.is_file("net.py")
    assert user_model.is_file("./net")
    assert not user_model.is_file("torchvision.models")


@pytest.mark.parametrize("text", ["net.py", ":build", "net.py:", "net.py:build()", "net.py:1x", ""])
def test_what_is_not_a_file_and_a_factory_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"is not"):
        user_model.split(text)


@pytest.mark.parametrize("text", ["1x640x640", "16", "3x224x224,16", "1x1x1x1x1x1x1x1"])
def test_shapes(text: str) -> None:
    assert user_model.shapes(text) == text


@pytest.mark.parametrize(
    "text", ["", "0x3", "3x", "3X4", "-1", "3,", "3 x 4", "1x" * 9 + "1", ",".join(["1"] * 9), "9999999x9999"]
)
def test_what_is_not_a_shape_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"is not a shape|more than"):
        user_model.shapes(text)


@pytest.mark.parametrize("text", ["float32", "long", "long:30000", "float16,long:9", "bool"])
def test_dtypes(text: str) -> None:
    assert user_model.dtypes(text) == text


@pytest.mark.parametrize("text", ["", "float", "float:3", "long:0", "long:x", "quint8", "float32;long"])
def test_what_is_not_a_dtype_is_refused(text: str) -> None:
    if text == "float":
        assert user_model.dtypes(text) == text
        return
    with pytest.raises(ValueError, match=r"is not a dtype|only integers"):
        user_model.dtypes(text)


@pytest.mark.parametrize("text", ["-1", "x", "1.5", "", "99999", "²"])
def test_what_is_not_a_batch_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a number of samples"):
        user_model.batch(text)


def test_a_file_is_looked_at_before_it_travels(tmp_path: Path) -> None:
    net = tmp_path / "net.py"
    net.write_text("class Net: ...\nfrom parts import head\nsmall = Net\n")
    for factory in ("Net", "small", "head", "Net.small"):
        assert user_model.from_file(net, factory, "9").factory == factory
    with pytest.raises(ValueError, match=r"net.py defines no 'smal'; did you mean 'small'\?"):
        user_model.from_file(net, "smal", "9")
    net.write_text("def build(:\n")
    with pytest.raises(ValueError, match=r"net.py, line 1 is not Python"):
        user_model.from_file(net, "build", "9")
    net.write_text("build = " + "-" * 200_000 + "1\n")
    with pytest.raises(ValueError, match="is not Python"):
        user_model.from_file(net, "build", "9")
    net.write_bytes(b"\0")
    with pytest.raises(ValueError, match="is not Python"):
        user_model.from_file(net, "build", "9")


def test_a_file_too_large_to_travel_is_refused_unread(tmp_path: Path) -> None:
    net = tmp_path / "net.py"
    net.write_text("def build(): ...\n" + "#" * user_model.MAX_SOURCE_BYTES)
    with pytest.raises(ValueError, match="more than 256 KiB"):
        user_model.from_file(net, "build", "9")


@pytest.mark.parametrize("name", ["net-1.py", "net", "ne t.py", ".py"])
def test_a_file_that_cannot_be_imported_by_its_name_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="is not the name of a Python file"):
        user_model.from_file(tmp_path / name, "build", "9")


def test_more_dtypes_than_inputs_are_refused() -> None:
    with pytest.raises(ValueError, match="more dtypes than"):
        user_model.from_module("a", "b", "9", dtype="float32,long")
