"""Events as lines: one JSON object each, ASCII only, finite numbers only, bounded in size."""

import json
import math
from typing import Any, BinaryIO, Dict

PROTOCOL = 2
#: The host drops longer lines unread.
LINE_BYTES = 60 * 1024
MESSAGE_CHARS = 2000
METRIC_CHARS = 1000
METRICS = 128
LIST_ITEMS = 256
#: What an event can lose, in this order, when its line would be too long; the verdict itself always arrives.
_EXPENDABLE = (("output", ""), ("environment", {}), ("metrics", {}), ("message", ""))


def scalar(value: Any) -> Any:
    """A value JSON can carry: non-finite floats as the words nan, inf, -inf; anything unknown as its text, cut."""
    if value is None or isinstance(value, (bool, int)):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    return str(value)[:METRIC_CHARS]


def metrics(values: Dict[str, Any]) -> Dict[str, Any]:
    """Metrics as JSON carries them: scalars, and lists of scalars."""
    return {
        name: [scalar(item) for item in value[:LIST_ITEMS]] if isinstance(value, (list, tuple)) else scalar(value)
        for name, value in list(values.items())[:METRICS]
    }


def encode(event: Dict[str, Any]) -> bytes:
    """The event as a line without its newline, no longer than LINE_BYTES."""
    line = json.dumps(event, allow_nan=False).encode("ascii")
    for name, empty in _EXPENDABLE:
        if len(line) <= LINE_BYTES:
            break
        if name in event:
            event = dict(event, **{name: empty})
            line = json.dumps(event, allow_nan=False).encode("ascii")
    return line


class Emitter:
    """Writes events for the host: each with the nonce of this run and the next sequence number."""

    def __init__(self, stream: BinaryIO, nonce: str) -> None:
        self._stream = stream
        self._nonce = nonce
        self._seq = 0

    def emit(self, event: str, **fields: Any) -> None:
        """Write one event and flush it."""
        self._seq += 1
        line = encode(dict(fields, nonce=self._nonce, seq=self._seq, event=event))
        # A newline on both sides: what an entrypoint printed without ending its line must not swallow the event.
        self._stream.write(b"\n" + line + b"\n")
        self._stream.flush()
