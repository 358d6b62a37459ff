"""How a container came to its end, and its removal: what the engine did to it is never taken for what the image did."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from typing import Any

import docker
from docker.errors import APIError, NotFound

from validator.base.errors import EngineUnavailableError
from validator.runners.docker.clients import Link
from validator.runners.docker.engine import CONNECTION_ERRORS, engine_words

#: Seconds for the engine to kill and remove a container; dockerd itself waits ten for a kill, twice.
_REMOVAL_SECONDS = 25
#: The same where somebody waits for the end of the whole run: what then still runs is the reaper's.
_HURRIED_SECONDS = 5
#: Seconds for it to say how a container is that it could not remove.
_LOOK_SECONDS = 10
#: Seconds beyond a container's own times in which its events are looked for; the engine records them a moment later.
_EVENT_SLACK = 0.3
#: A container is asked about right after its end: where more time seems to have passed, the two clocks differ.
_SAME_CLOCK_SECONDS = 30.0

State = Mapping[str, Any]
_TIME = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d+)?(?:Z|([+-])(\d\d):(\d\d))", re.ASCII)


def seconds_of(text: object) -> float | None:
    """An engine's time stamp in seconds since 1970; None where it is none, or the zero that stands for "never"."""
    found = _TIME.fullmatch(str(text))
    if found is None or str(text).startswith("0001-"):
        return None
    whole, fraction, sign, hours, minutes = found.groups()
    away = timedelta(hours=int(hours or 0), minutes=int(minutes or 0)) * (-1 if sign == "-" else 1)
    try:
        moment = datetime.fromisoformat(whole).replace(tzinfo=timezone.utc) - away
    except (ValueError, OverflowError):
        return None
    return moment.timestamp() + float(fraction or 0)


def ended_from_outside(client: docker.APIClient, name: str, state: State) -> bool:
    """Whether an exited container was ended by somebody else, or nobody was there to see how it ended.

    An engine writes a ``kill`` event for each signal it sends: on ``docker kill`` and ``docker stop``, when it is shut down, and,
    without live-restore, when it starts again and finds a container that outlived it. A process that ends itself has ``die``
    alone. An engine that knows neither a start nor an end of the container has been started since, and keeps events in memory.
    """
    began, finished = seconds_of(state.get("StartedAt")), seconds_of(state.get("FinishedAt"))
    if began is None or finished is None:
        return True  # created, and never started: that an image cannot do
    ask: Any = client.events  # which takes seconds with a fraction, too
    now = time.time()
    # Podman tells nothing of a time that is over. Where this clock cannot be the engine's, the engine's is gone by.
    last = now if 0 <= now - finished < _SAME_CLOCK_SECONDS else finished
    since, until = (f"{moment:.9f}" for moment in (began - _EVENT_SLACK, last + _EVENT_SLACK))
    events = ask(since=since, until=until, filters={"container": name}, decode=True)
    actions = {str(event.get("Action") or event.get("status")) for event in events if isinstance(event, Mapping)}
    return "kill" in actions or not actions & {"start", "die", "died"}


def end(link: Link, name: str, *, keep: bool, hurried: bool = False) -> str | None:
    """Remove a container, running or not; one that is to be kept is only stopped, so that it holds no GPU.

    Returns why it still runs when it cannot be ended, else None. Takes a minute at most. An engine that does not answer is
    asked once more; what it then still has is found by its label.
    """
    seconds = _HURRIED_SECONDS if hurried else _REMOVAL_SECONDS
    for _ in range(2):
        try:
            with _within(link.client, seconds) as client:
                if keep:
                    client.kill(name)
                else:
                    client.remove_container(name, force=True, v=True)
            return None
        except NotFound:
            return None
        except APIError as error:
            if not _runs(link, name):  # its removal is under way, or it was not running any more
                if error.status_code == 409:
                    return None
                link.drop()
                continue
            said = engine_words(error)
        except EngineUnavailableError:
            continue
        except CONNECTION_ERRORS as error:
            link.drop()
            if not _is_timeout(error) or not _runs(link, name):
                continue
            said = f"no answer within {seconds} s"
        return f"the container {name} could not be ended, and still holds what it was given; the engine says: {said}"
    return None


def _is_timeout(error: Exception) -> bool:
    return isinstance(error, TimeoutError) or "timed out" in str(error).lower()


def _runs(link: Link, name: str) -> bool:
    """Whether a container is seen to run. An engine that answers, but not for this container, is taken to wait for it."""
    try:
        with _within(link.client, _LOOK_SECONDS) as client:
            return bool(client.inspect_container(name)["State"]["Running"])
    except (APIError, EngineUnavailableError):
        return False
    except CONNECTION_ERRORS as error:
        link.drop()
        if not _is_timeout(error):
            return False
    try:
        with _within(link.client, _LOOK_SECONDS) as client:
            return bool(client.ping())
    except (APIError, EngineUnavailableError, *CONNECTION_ERRORS):
        link.drop()
        return False


@contextmanager
def _within(client: docker.APIClient, seconds: int) -> Iterator[docker.APIClient]:
    """A client whose calls may take so long."""
    usual, client.timeout = client.timeout, seconds
    try:
        yield client
    finally:
        client.timeout = usual
