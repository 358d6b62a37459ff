"""Removes the containers of a run that is dead, until none appear any more."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from typing import Any

import docker
from docker.errors import APIError

from validator.base.errors import EngineUnavailableError
from validator.runners import labels
from validator.runners.docker.engine import CONNECTION_ERRORS, connect

#: A call that the dead run had made may create a container after its death; then none for so long is the end.
_QUIET_SECONDS = 5.0
_LOOK_SECONDS = 0.5
#: What an engine that does not answer, or a removal that failed, is given before it is tried again.
_AGAIN_SECONDS = 2.0


def end(run_id: str, address: str | None = None, *, seconds: float = 600.0) -> bool:
    """Remove a dead run's containers, and stop those that were to be kept; whether none is left.

    ``address`` is the engine's. An engine that is away is waited for, a container that cannot be removed is tried again and
    keeps no other from going, all within ``seconds``.
    """
    over = time.monotonic() + seconds
    quiet_since: float | None = None
    client: docker.APIClient | None = None
    ending: dict[str, threading.Thread] = {}
    while (now := time.monotonic()) < over:
        try:
            client = client or connect(address)[0]
            rows = client.containers(all=True, filters={"label": f"{labels.RUN}={run_id}"})
        except (APIError, EngineUnavailableError, *CONNECTION_ERRORS):
            client = quiet_since = None
            time.sleep(min(_AGAIN_SECONDS, over - now))
            continue
        left = [row for row in rows if not (_kept(row) and row["State"] in ("exited", "dead"))]
        if left:
            quiet_since = None
        elif quiet_since is None:
            quiet_since = now
        elif now - quiet_since >= _QUIET_SECONDS:
            return True
        for row in left:
            if row["Id"] not in ending or not ending[row["Id"]].is_alive():
                # Each in a thread: an engine takes minutes over one that the kernel does not let go of.
                ending[row["Id"]] = threading.Thread(target=_end, args=(client, row), name=row["Id"], daemon=True)
                ending[row["Id"]].start()
        time.sleep(_LOOK_SECONDS)
    return False


def _kept(row: Mapping[str, Any]) -> bool:
    return labels.KEEP in (row["Labels"] or {})


def _end(client: docker.APIClient, row: Mapping[str, Any]) -> None:
    try:
        if _kept(row) and row["State"] != "created":
            client.kill(row["Id"])
        else:
            client.remove_container(row["Id"], force=True, v=True)
    except (APIError, *CONNECTION_ERRORS):
        time.sleep(_AGAIN_SECONDS)  # for as long no other try is begun
