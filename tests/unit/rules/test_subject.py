"""From what a matrix and a probe say to what the rules are asked about."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from values import built, environment

from validator.model import Content, HostInterpreter, PulledImage
from validator.rules.subject import Inspected, inspected_of, subject_of

INSIDE = Content(torch="2.7.1", cuda="12.8", python="3.12.4", arch_list=("sm_80",), libc="glibc 2.36", numpy="2.1.0")


def test_what_the_probe_read_stands_for_itself() -> None:
    assert inspected_of(INSIDE) == Inspected(
        torch="2.7.1", cuda="12.8", python="3.12.4", arch_list=("sm_80",), libc="glibc 2.36", numpy="2.1.0"
    )
    assert inspected_of(Content()) is None


@pytest.mark.parametrize(
    ("content", "cuda"),
    [
        (Content(torch="2.7.1", cuda="12.8"), "12.8"),
        (Content(torch="2.7.1"), "cpu"),  # a torch that names no CUDA was built without
        (Content(python="3.12"), None),  # without a torch that is not said
    ],
)
def test_a_torch_without_cuda_is_a_cpu_build(content: Content, cuda: str | None) -> None:
    inside = inspected_of(content)
    assert inside is not None
    assert inside.cuda == cuda


def test_what_an_engine_did_not_find_is_not_there_and_what_nobody_looked_for_is_not_known() -> None:
    opened = inspected_of(replace(INSIDE, from_image=True))
    assert opened is not None
    assert (opened.require_cuda, opened.has_compat_libs) == ("", False)
    venv = inspected_of(INSIDE)
    assert venv is not None
    assert (venv.require_cuda, venv.has_compat_libs) == (None, None)
    full = inspected_of(
        replace(
            INSIDE,
            from_image=True,
            compat_driver="570.26",
            variables={"NVIDIA_REQUIRE_CUDA": "cuda>=12.8"},
            labels={"torch": "2.7.1", "cuda": "12.8"},
        )
    )
    assert full is not None
    assert (full.require_cuda, full.has_compat_libs, full.compat_driver) == ("cuda>=12.8", True, "570.26")
    assert full.labels == (("cuda", "12.8"), ("torch", "2.7.1"))


@pytest.mark.parametrize(
    ("text", "off"), [("1", True), ("t", True), ("TRUE", True), ("true", True), ("0", False), ("yes", False), ("", False)]
)
def test_the_gate_is_off_for_what_go_takes_for_true(text: str, off: bool) -> None:
    inside = inspected_of(Content(torch="2.7.1", variables={"NVIDIA_DISABLE_REQUIRE": text}))
    assert inside is not None
    assert inside.disable_require is off


@pytest.mark.parametrize(
    ("path", "named"),
    [
        ("/usr/local/cuda/compat", True),
        ("/opt/lib:/usr/local/cuda/compat:/usr/lib", True),
        ("/usr/local/cuda/compat/lib", False),  # made by the entry point, only where it is of use
        ("/usr/local/cuda/compat2", False),
        ("", False),
    ],
)
def test_the_compat_folder_itself_must_be_named(path: str, named: bool) -> None:
    inside = inspected_of(Content(torch="2.7.1", variables={"LD_LIBRARY_PATH": path}))
    assert inside is not None
    assert inside.compat_on_path is named


def test_an_environment_in_the_words_of_the_rules() -> None:
    of = environment(torch="2.7.1", cuda="12.8", python="3.12", source=PulledImage("mine/torch:1"))
    pulled = subject_of(of, platform="linux_aarch64")
    assert (pulled.torch, pulled.cuda, pulled.python, pulled.image) == ("2.7.1", "12.8", "3.12", "mine/torch:1")
    assert (pulled.platform, pulled.wheel, pulled.inspected) == ("linux_aarch64", False, None)
    for source in (built(), HostInterpreter(Path("/usr/bin/python3"))):
        other = subject_of(replace(of, source=source), INSIDE)
        assert (other.image, other.wheel, other.inspected) == (None, True, inspected_of(INSIDE))
