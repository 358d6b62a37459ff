"""Words that the tests of the storms share."""

from __future__ import annotations

from collections.abc import Callable

#: Says in one sentence what was seen of a storm.
Seen = Callable[[str, str], None]
DOCKER = ("--runner", "docker")
