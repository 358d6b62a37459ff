"""Events as lines that the host can read, whatever is in them."""

import io
import json

import pytest

from validator.probe import emit


def test_metrics_become_finite_json_of_bounded_size():
    class Odd:
        def __str__(self):
            return "x" * 5000

    sent = emit.metrics({"nan": float("nan"), "inf": -float("inf"), "odd": Odd(), "list": (1, float("inf"), None), "flag": True})
    assert sent == {"nan": "nan", "inf": "-inf", "odd": "x" * 1000, "list": [1, "inf", None], "flag": True}
    assert len(emit.metrics({"long": list(range(1000))})["long"]) == 256
    assert list(emit.metrics({str(number): number for number in range(200)})) == [str(number) for number in range(128)]


@pytest.mark.parametrize(("value", "sent"), [(None, None), (True, True), (3, 3), (1.5, 1.5), ("text", "text"), ({}, "{}")])
def test_a_scalar_stays_what_it_is(value, sent):
    assert emit.scalar(value) == sent
    assert type(emit.scalar(value)) is type(sent)


FULL = {"status": "fail", "message": "m", "metrics": {"m": 1}, "environment": {"e": "1"}, "output": "o"}


@pytest.mark.parametrize(
    ("large", "lost"),
    [
        ([], []),
        (["output"], ["output"]),
        (["environment"], ["output", "environment"]),
        (["metrics"], ["output", "environment", "metrics"]),
        (["message"], ["output", "environment", "metrics", "message"]),
    ],
)
def test_an_event_too_long_for_its_line_loses_the_least_first_and_never_its_verdict(large, lost):
    filler = {
        "output": "\U0001f525" * 6000,
        "environment": {"e": "x" * 70000},
        "metrics": {"m": "x" * 70000},
        "message": "x" * 70000,
    }
    event = {**FULL, **{name: filler[name] for name in large}}
    line = emit.encode(event)
    assert len(line) <= emit.LINE_BYTES
    empty = {"output": "", "environment": {}, "metrics": {}, "message": ""}
    assert json.loads(line) == {**event, **{name: empty[name] for name in lost}}


def test_a_line_of_just_the_length_is_kept_whole():
    bare = len(emit.encode({"output": ""}))
    assert json.loads(emit.encode({"output": "x" * (emit.LINE_BYTES - bare)}))["output"]
    assert json.loads(emit.encode({"output": "x" * (emit.LINE_BYTES - bare + 1)})) == {"output": ""}
    assert json.loads(emit.encode({"status": "x" * emit.LINE_BYTES})) == {"status": "x" * emit.LINE_BYTES}  # nothing to lose


def test_each_event_has_the_nonce_the_next_number_and_a_line_of_its_own():
    class Stream(io.BytesIO):
        flushed = 0

        def flush(self):
            Stream.flushed = self.tell()

    stream = Stream()
    emitter = emit.Emitter(stream, "secret")
    emitter.emit("start", protocol=emit.PROTOCOL)
    emitter.emit("end", seconds=1.5, nonce="forged", seq=9)
    assert stream.getvalue().startswith(b"\n")
    assert b"\n\n" in stream.getvalue()
    assert Stream.flushed == len(stream.getvalue())
    lines = [json.loads(line) for line in stream.getvalue().splitlines() if line]
    assert lines == [
        {"protocol": 2, "nonce": "secret", "seq": 1, "event": "start"},
        {"seconds": 1.5, "nonce": "secret", "seq": 2, "event": "end"},
    ]


def test_a_number_that_json_does_not_have_is_an_error_and_no_line():
    with pytest.raises(ValueError, match="JSON"):
        emit.encode({"seconds": float("nan")})
    with pytest.raises(ValueError, match="JSON"):
        emit.encode({"output": "x" * 70000, "seconds": float("nan")})
