"""What is known around a cell, by the names under which diagnosis and remedies look for it."""

from __future__ import annotations

from pathlib import Path

import pytest
from values import L4, T4, built, environment, host, result

from validator.model import Content, Environment, HostInterpreter, PulledImage, RanOn
from validator.verdict.findings.known import context

ASKED = environment(torch="2.7.1", cuda="12.6", python="3.12")
INSIDE = Content(torch="2.7.0+cu128", cuda="12.8", python="3.12.4")


def test_what_was_found_inside_goes_before_what_the_matrix_says() -> None:
    machine = {"gpu": "Tesla T4", "driver": "580.95.05", "cc": "7.5"}
    stated = {"torch": "2.7.1", "cuda": "12.6", "python": "3.12", "image": "example/torch:2.7.1"}
    assert context(result(env=ASKED), host(T4)) == {**stated, **machine, "in_container": "false"}
    found = {"torch": "2.7.0+cu128", "cuda": "12.8", "python": "3.12.4", "image": "example/torch:2.7.1"}
    opened = context(result(env=ASKED, content=INSIDE), host(T4), in_container=True)
    assert opened == {**found, **machine, "in_container": "true"}


def test_what_nobody_knows_has_no_name() -> None:
    bare = environment(source=HostInterpreter(Path("/python")), cuda="cpu")
    assert context(result(env=bare), None) == {"in_container": "false"}


@pytest.mark.parametrize(
    ("source", "image"),
    [(PulledImage("a/b:1"), "a/b:1"), (built(Path("/images/wheel")), "wheel"), (HostInterpreter(Path("/python")), None)],
)
def test_an_image_is_its_reference_or_the_name_of_its_folder(source: object, image: str | None) -> None:
    assert context(result(env=environment(source=source)), None).get("image") == image  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("of", "ran_on", "gpu"),
    [
        (ASKED, None, "Tesla T4"),
        (ASKED, RanOn("host", "GPU-1"), "NVIDIA L4"),
        (ASKED, RanOn("host"), None),  # on the CPU
        (environment(cuda="cpu"), None, None),
    ],
)
def test_of_several_gpus_the_one_that_the_cell_had_is_known(of: Environment, ran_on: RanOn | None, gpu: str | None) -> None:
    known = context(result(env=of, ran_on=ran_on), host(T4, L4))
    assert known.get("gpu") == gpu
    assert ("driver" in known, "cc" in known) == (gpu is not None, gpu is not None)


def test_of_another_machine_what_the_matrix_says_of_it_is_known() -> None:
    elsewhere = context(result(env=ASKED, on="t4"), host(L4))
    assert not {"gpu", "driver", "cc"} & set(elsewhere)
