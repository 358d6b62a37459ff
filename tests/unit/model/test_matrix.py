"""What a matrix means where it says nothing."""

from __future__ import annotations

import pytest
from values import WHERE, environment

from validator.model import Limits, Matrix, Target, Where


def test_a_matrix_without_limits_gives_a_container_what_the_readme_shows_and_all_the_memory() -> None:
    limits = Matrix("matrix.yaml", (), ()).limits
    assert limits == Limits(timeout_seconds=10 * 60, memory_bytes=None, shm_bytes=1024**3, scratch_bytes=4 * 1024**3, pids=1024)


def test_a_matrix_that_says_no_more_pulls_what_is_missing_and_has_no_model_or_facts_of_its_own() -> None:
    bare = Matrix("matrix.yaml", (), ())
    assert (bare.pull, bare.build.network, bare.expectations, bare.model, bare.facts) == ("missing", None, (), None, None)
    packages = bare.packages
    assert (packages.index, packages.extra_indexes, packages.find_links, packages.channel_url) == (None, (), (), None)


def test_an_environment_runs_python3_behind_the_images_own_entrypoint() -> None:
    assert (environment().python_command, environment().keep_entrypoint) == ("python3", True)


@pytest.mark.parametrize(("cuda", "cpu", "channel"), [("cpu", True, "cpu"), ("12.8", False, "cu128"), (None, False, None)])
def test_the_build_of_an_environment(cuda: str | None, cpu: bool, channel: str | None) -> None:
    of = environment(cuda=cuda)
    assert (of.is_cpu, of.channel) == (cpu, channel)


def test_targets_that_ask_for_the_same_are_the_same_wherever_they_stand() -> None:
    assert Target("t4", gpu="Tesla T4", where=WHERE) == Target("t4", gpu="Tesla T4", where=Where("other.yaml", 99))
    assert Target("t4", gpu="Tesla T4") != Target("t4", gpu="T4")
    assert str(WHERE) == "matrix.yaml:3"
