"""Before a run: what dead runs have left in the engine goes, so that it holds nothing that this one needs."""

from __future__ import annotations

from contextlib import closing

from validator.cli.output import Output


def sweep_up(output: Output, engine_address: str | None) -> None:
    """Remove the containers of dead runs from the engine at this address, and say which; never a living run's.

    For a run that has claimed its id (``Reaper.start``), since one that is taken up again would lose its own. An engine that
    does not answer is the run's own trouble, and comes up there.
    """
    from docker.errors import APIError

    from validator.base.errors import EngineUnavailableError
    from validator.run.reaper import sweep
    from validator.runners.docker.engine import CONNECTION_ERRORS, connect

    try:
        client, _ = connect(engine_address)
        with closing(client):
            swept = sweep(client)
    except (APIError, EngineUnavailableError, *CONNECTION_ERRORS):
        return
    for name in swept.ended:
        output.note(f"removed what a dead run had left: container {name}")
    for name in swept.left:
        output.warn(f"a dead run has left container {name}, which cannot be removed just now; `validator clean` tries again")
