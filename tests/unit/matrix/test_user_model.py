"""``path.py:factory`` and its input: what is refused, with which words; what travels."""

from __future__ import annotations

import re
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


@pytest.mark.parametrize(
    "text", ["1x640x640", "16", "3x224x224,16", "1x1x1x1x1x1x1x1", ",".join(["1"] * 8), "16384x16384", "268435456,268435456"]
)
def test_shapes(text: str) -> None:
    assert user_model.shapes(text) == text


@pytest.mark.parametrize(
    "text", ["", "0x3", "3x", "3X4", "-1", "3,", "3 x 4", "1x1x1x1x1x1x1x1x1", ",".join(["1"] * 9), "1234567890"]
)
def test_what_is_not_a_shape_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a shape such as"):
        user_model.shapes(text)


@pytest.mark.parametrize("text", ["268435457", "16384x16385", "3x4,16384x16385"])
def test_a_shape_too_large_for_any_gpu_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"'(268435457|16384x16385)' has more than 268435456 elements"):
        user_model.shapes(text)


FLOATS = ["float32", "float", "float64", "double", "float16", "bfloat16"]
INTEGERS = ["long", "int64", "int", "int32", "uint8"]


@pytest.mark.parametrize(
    "text", [*FLOATS, *INTEGERS, *(f"{name}:30000" for name in INTEGERS), "long:1", "long:999999999", "float16,long:9", "bool"]
)
def test_dtypes(text: str) -> None:
    assert user_model.dtypes(text) == text


@pytest.mark.parametrize("text", ["", "long:0", "long:x", "long:1000000000", "quint8", "float32;long", "float32,", "long:9:9"])
def test_what_is_not_a_dtype_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a dtype"):
        user_model.dtypes(text)


@pytest.mark.parametrize("name", [*FLOATS, "bool"])
def test_only_integers_have_a_bound(name: str) -> None:
    with pytest.raises(ValueError, match=f"'{name}:3': only integers have a bound"):
        user_model.dtypes(f"long:3,{name}:3")


@pytest.mark.parametrize("text", ["0", "1", "4096"])
def test_batches(text: str) -> None:
    assert user_model.batch(text) == text


def test_a_batch_has_one_spelling() -> None:
    assert user_model.batch("007") == "7"


@pytest.mark.parametrize("text", ["float16", "bfloat16"])
def test_what_autocast_casts_to(text: str) -> None:
    assert user_model.amp_dtype(text) == text


@pytest.mark.parametrize("text", ["", "float32", "fp16", "FLOAT16"])
def test_what_autocast_does_not_cast_to_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not float16 or bfloat16"):
        user_model.amp_dtype(text)


@pytest.mark.parametrize("text", ["-1", "x", "1.5", "", "4097", "99999", "000001", "²"])
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
    net.write_text("from elsewhere import *\nimport nets.small as tiny, os.path\nasync def later(): ...\n")
    for factory in ("anything", "tiny", "os", "later"):
        assert user_model.from_file(net, factory, "9").factory == factory
    net.write_text("import nets.small as tiny\nprint(nets)\n")
    with pytest.raises(ValueError, match=r"net\.py defines no 'nets'"):
        user_model.from_file(net, "nets", "9")
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
    head = "def build(): ...\n#"
    net.write_text(head + "#" * (256 * 1024 - len(head)))
    assert len(user_model.from_file(net, "build", "9").content or b"") == 256 * 1024
    net.write_text(head + "#" * (256 * 1024 - len(head) + 1))
    with pytest.raises(ValueError, match="more than 256 KiB"):
        user_model.from_file(net, "build", "9")


@pytest.mark.parametrize("name", ["net-1.py", "net", "ne t.py", ".py"])
def test_a_file_that_cannot_be_imported_by_its_name_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="is not the name of a Python file"):
        user_model.from_file(tmp_path / name, "build", "9")


def test_more_dtypes_than_inputs_are_refused() -> None:
    assert user_model.from_module("a", "b", "9,9", dtype="float32,long").dtype == "float32,long"
    assert user_model.from_module("a", "b", "9,9,9", dtype="float32,long").dtype == "float32,long"
    with pytest.raises(ValueError, match="more dtypes than"):
        user_model.from_module("a", "b", "9", dtype="float32,long")


@pytest.mark.parametrize(
    ("name", "wrong", "problem"),
    [
        ("dtype", "flot32", "is not a dtype; did you mean 'float32'?"),
        ("loss", "a b", "is not auto, mean, cross_entropy, or the name of a function"),
        ("batch_size", "-1", "is not a number of samples"),
        ("amp", "int8", "is not float16 or bfloat16"),
    ],
)
def test_every_option_of_a_model_is_checked(name: str, wrong: str, problem: str) -> None:
    with pytest.raises(ValueError, match=re.escape(problem)):
        user_model.from_module("a", "b", "9", **{name: wrong})


def test_what_is_wrong_with_a_module_or_its_factory_is_said() -> None:
    with pytest.raises(ValueError, match="'a-b' is not the name of a module"):
        user_model.from_module("a-b", "b", "9")
    with pytest.raises(ValueError, match="'b-c' is not the name of a function or class"):
        user_model.split("a:b-c")
