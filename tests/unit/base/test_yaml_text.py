"""YAML as plain text: what is kept, where it stands, and what is refused."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from validator.base.errors import ExitCode, MatrixError
from validator.base.yaml_text import MAX_BYTES, MAX_DEPTH, MAX_NODES, parse, read


@pytest.mark.parametrize(
    "written",
    [
        "12.10",
        "550.90",
        "3.10",
        "no",
        "Yes",
        "true",
        "null",
        "~",
        "1e3",
        "0x10",
        "0o17",
        "1_000",
        "12:30:45",
        "2026-11-24",
        ".inf",
    ],
)
@pytest.mark.parametrize("quoting", ["{}", '"{}"', "'{}'"])
def test_scalars_stay_as_written(written: str, quoting: str) -> None:
    assert parse(f"key: {quoting.format(written)}", "f").data == {"key": written}


def test_keys_are_text_too() -> None:
    assert parse("1.10: a\nno: b\n", "f").data == {"1.10": "a", "no": "b"}


def test_every_style_of_collection_becomes_plain_values() -> None:
    text = "a:\n  - x\n  - {b: c, d: [e, f]}\ng: |\n  two\n  lines\nh: >-\n  one\n  line\n"
    assert parse(text, "f").data == {"a": ["x", {"b": "c", "d": ["e", "f"]}], "g": "two\nlines\n", "h": "one line"}


def test_an_empty_text_is_a_value_when_it_is_quoted() -> None:
    assert parse('a: ""', "f").data == {"a": ""}


def test_an_explicit_document_with_an_end_is_one_document() -> None:
    assert parse("---\na: b\n...\n", "f").data == {"a": "b"}


def test_lines_of_keys_and_values_are_known() -> None:
    document = parse("# comment\na:\n  - x\n  -\n    b: c\nlong:\n  value\n", "f")
    assert document.line(("a", 0)) == 3
    assert document.line(("a", 1)) == 5, "the mapping begins with its first key"
    assert document.key_line(("a", 1, "b")) == 5
    assert (document.key_line(("long",)), document.line(("long",))) == (6, 7)


def test_a_place_that_is_not_there_has_the_line_of_what_is_above_it() -> None:
    document = parse("a:\n  b: c\n", "f")
    assert document.known(("a", "<tag>", "b", 3)) == ("a", "b")
    assert document.key_line(("a", "missing")) == 1


BILLION_LAUGHS = "a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n"
REFUSED = {
    "anchor": (BILLION_LAUGHS, 1, ["anchors", "write the values out"]),
    "alias": ("a: b\nc: *a\n", 2, ["aliases"]),
    "glob taken for an alias": ("expect:\n  *@t4: fail\n", 2, ["quote a text that begins with & or *"]),
    "python tag": ("a: !!python/object/apply:os.system [true]\n", 1, ["tags", "quote it instead"]),
    "harmless tag": ("a: b\nc: !!str 3.10\n", 2, ["tags", "quote it instead"]),
    "own tag": ("a: !secret x\n", 1, ["tags"]),
    "non-specific tag": ("a: ! x\n", 1, ["tags"]),
    "duplicate key": ("a: 1\nb: 2\n\na: 3\n", 4, ["'a' stands twice", "line 1"]),
    "duplicate key in flow": ("x: {a: 1,\n  a: 2}\n", 2, ["'a' stands twice", "line 1"]),
    "duplicate key, quoted": ('"a": 1\na: 2\n', 2, ["stands twice"]),
    "list as key": ("x: y\n? [a, b]\n: c\n", 2, ["a key must be text"]),
    "mapping as key": ("{{a: b}: c}\n", 1, ["a key must be text"]),
    "empty key": ('x: y\n"": c\n', 2, ["a key must be text"]),
    "merge key": ("a: b\n<<: {c: d}\n", 2, ["merge keys"]),
    "second document": ("a: b\n---\nc: d\n", 2, ["a second document"]),
    "YAML directive": ("%YAML 1.1\n---\na: b\n", 1, ["directives"]),
    "TAG directive": ("%TAG ! tag:example.com,2000:\n---\na: b\n", 1, ["directives"]),
    "unknown directive": ("%FOO bar\n---\na: b\n", 1, ["directives"]),
    "tab as indentation": ("a:\n\tb: c\n", 2, ["not valid YAML", "\\t", "spaces only"]),
    "bracket left open": ("a: [1, 2\nb: c\n", 2, ["not valid YAML", "begins on line 1"]),
    "quote left open": ("a: 'b\n", 2, ["not valid YAML", "quoted scalar", "line 1"]),
    "mapping in a mapping's line": ("a: b: c\n", 1, ["mapping values are not allowed here"]),
    "list after mapping": ("a: b\n- c\n", 2, ["not valid YAML"]),
    "nothing": ("", 1, ["the file is empty", "version: 1"]),
    "comments only": ("# a\n# b\n", 1, ["the file is empty"]),
    "empty document": ("---\n", 1, ["the file is empty"]),
    "key without value": ("a: b\nc:\n", 2, ["'c' has no value"]),
    "item without value": ("a:\n  - x\n  -\n", 3, ["list item has no value"]),
    "placeholder taken for a mapping": ("name: {torch}\n", 1, ["'torch' has no value", 'quote a text such as "{torch}"']),
    "control character": ("\n\na: b\nc: \x07\n", 4, ["U+0007"]),
    "escape beyond Unicode": ('a: b\nc: "\\UFFFFFFFF"\n', 2, ["names no character"]),
    "half a surrogate pair": ('a: b\nc: "\\ud800"\n', 2, ["surrogate"]),
    "too deep, in flow": ("a: b\nc: " + "[" * MAX_DEPTH + "]" * MAX_DEPTH + "\n", 2, ["nested deeper than 16"]),
    "too deep, in blocks": ("".join(" " * n + "a:\n" for n in range(MAX_DEPTH + 1)) + " " * 20 + "a: b", 17, ["nested deeper"]),
    "too many keys and values": ("".join(f"k{n}: v\n" for n in range(MAX_NODES // 2)), MAX_NODES // 2, ["more than 20,000"]),
    "too many values": ("[\n" + "a,\n" * MAX_NODES + "]\n", MAX_NODES + 1, ["more than 20,000"]),
}


def test_where_a_part_begins_is_not_said_if_it_is_the_line_itself() -> None:
    with pytest.raises(MatrixError, match=r"^f:2: not valid YAML: while parsing a flow sequence, expected"):
        parse("a: b\nc: [d}\n", "f")


@pytest.mark.parametrize(("text", "line", "fragments"), REFUSED.values(), ids=REFUSED)
def test_refusal_names_the_line_and_the_way_out(text: str, line: int, fragments: list[str]) -> None:
    with pytest.raises(MatrixError) as caught:
        parse(text, "my.yaml")
    assert caught.value.what.startswith(f"my.yaml:{line}: ")
    assert caught.value.hint
    for fragment in fragments:
        assert fragment in str(caught.value)
    assert caught.value.exit_code is ExitCode.INVALID_INPUT


def test_the_limits_themselves_are_allowed() -> None:
    deepest = "[" * MAX_DEPTH + "]" * MAX_DEPTH
    assert parse(deepest, "f").data
    most = "[" + "a," * (MAX_NODES - 1) + "]"
    assert len(parse(most, "f").data) == MAX_NODES - 1, "the list itself is one value"
    pairs = "".join(f"k{n}: v\n" for n in range(MAX_NODES // 2 - 1))
    assert len(parse(pairs, "f").data) == MAX_NODES // 2 - 1, "keys count too"


def test_a_key_is_shown_without_control_characters_and_credentials() -> None:
    with pytest.raises(MatrixError) as caught:
        parse('"https://me:hunter2@x\\e[31m": a\n"https://me:hunter2@x\\e[31m": b\n', "f")
    assert "hunter2" not in str(caught.value)
    assert "\x1b" not in str(caught.value)


# ---------------------------------------------------------------- files


def test_a_byte_order_mark_is_no_content(tmp_path: Path) -> None:
    file = tmp_path / "m.yaml"
    file.write_bytes(b"\xef\xbb\xbfa: \xc3\xa9\n")
    assert read(file).data == {"a": "é"}


def test_a_file_of_the_largest_size_is_read(tmp_path: Path) -> None:
    file = tmp_path / "m.yaml"
    file.write_text("a: b\n#" + "c" * (MAX_BYTES - 6))
    assert read(file).data == {"a": "b"}


@pytest.mark.parametrize(
    ("content", "start", "fragment"),
    [
        (b"a: b\n" + b"#" * MAX_BYTES, ":1: ", "larger than 256 KiB"),
        (b"\n\nc: d\ne: \xff\n", ":4: ", "not UTF-8 text (byte 0xff)"),
        ("a: b".encode("utf-16"), ":1: ", "not UTF-8"),
        (b"\x7fELF\x02\x01\x01\x00\x80", ":1: ", "not UTF-8"),
        (b"", ":1: ", "the file is empty"),
    ],
    ids=["too large", "Latin-1", "UTF-16", "binary", "empty"],
)
def test_a_file_that_is_no_small_text_is_refused(tmp_path: Path, content: bytes, start: str, fragment: str) -> None:
    file = tmp_path / "m.yaml"
    file.write_bytes(content)
    with pytest.raises(MatrixError) as caught:
        read(file)
    assert caught.value.what.startswith(f"{file}{start}")
    assert fragment in caught.value.what
    assert caught.value.hint


def test_a_missing_file_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(MatrixError, match="there is no such file") as caught:
        read(tmp_path / "absent.yaml")
    assert caught.value.hint


def test_a_path_through_a_file_is_said_so(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(MatrixError, match="Not a directory"):
        read(tmp_path / "file" / "m.yaml")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
def test_an_unreadable_file_is_said_so(tmp_path: Path) -> None:
    file = tmp_path / "m.yaml"
    file.write_text("a: b")
    file.chmod(0)
    with pytest.raises(MatrixError, match="Permission denied"):
        read(file)


@pytest.mark.timeout(30)
@pytest.mark.parametrize("kind", ["folder", "pipe", "device"])
def test_what_is_no_regular_file_is_refused_at_once(tmp_path: Path, kind: str) -> None:
    path = Path("/dev/zero") if kind == "device" else tmp_path / kind
    if kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)  # nobody writes to it: a plain open would wait for ever
    open_before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(MatrixError, match="not a regular file") as caught:
        read(path)
    assert caught.value.hint
    assert len(os.listdir("/proc/self/fd")) == open_before


# ---------------------------------------------------------------- bombs

#: Reads a file under limits of memory and processor time; a MatrixError is the good end, as it is for a user.
GUARDED = """
import resource, sys
from pathlib import Path
from validator.base.errors import MatrixError
from validator.base.yaml_text import read
resource.setrlimit(resource.RLIMIT_AS, (400 << 20, 400 << 20))
resource.setrlimit(resource.RLIMIT_CPU, (30, 30))
try:
    read(Path(sys.argv[1]))
except MatrixError as error:
    print(error)
else:
    print("accepted")
"""
LAUGHS = "a0: &a0 [x]\n" + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 60))
BOMBS = {
    "10 MB of open brackets": ("[" * 10_000_000, "larger than"),
    "10 MB of nested mappings": ("a: {" * 2_500_000, "larger than"),
    "200 KB of open brackets": ("[" * 200_000, "nested deeper"),
    "200 KB of closed nested brackets": ("[" * 100_000 + "]" * 100_000, "nested deeper"),
    "200 KB of nested mappings": ("{a: " * 50_000, "nested deeper"),
    "200 KB of nested dashes": ("- " * 100_000, "nested deeper"),
    "200 KB of nested keys": ("? " * 100_000, "a key must be text"),
    "ever deeper blocks": ("".join(" " * n + "a:\n" for n in range(700)), "nested deeper"),
    "billion laughs": (LAUGHS, "anchors"),
    "a wide list": ("[" + "[]," * 80_000 + "]", "more than 20,000"),
    "many keys": ("".join(f"k{n}: v\n" for n in range(25_000)), "more than 20,000"),
    "one long word": ("a: " + "x" * 250_000, "accepted"),
    "one long quoted text over many lines": ("a: '" + "x\n  " * 60_000 + "'", "accepted"),
    "colons": (":" * 250_000, "not valid YAML"),
    "a key that never ends": ("a" * 250_000 + ": b", "not valid YAML"),
    "blank lines": ("\n" * 250_000 + "a: b", "accepted"),
}


@pytest.mark.timeout(120)
@pytest.mark.parametrize(("text", "outcome"), BOMBS.values(), ids=BOMBS)
def test_a_bomb_is_read_in_bounded_time_and_memory(tmp_path: Path, text: str, outcome: str) -> None:
    file = tmp_path / "bomb.yaml"
    file.write_text(text)
    done = subprocess.run([sys.executable, "-c", GUARDED, str(file)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert outcome in done.stdout
