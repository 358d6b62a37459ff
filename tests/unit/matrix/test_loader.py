"""matrix.yaml → Matrix: what a valid file becomes."""

from __future__ import annotations

from pathlib import Path

import pytest

from validator.matrix import load
from validator.model import (
    BuildOptions,
    BuiltImage,
    Environment,
    Expectation,
    HostInterpreter,
    Level,
    Limits,
    Matrix,
    PackageOptions,
    PulledImage,
    Status,
    Target,
    UserModel,
    Where,
)


def loaded(folder: Path, text: str) -> Matrix:
    file = folder / "matrix.yaml"
    file.write_text("version: 1\n" + text)
    return load(file)


def environments(folder: Path, text: str) -> tuple[Environment, ...]:
    return loaded(folder, "environments:\n" + text).environments


@pytest.fixture
def wheel(tmp_path: Path) -> Path:
    folder = tmp_path / "images" / "wheel"
    folder.mkdir(parents=True)
    (folder / "Dockerfile").write_text("FROM scratch\n")
    return folder


def test_the_smallest_matrix_has_every_default(tmp_path: Path) -> None:
    matrix = loaded(tmp_path, "environments:\n  - image: debian:bookworm\n")
    file = str(tmp_path / "matrix.yaml")
    assert matrix == Matrix(
        file=file,
        environments=(Environment("debian-bookworm", PulledImage("debian:bookworm"), Where(file, 3)),),
        targets=(Target("host", is_host=True),),
    )


def test_axes_fill_the_reference_and_describe_the_environment(tmp_path: Path) -> None:
    made = environments(
        tmp_path,
        "  - image: pytorch/pytorch:{torch}-cuda{cuda}-cudnn9-runtime\n    torch: [2.6.0, 2.7.1]\n    cuda: 12.6\n",
    )
    assert [(e.id, e.source, e.torch, e.cuda, e.channel, e.python) for e in made] == [
        (
            f"torch{torch}-cu126",
            PulledImage(f"pytorch/pytorch:{torch}-cuda12.6-cudnn9-runtime"),
            torch,
            "12.6",
            "cu126",
            None,
        )
        for torch in ("2.6.0", "2.7.1")
    ]


def test_versions_arrive_as_written(tmp_path: Path) -> None:
    (one,) = environments(tmp_path, "  - image: x:{torch}-{cuda}-{python}\n    torch: 2.10\n    cuda: 12.10\n    python: 3.10\n")
    assert (one.torch, one.cuda, one.python) == ("2.10", "12.10", "3.10")
    assert one.source == PulledImage("x:2.10-12.10-3.10")
    assert one.id == "torch2.10-cu1210-py3.10"


def test_include_and_exclude(tmp_path: Path) -> None:
    made = environments(
        tmp_path,
        "  - image: x:{torch}-{cuda}\n    torch: [2.6.0, 2.7.1]\n    cuda: [12.4, 12.8]\n"
        "    exclude: [{torch: 2.6.0, cuda: 12.8}]\n    include: [{torch: 2.9.1, cuda: 13.0}]\n",
    )
    assert [e.id for e in made] == ["torch2.6.0-cu124", "torch2.7.1-cu124", "torch2.7.1-cu128", "torch2.9.1-cu130"]


def test_free_axes_fill_placeholders_and_ids(tmp_path: Path) -> None:
    made = environments(tmp_path, "  - image: nvcr.io/nvidia/pytorch:{release}-py3\n    axes: {release: [25.01, 25.10]}\n")
    assert [(e.id, e.source) for e in made] == [
        ("pytorch-25.01-py3", PulledImage("nvcr.io/nvidia/pytorch:25.01-py3")),
        ("pytorch-25.10-py3", PulledImage("nvcr.io/nvidia/pytorch:25.10-py3")),
    ]


def test_a_name_makes_the_id(tmp_path: Path) -> None:
    made = environments(tmp_path, '  - image: x:{torch}\n    torch: [2.6.0, 2.7.1]\n    name: "ours-{torch}"\n')
    assert [e.id for e in made] == ["ours-2.6.0", "ours-2.7.1"]


def test_how_an_image_is_entered(tmp_path: Path) -> None:
    as_is, other = environments(
        tmp_path, "  - image: a\n  - {image: b, entrypoint: none, python_command: /opt/conda/bin/python}\n"
    )
    assert (as_is.keep_entrypoint, as_is.python_command) == (True, "python3")
    assert (other.keep_entrypoint, other.python_command) == (False, "/opt/conda/bin/python")


def test_the_same_image_may_be_entered_in_two_ways(tmp_path: Path) -> None:
    made = environments(tmp_path, "  - image: a\n  - {image: a, name: a-conda, python_command: /opt/conda/bin/python}\n")
    assert [e.id for e in made] == ["a", "a-conda"]


def test_a_built_image_gets_its_folder_arguments_and_requirements(tmp_path: Path, wheel: Path) -> None:
    (one,) = environments(
        tmp_path,
        "  - build: images/wheel\n    torch: 2.13.0\n    cuda: cpu\n    axes: {flavour: slim}\n"
        '    args: {BASE_IMAGE: "python:3.12-{flavour}", EMPTY: ""}\n    requirements: ["numpy<2", pillow]\n',
    )
    assert one.source == BuiltImage(
        wheel, {"FLAVOUR": "slim", "BASE_IMAGE": "python:3.12-slim", "EMPTY": ""}, ("numpy<2", "pillow")
    )
    assert one.id == "torch2.13.0-cpu-flavourslim"
    assert one.is_cpu


def test_a_built_image_has_numpy_unless_told_otherwise(tmp_path: Path, wheel: Path) -> None:
    made = environments(
        tmp_path, "  - {build: images/wheel, torch: 2.12.0}\n  - {build: images/wheel, torch: 2.13.0, requirements: []}\n"
    )
    assert [e.source.requirements for e in made if isinstance(e.source, BuiltImage)] == [("numpy",), ()]


def test_a_build_folder_may_be_absolute_and_gives_the_id_where_torch_does_not(tmp_path: Path, wheel: Path) -> None:
    (one,) = environments(tmp_path, f"  - build: {wheel}\n")
    assert (one.id, one.source) == ("wheel", BuiltImage(wheel, {}, ("numpy",)))


def test_relative_paths_begin_at_the_folder_of_the_file(tmp_path: Path, wheel: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "matrix.yaml").write_text("version: 1\nenvironments: [{build: images/wheel}]\npackages: {find_links: [images]}\n")
    monkeypatch.chdir(tmp_path.parent)
    matrix = load(Path(tmp_path.name) / "matrix.yaml")
    assert isinstance(matrix.environments[0].source, BuiltImage)
    assert matrix.environments[0].source.context == wheel
    assert matrix.packages.find_links == (str(tmp_path / "images"),)
    assert matrix.facts is None
    assert matrix.file == f"{tmp_path.name}/matrix.yaml", "shown as the user wrote it"


def test_facts_of_ones_own_are_a_file_beside_the_matrix(tmp_path: Path, wheel: Path) -> None:
    (tmp_path / "mine.yaml").write_text("gpus: {}\n")
    (tmp_path / "matrix.yaml").write_text("version: 1\nenvironments: [{build: images/wheel}]\nfacts: mine.yaml\n")
    assert load(tmp_path / "matrix.yaml").facts == tmp_path / "mine.yaml"


def test_an_interpreter_is_used_as_it_is_named(tmp_path: Path) -> None:
    absolute, relative = environments(tmp_path, "  - interpreter: /opt/conda/bin/python\n  - interpreter: venv/bin/python\n")
    assert (absolute.id, absolute.source) == ("python-opt-conda-bin-python", HostInterpreter(Path("/opt/conda/bin/python")))
    assert relative.source == HostInterpreter(tmp_path / "venv/bin/python")


def test_a_link_to_an_interpreter_is_not_followed(tmp_path: Path) -> None:
    """A virtual environment is known by the path of its link, not by the interpreter that the link leads to."""
    (tmp_path / "python").symlink_to("/usr/bin/env")
    (one,) = environments(tmp_path, "  - {interpreter: ./python, name: linked}\n")
    assert one.source == HostInterpreter(tmp_path / "python")


def test_targets(tmp_path: Path) -> None:
    matrix = loaded(
        tmp_path,
        "environments: [{image: a}]\ntargets:\n  - host\n  - {gpu: [Tesla T4, NVIDIA L4], driver: [535.183.01, 580.95.05],\n"
        "     exclude: [{gpu: NVIDIA L4, driver: 535.183.01}], include: [{gpu: NVIDIA B200, driver: 590.10}]}\n"
        "  - {compute_capability: 9.0}\n",
    )
    assert matrix.targets == (
        Target("host", is_host=True),
        Target("t4-535.183.01", gpu="Tesla T4", driver="535.183.01"),
        Target("t4-580.95.05", gpu="Tesla T4", driver="580.95.05"),
        Target("l4-580.95.05", gpu="NVIDIA L4", driver="580.95.05"),
        Target("b200-590.10", gpu="NVIDIA B200", driver="590.10"),
        Target("sm90", compute_capability="9.0"),
    )


def test_settings(tmp_path: Path) -> None:
    (tmp_path / "wheels").mkdir()
    matrix = loaded(
        tmp_path,
        "environments: [{image: a}]\n"
        "checks: {train_amp_bf16: advisory, device: skip}\n"
        "limits: {timeout: 1h30m, memory: 1.5g, shm: 64m, scratch: 2GiB, pids: 512}\n"
        "pull: never\nbuild: {network: host}\n"
        'packages: {index: https://a/simple, extra_indexes: [https://b], find_links: [wheels, https://c/x], channel_url: ""}\n'
        'expect: {"a@host": fail, "*": pass}\n',
    )
    file = str(tmp_path / "matrix.yaml")
    assert matrix.levels == {"train_amp_bf16": Level.ADVISORY, "device": Level.SKIP}
    assert matrix.limits == Limits(5400.0, 3 << 29, 64 << 20, 2 << 30, 512)
    assert matrix.pull == "never"
    assert matrix.build == BuildOptions("host")
    assert matrix.packages == PackageOptions("https://a/simple", ("https://b",), (str(tmp_path / "wheels"), "https://c/x"), "")
    assert matrix.expectations == (
        Expectation("a@host", Status.FAIL, Where(file, 8)),
        Expectation("*", Status.PASS, Where(file, 8)),
    )


def test_a_model_is_read_so_that_it_can_travel(tmp_path: Path) -> None:
    source = "def build():\n    ...\n"
    (tmp_path / "nets").mkdir()
    (tmp_path / "nets" / "net.py").write_text(source)
    text = "environments: [{image: a}]\nmodel:\n  file: nets/net.py\n  factory: build\n  input: 3x32x32,16\n"
    model = loaded(tmp_path, text + "  dtype: float32,long:100\n  loss: cross_entropy\n  batch: 4\n  amp: bfloat16\n").model
    assert model == UserModel(
        file="net.py",
        content=source.encode(),
        module=None,
        factory="build",
        input="3x32x32,16",
        dtype="float32,long:100",
        loss="cross_entropy",
        batch="4",
        amp="bfloat16",
    )
    module = "environments: [{image: a}]\nmodel: {module: torchvision.models, factory: resnet18, input: 3x64x64}\n"
    assert loaded(tmp_path, module).model == UserModel(None, None, "torchvision.models", "resnet18", "3x64x64")


def test_limits_not_set_keep_their_defaults(tmp_path: Path) -> None:
    assert loaded(tmp_path, "environments: [{image: a}]\nlimits: {pids: 99}\n").limits == Limits(pids=99)


def test_no_channel_url_is_not_an_empty_one(tmp_path: Path) -> None:
    assert loaded(tmp_path, "environments: [{image: a}]\n").packages.channel_url is None


def test_the_shipped_matrix_loads() -> None:
    matrix = load(Path(__file__).parents[3] / "matrix.yaml")
    cpu = [one for one in matrix.environments if one.is_cpu]
    assert [(one.id, one.python) for one in cpu] == [("torch2.13.0-cpu", None)]
    assert all(one.torch for one in matrix.environments)
    assert len({one.cuda for one in matrix.environments}) > 4, "old drivers to new ones"
    assert matrix.targets[0] == Target("host", is_host=True)
    assert len({one.gpu for one in matrix.targets}) > 6


def test_environments_and_targets_know_the_line_that_asks_for_them(tmp_path: Path) -> None:
    entries = "environments:\n  - image: a:1\n  - {image: 'b:{torch}', torch: ['2.6.0', '2.7.1']}\n"
    matrix = loaded(tmp_path, entries + "targets:\n  - host\n\n  - {gpu: [Tesla T4, NVIDIA L4], driver: '580.95.05'}\n")
    assert [each.where for each in matrix.environments] == [Where(matrix.file, line) for line in (3, 4, 4)]
    assert [each.where for each in matrix.targets] == [Where(matrix.file, line) for line in (6, 8, 8)]
    (host,) = loaded(tmp_path, "environments:\n  - image: a:1\n").targets
    assert host.where == Where(matrix.file, 1), "where nobody wrote it, the file as a whole asks for it"
