"""The bounds of every field of an event: what is just inside is taken, what is just outside is refused."""

from __future__ import annotations

import json

import pytest

from validator.probe_host.schema import OUTPUT_CHARS, SCHEMA, EventRefused, parse

CHECK_END, START = SCHEMA["check-end"], SCHEMA["start"]


@pytest.mark.parametrize(
    ("metric", "taken"),
    [
        ({"x" * 64: 1}, True),
        ({"x" * 65: 1}, False),
        ({"a.b_0": 1}, True),
        ({"a-b": 1}, False),
        ({f"m{number}": 1 for number in range(128)}, True),
        ({f"m{number}": 1 for number in range(129)}, False),
        ({"m": list(range(256))}, True),
        ({"m": list(range(257))}, False),
        ({"m": "x" * 1000}, True),
        ({"m": "x" * 1001}, False),
        ({"m": ["x" * 1000, None, True, 1.5]}, True),
        ({"m": ["x" * 1001]}, False),
        ({"m": {}}, False),
        ({"m": [[]]}, False),
        ([], False),
    ],
    ids=lambda value: str(value)[:40],
)
def test_metrics(metric: object, taken: bool) -> None:
    if taken:
        assert CHECK_END["metrics"](metric) == metric
    else:
        with pytest.raises(EventRefused, match="metric"):
            CHECK_END["metrics"](metric)


@pytest.mark.parametrize(
    ("variables", "taken"),
    [
        ({f"V{number}": "x" for number in range(64)}, True),
        ({f"V{number}": "x" for number in range(65)}, False),
        ({"V" * 100: "x"}, True),
        ({"V" * 101: "x"}, False),
        ({"with space": "x"}, False),
        ({"V": 1}, False),
        (["V"], False),
    ],
    ids=lambda value: str(value)[:40],
)
def test_variables(variables: object, taken: bool) -> None:
    if taken:
        assert START["environment"](variables) == variables
    else:
        with pytest.raises(EventRefused):
            START["environment"](variables)


@pytest.mark.parametrize(
    ("names", "taken"), [(["n"] * 256, True), (["n"] * 257, False), ([1], False), ("n", False)], ids=lambda value: str(value)[:20]
)
def test_names(names: object, taken: bool) -> None:
    if taken:
        assert START["checks"](names) == names
    else:
        with pytest.raises(EventRefused):
            START["checks"](names)


@pytest.mark.parametrize(
    ("field", "limit"),
    [("python", 1000), ("executable", 1000), ("platform", 1000), ("libc", 1000)],
)
def test_a_text_of_the_start_is_cut_at_its_limit(field: str, limit: int) -> None:
    assert START[field]("x" * limit) == "x" * limit
    assert START[field]("x" * (limit + 1)) == "x" * (limit - 1) + "…"


@pytest.mark.parametrize(("field", "limit"), [("check", 100), ("message", 2000), ("died", 200)])
def test_a_text_of_a_check_is_cut_at_its_limit(field: str, limit: int) -> None:
    assert CHECK_END[field]("x" * limit) == "x" * limit
    assert CHECK_END[field]("x" * (limit + 1)) == "x" * (limit - 1) + "…"


def test_other_texts_are_cut_too() -> None:
    assert SCHEMA["check-start"]["check"]("x" * 101) == "x" * 99 + "…"
    assert START["checks"](["x" * 101]) == ["x" * 99 + "…"]
    assert START["environment"]({"V": "x" * 1001}) == {"V": "x" * 999 + "…"}


def test_of_an_output_the_end_is_kept() -> None:
    assert CHECK_END["output"]("a" + "x" * (OUTPUT_CHARS - 1)) == "a" + "x" * (OUTPUT_CHARS - 1)
    assert CHECK_END["output"]("ab" + "x" * (OUTPUT_CHARS - 1)) == "…" + "x" * (OUTPUT_CHARS - 1)


@pytest.mark.parametrize(
    ("number", "taken"),
    [(2**63 - 1, True), (2**63, False), (-(2**63), True), (-(2**63) - 1, False), (0, True), (True, False), (1.0, False)],
)
def test_integers_fit_into_64_bits(number: object, taken: bool) -> None:
    if taken:
        assert SCHEMA["end"]["checks"](number) == number
    else:
        with pytest.raises(EventRefused):
            SCHEMA["end"]["checks"](number)


@pytest.mark.parametrize(("seconds", "taken"), [(0, True), (0.0, True), (-0.001, False), (False, False), (None, False)])
def test_seconds_are_a_number_that_is_not_negative(seconds: object, taken: bool) -> None:
    if taken:
        assert SCHEMA["end"]["seconds"](seconds) == 0.0
    else:
        with pytest.raises(EventRefused):
            SCHEMA["end"]["seconds"](seconds)


def test_an_integer_of_a_line_is_bounded_before_any_field_is_looked_at() -> None:
    assert parse(b'{"n": 9223372036854775807}') == {"n": 2**63 - 1}
    for digits in ("9223372036854775808", "1" * 24, "1" * 25, "1" * 10_000):
        with pytest.raises(EventRefused):
            parse(f'{{"n": {digits}}}'.encode())


@pytest.mark.parametrize(
    ("depth", "inmost", "taken"),
    [(1, "1", True), (4, "1", True), (5, "1", False), (3, "{}", True), (4, "{}", False), (3, "[]", True), (4, "[]", False)],
)
def test_a_line_is_nested_four_deep_at_most(depth: int, inmost: str, taken: bool) -> None:
    line = ('{"n":' * depth + inmost + "}" * depth).encode()
    if taken:
        assert parse(line) == json.loads(line)
    else:
        with pytest.raises(EventRefused, match="nested too deep"):
            parse(line)


def test_a_refusal_is_of_a_line_of_ours_unless_it_is_said_not_to_be() -> None:
    assert EventRefused("why").ours
    assert not EventRefused("why", ours=False).ours
