"""Words of engines and registries for trouble that may pass."""

from __future__ import annotations

from typing import Any

import pytest

from validator.base.data_files import read_rows
from validator.runners.docker.passing import is_passing

ROWS = read_rows("engine_passing.yaml", required=("where", "words", "examples", "source"))


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row['where']}: {row['words'][:30]}")
def test_every_example_is_found_in_its_own_place_and_in_no_other(row: dict[str, Any]) -> None:
    assert row["where"] in ("image", "container", "gpu")
    for example in row["examples"]:
        assert is_passing(example, row["where"])
        assert not is_passing(example)
        if row["where"] == "gpu":
            assert not is_passing(example, "image", "container")


@pytest.mark.parametrize(
    "words",
    [
        "manifest for example/torch:2.429 not found: manifest unknown: manifest unknown",
        "pull access denied for pytorch/pytorhc, repository does not exist or may require 'docker login'",
        'Get "https://registry.example/v2/": unauthorized: access forbidden',
        "no matching manifest for linux/amd64 in the manifest list entries",
        "write /opt/lib/libcublasLt.so.12: no space left on device",
        'Get "https://registry.example/v2/": x509: certificate signed by unknown authority',
        'could not select device driver "nvidia" with capabilities: [[gpu compute utility]]',
        "nvidia-container-cli: requirement error: unsatisfied condition: cuda>=12.8",
        "nvidia-container-cli: initialization error: nvml error: driver/library version mismatch: unknown",
        "nvidia-container-cli: initialization error: nvml error: driver not loaded: unknown",
        'exec: "python3": executable file not found in $PATH: unknown',
        "OCI runtime create failed: container init was OOM-killed (memory limit too low?): unknown",
    ],
)
def test_what_will_be_the_same_next_time_is_not_tried_again(words: str) -> None:
    assert not is_passing(words, "image", "container", "gpu")
