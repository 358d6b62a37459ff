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
    if swept.ended:
        output.note(f"removed what runs that died had left: {', '.join(swept.ended)}")
    if swept.left:
        named = ", ".join(swept.left)
        output.warn(f"runs that died have left what cannot be removed yet: {named}; `validator clean` tries again")
