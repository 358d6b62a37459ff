"""Pull policies against a real registry on loopback: what is measured is what the registry serves, by digest."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import docker
import pytest
from harness import Finished, image, run

pytestmark = pytest.mark.docker


def pull(folder: Path, reference: str, policy: str) -> Finished:
    """A run on an image that has Python and no torch: a `fail` that was measured proves that the image was there."""
    matrix = {"environments": [image("pulled", reference)], "pull": policy}
    return run(folder, matrix, "--runner", "docker")


def test_policies_while_the_registry_serves_and_after_it_stopped(
    tmp_path: Path, registry: Any, base_image: str, make_image: Callable[..., str], engine: docker.DockerClient
) -> None:
    reference = registry.reference("team/torch:stable")
    first = registry.push(engine, base_image, reference)

    refused = pull(tmp_path / "never", reference, "never")
    assert refused.code == 4
    assert refused.cell("pulled")["status"] == "error"
    assert "`pull: never`" in refused.cell("pulled")["reason"]

    fetched = pull(tmp_path / "missing", reference, "missing")
    assert fetched.cell("pulled")["status"] == "fail"
    assert fetched.cell("pulled")["environment"]["digest"] == first

    # The tag moves in the registry; the engine still holds the older image under it.
    second = registry.push(engine, make_image("torch-hangs"), reference)
    assert second != first
    engine.images.get(base_image).tag(reference)
    present = pull(tmp_path / "present", reference, "missing")
    assert present.cell("pulled")["environment"]["digest"] == first
    by_digest = f"{reference.rpartition(':')[0]}@{first}"
    assert pull(tmp_path / "digest", by_digest, "always").cell("pulled")["environment"]["digest"] == first

    registry.stop()
    stale = pull(tmp_path / "stopped-always", reference, "always")
    assert stale.code == 4
    assert stale.cell("pulled")["status"] == "error", "the older image is there, and is not what was asked for"
    assert stale.cell("pulled")["environment"]["digest"] is None
    assert "connection refused" in stale.cell("pulled")["reason"]

    local = pull(tmp_path / "stopped-missing", reference, "missing")
    assert local.cell("pulled")["status"] == "fail"
    assert local.cell("pulled")["environment"]["digest"] == first


def test_always_takes_the_image_that_the_tag_has_moved_to(
    tmp_path: Path, registry: Any, base_image: str, make_image: Callable[..., str], engine: docker.DockerClient
) -> None:
    reference = registry.reference("team/torch:latest")
    registry.push(engine, base_image, reference)
    newer = registry.push(engine, make_image("swallows-command"), reference)
    engine.images.get(base_image).tag(reference)
    finished = pull(tmp_path, reference, "always")
    assert finished.cell("pulled")["environment"]["digest"] == newer
    assert finished.cell("pulled")["status"] == "error", "it is the newer image that ran: its entrypoint swallows commands"
