"""What a wrong matrix.yaml is answered: the line, what was found, what was meant and what to do."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from validator.base.errors import ExitCode, MatrixError
from validator.base.yaml_text import parse
from validator.matrix import load
from validator.matrix.file import (
    BuildEntry,
    EnvironmentEntry,
    LimitsEntry,
    MatrixFile,
    ModelEntry,
    PackagesEntry,
    Section,
    TargetEntry,
    TargetRow,
)
from validator.matrix.messages import validate

HEAD = "version: 1\nenvironments:\n"
IMAGE = HEAD + "  - image: a\n"  # three lines, valid


def refused(folder: Path, text: str) -> MatrixError:
    file = folder / "matrix.yaml"
    file.write_text(text)
    with pytest.raises(MatrixError) as caught:
        load(file)
    assert caught.value.exit_code is ExitCode.INVALID_INPUT
    return caught.value


SCHEMA = {
    "no version": ("environments: [{image: a}]\n", 1, ["`version` is missing", "`version: 1`"]),
    "version 2": ("version: 2\nenvironments: [{image: a}]\n", 1, ["'2'", "1 was meant"]),
    "no environments": ("version: 1\n", 1, ["`environments` is missing", "for example"]),
    "empty environments": ("version: 1\nenvironments: []\n", 2, ["`environments` is empty"]),
    "a list": ("- a\n", 1, ["the file is a list", "a mapping"]),
    "a text": ("a\n", 1, ["the file is the text 'a'", "a mapping"]),
    "unknown key at the top": (
        IMAGE + "target: host\n",
        4,
        ["'target'", "did you mean 'targets'?", "allowed here: version, env"],
    ),
    "unknown key in an environment": (IMAGE + "    cudda: [12.4]\n", 4, ["'cudda'", "did you mean 'cuda'?", "image, build"]),
    "unknown key in a target": (IMAGE + "targets:\n- gpuu: x\n", 5, ["'gpuu'", "did you mean 'gpu'?", "compute_capability"]),
    "unknown key in a target's row": (IMAGE + "targets:\n- gpu: x\n  include: [{drivr: 1.2}]\n", 6, ["did you mean 'driver'?"]),
    "unknown key in limits": (IMAGE + "limits:\n  pids: 9\n  ram: 1g\n", 6, ["'ram'", "timeout, memory"]),
    "unknown key in model": (
        IMAGE + "model: {file: net.py, factory: build, input: 3x4,\n  los: mean}\n",
        5,
        ["unknown key 'los'", "did you mean 'loss'?", "file, module"],
    ),
    "unknown key like a tag": (IMAGE + "<host>: x\n", 4, ["unknown key '<host>'"]),
    "environment is text": (HEAD + "  - debian\n", 3, ["an entry of `environments` is the text 'debian'", "a mapping"]),
    "axis is a mapping": (IMAGE + "    torch: {a: b}\n", 4, ["`torch` is a mapping", "text or a list", '`torch: ["2.13.0"]`']),
    "free axis is a mapping": (
        IMAGE + "    axes:\n      cudnn: {a: b}\n",
        5,
        ["`cudnn` is a mapping", 'for example `axes: {cudnn: ["9"]}`'],
    ),
    "axis of lists": (IMAGE + "    cuda:\n      - cpu\n      - [a]\n", 6, ["an entry of `cuda` is a list", "text was meant"]),
    "empty axis": (IMAGE + "    torch: []\n", 4, ["`torch` is empty"]),
    "axis name": (IMAGE + "    axes: {cuDNN: 9}\n", 4, ["'cuDNN' is not the name of an axis"]),
    "torch among the free axes": (IMAGE + "    axes:\n      torch: 2.6.0\n", 5, ["'torch'", "beside `axes`"]),
    "empty row": (IMAGE + "    exclude:\n      - {}\n", 5, ["an entry of `exclude` is empty"]),
    "entrypoint": (IMAGE + "    entrypoint: imge\n", 4, ["'imge'", "image, none", "did you mean 'image'?"]),
    "python command": (IMAGE + "    python_command: python3 -B\n", 4, ["'python3 -B' is not a command"]),
    "build argument name": (HEAD + "  - build: x\n    args:\n      A-B: c\n", 5, ["'A-B' is not the name of a build argument"]),
    "build argument value": (HEAD + '  - build: x\n    args:\n      A: "b\\nRUN c"\n', 5, ["one line of printable text"]),
    "requirement": (HEAD + "  - build: x\n    requirements:\n      - numpy\n      - -r x\n", 6, ["'-r x' is not a requirement"]),
    "target": (IMAGE + "targets: [hots]\n", 4, ["'hots'", "did you mean 'host'?"]),
    "targets is text": (IMAGE + "targets: host\n", 4, ["`targets` is the text 'host'", "a list was meant"]),
    "level": (IMAGE + "checks: {import: requird}\n", 4, ["'requird'", "required, advisory, skip", "did you mean 'required'?"]),
    "model without an input": (IMAGE + "model: {file: a.py, factory: b}\n", 4, ["`input` is missing", "for example"]),
    "shape": (IMAGE + "model:\n  module: a\n  factory: b\n  input: 1,640,x\n", 7, ["'1,640,x' is not a shape such as 3x640x640"]),
    "dtype": (IMAGE + "model:\n  module: a\n  factory: b\n  input: 9\n  dtype: flot32\n", 8, ["did you mean 'float32'?"]),
    "factory": (IMAGE + "model:\n  module: a\n  factory: b()\n  input: 9\n", 6, ["'b()' is not a name"]),
    "duration": (IMAGE + "limits:\n  timeout: soon\n", 5, ["`timeout`", "'soon' is not a duration such as 90s, 10m or 1h30m"]),
    "size": (IMAGE + "limits:\n  memory: lots\n", 5, ["`memory`", "'lots' is not a size such as 512m"]),
    "size is a list": (IMAGE + "limits:\n  memory: [1g]\n", 5, ["`memory` is a list", "`memory: 16g`"]),
    "pids": (IMAGE + "limits: {pids: -1}\n", 4, ["'-1' is not a number of processes"]),
    "pull": (IMAGE + "pull: allways\n", 4, ["'allways'", "did you mean 'always'?"]),
    "network": (IMAGE + "build: {network: --privileged}\n", 4, ["'--privileged' is not a network mode"]),
    "index": (IMAGE + "packages:\n  index: pypi.org\n", 5, ["'pypi.org' is not a URL"]),
    "facts": (IMAGE + "facts: absent.yaml\n", 4, ["there is no file 'absent.yaml'"]),
    "channel": (IMAGE + "packages: {channel_url: https://x/cu128}\n", 4, ["has no {channel}"]),
    "expected status": (IMAGE + "expect: {a@host: error}\n", 4, ["'error'", "pass, degraded, fail"]),
}
MEANING = {
    "no source": (HEAD + "  - torch: 2.6.0\n", 3, ["does not say where its image comes from", "image, build, interpreter"]),
    "two sources": (HEAD + "  - image: a\n    build: b\n", 3, ["`image` and `build`", "exactly one"]),
    "key of another source": (IMAGE + "    args: {A: b}\n", 4, ["`args` means nothing beside `image`", "`build`"]),
    "entrypoint of an interpreter": (HEAD + "  - interpreter: /x\n    entrypoint: none\n", 4, ["`entrypoint` means nothing"]),
    "torch value": (HEAD + "  - image: a:{torch}\n    torch:\n      - 2.6.0\n      - newest\n", 6, ["'newest'", "torch version"]),
    "cuda value": (
        HEAD + "  - image: a:{cuda}\n    cuda: [cpu,\n      cu128]\n",
        5,
        ["'cu128' is not a CUDA version such as 12.8"],
    ),
    "python value": (HEAD + "  - image: a:{python}\n    python: 3\n", 4, ["'3' is not a Python version such as 3.11"]),
    "value in include": (
        HEAD + "  - image: a:{cuda}\n    include:\n      - cuda: latest\n",
        5,
        ["'latest' is not a CUDA version"],
    ),
    "repeated value": (HEAD + "  - image: a:{torch}\n    torch: [2.6.0,\n      2.6.0]\n", 5, ["stands twice", "`torch`"]),
    "near name in include": (
        IMAGE + "    torch: 2.6.0\n    include: [{tourch: 2.7.1}]\n",
        5,
        ["'tourch'", "did you mean 'torch'?"],
    ),
    "exclude names no axis": (
        IMAGE + "    torch: 2.6.0\n    exclude: [{cuda: cpu}]\n",
        5,
        ["'cuda'", "not an axis", "axes are torch"],
    ),
    "exclude removes nothing": (
        HEAD + "  - image: a:{torch}\n    torch: [2.6.0, 2.7.1]\n    exclude: [{torch: 2.7.0}]\n",
        5,
        ["exclude removes nothing", "'2.7.0'", "did you mean '2.7.1'?"],
    ),
    "all excluded": (IMAGE + "    torch: 2.6.0\n    exclude: [{torch: 2.6.0}]\n", 3, ["removes every combination"]),
    "all targets excluded": (
        IMAGE + "targets:\n- gpu: T4\n  exclude: [{gpu: T4}]\n",
        5,
        ["removes every combination of this target"],
    ),
    "placeholder": (HEAD + "  - image: a:{tourch}\n    torch: 2.6.0\n", 3, ["'{tourch}' names no axis", "did you mean 'torch'?"]),
    "placeholder in a build argument": (
        HEAD + "  - build: w\n    args:\n      A: a\n      B: '{b}'\n",
        6,
        ["`B`", "'{b}' names no axis"],
    ),
    "placeholder in a name": (IMAGE + "    name: x-{torch}\n", 4, ["`name`", "'{torch}' names no axis", "no axes here"]),
    "attribute in a placeholder": (HEAD + '  - image: "a:{0.__class__}"\n', 3, ["names no axis"]),
    "reference": (HEAD + "  - image: Debian\n", 3, ["'Debian' is not an image reference", "lower case"]),
    "newline in a reference": (HEAD + '  - image: "a\\nRUN b"\n', 3, ["is not an image reference", "line breaks"]),
    "option as a reference": (HEAD + "  - image: -v/:/x\n", 3, ["begin with a dash"]),
    "newline by way of an axis": (HEAD + '  - image: a:{x}\n    axes: {x: "b\\nRUN c"}\n', 4, ["one line of printable text"]),
    "id": (IMAGE + "    name: a b\n", 4, ["the id 'a b' is not", "another `name:`"]),
    "long id": (IMAGE + f"    name: {'a' * 101}\n", 4, ["is not 1 to 100"]),
    "build folder": (HEAD + "  - build: absent\n", 3, ["no folder 'absent'", "relative path"]),
    "no Dockerfile": (HEAD + "  - build: .\n", 3, ["has no Dockerfile"]),
    "interpreter without a path": (HEAD + "  - interpreter: python3\n", 3, ["a name, not a path", "/usr/bin/python3"]),
    "one id twice": (IMAGE + "  - image: b/a\n", 4, ["two environments have the id 'a'", "line 3", "`name:`"]),
    "a name that does not vary": (
        HEAD + "  - image: a:{torch}\n    torch: [2.6.0, 2.7.1]\n    name: x\n",
        3,
        ["two environments have the id 'x'"],
    ),
    "axis not used": (
        HEAD + "  - image: a:{torch}\n    torch: 2.6.0\n    python: [3.10, 3.11]\n",
        3,
        ["axis `python` is not used", "'torch2.6.0-py3.10' and 'torch2.6.0-py3.11'", "put {python} into it"],
    ),
    "one image twice": (IMAGE + "  - {image: a, name: b}\n", 4, ["'a' and 'b' are the same environment", "line 3"]),
    "two kinds of target": (
        IMAGE + "targets: [{gpu: T4, compute_capability: 7.5}]\n",
        4,
        ["both `gpu` and `compute_capability`"],
    ),
    "no kind of target": (IMAGE + "targets: [{driver: 535.183.01}]\n", 4, ["neither `gpu` nor"]),
    "driver": (IMAGE + "targets:\n- gpu: T4\n  driver: 580\n", 6, ["'580' is not a driver version such as 580.95.05"]),
    "compute capability": (IMAGE + "targets: [{compute_capability: sm_90}]\n", 4, ["'sm_90' is not a compute capability"]),
    "unpronounceable GPU": (IMAGE + "targets: [{gpu: '（）'}]\n", 4, ["no id can be made"]),
    "one target twice": (
        IMAGE + "targets:\n- {gpu: Tesla T4}\n- {gpu: NVIDIA T4}\n",
        6,
        ["the target 't4' is already on line 5"],
    ),
    "host twice": (IMAGE + "targets: [host,\n  host]\n", 5, ["the target 'host' is already on line 4"]),
    "model of two sources": (
        IMAGE + "model: {file: a.py, module: a, factory: b, input: 9}\n",
        4,
        ["a model has one of `file` and `module`"],
    ),
    "model that is not there": (
        IMAGE + "model:\n  file: a.py\n  factory: b\n  input: 9\n",
        4,
        ["a.py' cannot be read: No such file"],
    ),
    "check": (IMAGE + "checks:\n  train_bf16: skip\n", 5, ["no check 'train_bf16'", "did you mean", "train_amp_bf16"]),
    "glob that matches nothing": (IMAGE + "expect:\n  'a*': pass\n  'b@*': fail\n", 6, ["'b@*' matches no cell", "a@host"]),
    "find_links folder": (
        IMAGE + "packages:\n  find_links:\n  - absent\n",
        6,
        ["`find_links`", "no folder 'absent'", "https://"],
    ),
}
CASES = SCHEMA | MEANING


@pytest.mark.parametrize(("text", "line", "fragments"), CASES.values(), ids=CASES)
def test_error_names_the_line_and_says_what_to_do(tmp_path: Path, text: str, line: int, fragments: list[str]) -> None:
    (tmp_path / "w").mkdir()
    (tmp_path / "w" / "Dockerfile").touch()
    error = refused(tmp_path, text)
    assert error.what.startswith(f"{tmp_path}/matrix.yaml:{line}: ")
    for fragment in fragments:
        assert fragment in str(error)
    assert not re.search(r"Input should|pydantic|valid (string|list|dict|tuple)|str_type|Field required", str(error))


def test_every_error_of_the_file_is_told_in_line_order(tmp_path: Path) -> None:
    error = refused(
        tmp_path,
        "version: 3\nenvironments:\n  - image: a\n    tourch: [2.6.0]\n  - imag: b\n"
        "limits:\n  timeout: soon\n  pids: none\npull: no\n",
    )
    lines = [int(found) for found in re.findall(r"^.*matrix\.yaml:(\d+): ", error.what, re.MULTILINE)]
    assert lines == [1, 4, 5, 7, 8, 9]
    assert len(error.what.splitlines()) == 6


def test_every_error_of_meaning_is_told_in_line_order(tmp_path: Path) -> None:
    error = refused(
        tmp_path, HEAD + "  - image: a:{torch}\n    torch: [x, y]\n  - build: a\n    image: b\nchecks: {nope: skip}\n"
    )
    assert re.findall(r"yaml:(\d+): ", error.what) == ["4", "4", "5", "7"]


def test_a_flood_of_errors_is_cut(tmp_path: Path) -> None:
    error = refused(tmp_path, IMAGE + "".join(f"x{n}: y\n" for n in range(5000)))
    assert len(error.what.splitlines()) == 51
    assert error.what.endswith("and 4950 more")


@pytest.mark.parametrize(
    "text",
    [
        IMAGE + "packages: {index: 'https://me:hunter2@ host/simple'}\n",
        IMAGE + "packages: {index: [https://me:hunter2@host/simple]}\n",
        IMAGE + "packages: {find_links: ['https://me:hunter2@host /x']}\n",
        IMAGE + "packages: {channel_url: https://me:hunter2@host/cu128}\n",
        HEAD + "  - build: w\n    requirements: ['x @ https://me:hunter2@ host/x']\n",
        HEAD + "  - image: https://me:hunter2@host/image\n",
    ],
)
def test_credentials_are_not_repeated(tmp_path: Path, text: str) -> None:
    error = str(refused(tmp_path, text))
    assert "hunter2" not in error
    assert "matrix.yaml:" in error


def test_a_value_is_shown_without_control_characters(tmp_path: Path) -> None:
    assert "\x1b" not in str(refused(tmp_path, HEAD + '  - image: "a\\e[31m"\n'))


# ---------------------------------------------------------------- size

TEN = "[" + ", ".join(str(n) for n in range(10)) + "]"


def axes(count: int) -> str:
    reference = "-".join(f"{{a{n}}}" for n in range(count))
    named = ", ".join(f"a{n}: {TEN}" for n in range(count))
    return HEAD + f"  - image: x:{reference}\n    axes: {{{named}}}\n"


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    ("text", "line", "fragments"),
    [
        (axes(5), 3, ["100,000 environments", "20,000", "split the matrix"]),
        (axes(90), 3, ["more than a million million environments"]),
        (axes(4) + "targets:\n- {gpu: [A, B, C, D, E], driver: [1.1, 1.2, 1.3]}\n", 3, ["150,000 cells", "100,000"]),
        (axes(4) + "    include:\n" + "      - {a0: x}\n" * 2000, 3, ["too many", "2,000 include rows"]),
        (axes(4) + "expect:\n" + "".join(f"  'x*{n}': fail\n" for n in range(2000)), 5, ["2,000 globs", "10,000 cells"]),
    ],
    ids=["environments", "astronomical", "cells", "rows", "globs"],
)
def test_a_matrix_too_large_to_be_meant_is_refused_before_it_is_made(
    tmp_path: Path, text: str, line: int, fragments: list[str]
) -> None:
    error = refused(tmp_path, text)
    assert error.what.startswith(f"{tmp_path}/matrix.yaml:{line}: ")
    for fragment in fragments:
        assert fragment in error.what


@pytest.mark.timeout(60)
def test_a_large_matrix_is_loaded(tmp_path: Path) -> None:
    file = tmp_path / "matrix.yaml"
    file.write_text(axes(4))
    assert len(load(file).environments) == 10_000


# ---------------------------------------------------------------- keys and the source they belong to


@pytest.mark.parametrize("source", ["image: a", "build: w", "interpreter: /opt/conda/bin/python"])
@pytest.mark.parametrize(
    ("key", "value", "sources"),
    [
        ("args", "{A: b}", ["build"]),
        ("requirements", "[numpy]", ["build"]),
        ("python_command", "python3.12", ["image", "build"]),
        ("entrypoint", "none", ["image", "build"]),
        ("torch", "2.6.0", ["image", "build", "interpreter"]),
    ],
)
def test_a_key_is_refused_beside_a_source_for_which_it_means_nothing(
    tmp_path: Path, source: str, key: str, value: str, sources: list[str]
) -> None:
    (tmp_path / "w").mkdir()
    (tmp_path / "w" / "Dockerfile").touch()
    text = HEAD + f"  - {source}\n    {key}: {value}\n"
    kind = source.partition(":")[0]
    if kind in sources:
        (tmp_path / "matrix.yaml").write_text(text)
        assert len(load(tmp_path / "matrix.yaml").environments) == 1
    else:
        only = " or ".join(f"`{name}`" for name in sources)
        problem = f"4: `{key}` means nothing beside `{kind}`, only beside {only}; remove it"
        assert problem in refused(tmp_path, text).what


# ---------------------------------------------------------------- every kind of value at every key

#: A place of a mapping → its model. Each key there gets every wrong kind of value.
PLACES: dict[tuple[str | int, ...], type[Section]] = {
    (): MatrixFile,
    ("environments", 0): EnvironmentEntry,
    ("targets", 0): TargetEntry,
    ("targets", 0, "include", 0): TargetRow,
    ("limits",): LimitsEntry,
    ("build",): BuildEntry,
    ("packages",): PackagesEntry,
    ("model",): ModelEntry,
}
KINDS = ["x", ["x"], {"x": "y"}, [["x"]], [{"x": "y"}], [{}], {"x": ["y"]}, {"x": {"y": "z"}}, [], {}]


def text_with(place: tuple[str | int, ...], key: str, value: object) -> str:
    """A matrix, valid but for what is set at a place."""
    document: dict[str, Any] = {
        "version": "1",
        "environments": [{"image": "a"}],
        "targets": [{"gpu": "T4", "include": [{"driver": "535.183.01"}]}],
        "limits": {},
        "build": {},
        "packages": {},
        "model": {"module": "a", "factory": "b", "input": "9"},
    }
    section: Any = document
    for step in place:
        section = section[step]
    section[key] = value
    return json.dumps(document, indent=1)


@pytest.mark.parametrize("place", PLACES, ids=str)
def test_the_example_in_a_message_is_one_that_may_be_written(tmp_path: Path, place: tuple[str | int, ...]) -> None:
    for key in PLACES[place].model_fields:
        [problem] = refused(tmp_path, text_with(place, key, [["x"]])).what.splitlines()
        example = parse(problem.partition(", for example `")[2].removesuffix("`"), "example").data
        assert isinstance(example, dict), problem
        assert list(example) == [key]
        assert validate(parse(text_with(place, key, example[key]), "m"))


@pytest.mark.parametrize("place", PLACES, ids=str)
@pytest.mark.parametrize("value", KINDS, ids=str)
def test_no_kind_of_value_is_more_than_a_problem_with_a_line(tmp_path: Path, place: tuple[str | int, ...], value: object) -> None:
    file = tmp_path / "matrix.yaml"
    for key in PLACES[place].model_fields:
        file.write_text(text_with(place, key, value))
        problems: list[str] = []
        try:
            load(file)
        except MatrixError as error:
            problems = error.what.splitlines()
        assert [line for line in problems if not re.match(rf"{re.escape(str(file))}:\d+: ", line)] == []
        assert [line for line in problems if re.search(r"pydantic|Input should|_type", line)] == []


def test_the_places_above_are_all_that_there_are() -> None:
    assert set(PLACES.values()) == set(Section.__subclasses__())
