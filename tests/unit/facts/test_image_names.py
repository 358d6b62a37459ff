"""What an image's reference tells, and how a reference is taken apart."""

from __future__ import annotations

import pytest

from validator.base.versions import Dotted
from validator.facts import load
from validator.facts.image_names import Reference, gate_of, plain_reference, read_image, split_reference


@pytest.mark.parametrize(
    ("reference", "parts"),
    [
        ("a", ("a", None, None)),
        ("a:1", ("a", "1", None)),
        ("host:5000/a", ("host:5000/a", None, None)),
        ("host:5000/a/b:1.2", ("host:5000/a/b", "1.2", None)),
        ("a@sha256:cafe", ("a", None, "sha256:cafe")),
        ("host:5000/a:1@sha256:cafe", ("host:5000/a", "1", "sha256:cafe")),
    ],
)
def test_the_port_of_a_registry_is_no_tag(reference: str, parts: tuple[str, str | None, str | None]) -> None:
    assert split_reference(reference) == Reference(*parts)


@pytest.mark.parametrize("hub", ["", "docker.io/", "index.docker.io/", "registry-1.docker.io/"])
def test_docker_hub_by_any_name_is_the_same_image(hub: str) -> None:
    assert plain_reference(f"{hub}pytorch/pytorch@sha256:cafe") == ("pytorch/pytorch", "latest")
    told = read_image(f"{hub}pytorch/pytorch:2.7.1-cuda12.8-cudnn9-runtime", load())
    assert (told.torch, told.cuda, told.requirement, told.compat) == ("2.7.1", "12.8", None, False)


def test_an_image_of_nvidia_has_the_gate_and_the_compat_library_of_its_cuda() -> None:
    told = read_image("nvidia/cuda:12.8.1-cudnn-runtime-ubuntu22.04", load())
    assert (told.torch, told.cuda, told.libc, told.compat) == (None, "12.8", Dotted("2.35"), True)
    assert told.requirement == load().gates["12.8"].requirement
    assert told.requirement_from == str(load().gates["12.8"].origin)


def test_a_cuda_without_a_gate_in_the_facts_has_the_plain_condition() -> None:
    told = read_image("nvidia/cuda:13.7.0-base-ubuntu24.04", load())
    assert (told.cuda, told.requirement) == ("13.7", "cuda>=13.7")
    assert told.requirement_from  # the family's own row


def test_a_distribution_without_a_row_leaves_the_c_library_open() -> None:
    told = read_image("nvidia/cuda:12.8.1-base-ubuntu99.04", load())
    assert (told.cuda, told.libc) == ("12.8", None)


@pytest.mark.parametrize(
    ("month", "newest"),
    [("19.03", "sm_75"), ("20.10", "sm_80"), ("20.11", "sm_86"), ("24.12", "sm_90"), ("25.02", "sm_120")],
)
def test_ngc_is_built_for_what_its_month_had(month: str, newest: str) -> None:
    arch = read_image(f"nvcr.io/nvidia/pytorch:{month}-py3", load()).arch
    assert arch is not None
    assert [entry for entry in arch if entry.startswith("sm_")][-1] == newest


def test_before_the_first_month_of_the_facts_nothing_is_known_of_the_code_of_ngc() -> None:
    told = read_image("nvcr.io/nvidia/pytorch:18.01-py3", load())
    assert (told.arch, told.arch_from) == (None, "")


@pytest.mark.parametrize(
    ("reference", "torch", "cuda"),
    [
        ("ghcr.io/team/torch:2.1.0-cu121", "2.1.0", "12.1"),
        ("me:5000/x/pytorch:2.5.1-cuda12.4", "2.5.1", "12.4"),
        ("team/torch2.1-py310:cuda-11.8", "2.1", "11.8"),
        ("team/trainer:2.1.0-cu121", None, "12.1"),  # whose version that is, the name does not say
        ("team/pytorch:1.13-cpu", "1.13", "cpu"),
        ("team/thing:latest", None, None),
    ],
)
def test_other_names_are_read_by_the_words_people_use(reference: str, torch: str | None, cuda: str | None) -> None:
    told = read_image(reference, load())
    assert (told.torch, told.cuda) == (torch, cuda)
    assert (told.requirement, told.compat, told.arch) == (None, None, None)


@pytest.mark.parametrize(
    ("reference", "said"),
    [
        ("pytorch/pytorch:2.7.1-cuda12.8-cudnn9-runtime", "is taken to hold torch 2.7.1 and CUDA 12.8"),
        ("nvidia/cuda:12.8.1-base-ubuntu22.04", "is taken to hold CUDA 12.8"),
        ("team/torch:2.1.0-cu121", "torch 2.1.0 and CUDA 12.1 are taken from the words of its name"),
        ("team/trainer:cu121", "torch unknown and CUDA 12.1 are taken from the words of its name"),
        ("team/torch:2.1.0", "torch 2.1.0 and CUDA unknown are taken from the words of its name"),
        ("team/thing:latest", "what is in team/thing:latest is not known by its name"),
    ],
)
def test_what_a_reference_is_taken_for_is_said(reference: str, said: str) -> None:
    (assumption,) = read_image(reference, load()).assumptions
    assert reference in assumption
    assert assumption.endswith(said)


# The newest toolkit of the facts is 13.4: of what comes after it, nobody knows which older drivers its images name besides.
@pytest.mark.parametrize(
    ("cuda", "requirement", "in_part"),
    [("13.3", "cuda>=13.3", False), ("13.5", "cuda>=13.5", True), ("14.0", "cuda>=14.0", True)],
)
def test_a_gate_without_a_row_is_whole_up_to_the_newest_toolkit(cuda: str, requirement: str, in_part: bool) -> None:
    assert max(row.cuda for row in load().toolkits.values()) == Dotted("13.4")
    gate = gate_of(cuda, load())
    assert (gate.requirement, gate.origin, gate.in_part) == (requirement, None, in_part)
    told = read_image(f"nvidia/cuda:{cuda}.0-base-ubuntu24.04", load())
    assert (told.requirement, told.requirement_in_part) == (requirement, in_part)


def test_a_gate_of_the_facts_is_whole() -> None:
    row = load().gates["12.8"]
    gate = gate_of("12.8", load())
    assert (gate.requirement, gate.origin, gate.in_part) == (row.requirement, row.origin, False)
