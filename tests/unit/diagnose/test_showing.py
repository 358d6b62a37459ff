"""Lines of a log and texts of the catalogue as they are shown to a reader."""

from __future__ import annotations

import pytest

from validator.diagnose.placeholders import fill
from validator.diagnose.showing import SHOWN, excerpt


@pytest.mark.parametrize(
    ("line", "literal", "shown"),
    [
        ("it  Failed\x1b[0m \x07", "failed", "it Failed \N{REPLACEMENT CHARACTER}"),
        ("x" * 240, "x", "x" * 240),
        ("x" * 234 + "FAILED", "failed", "x" * 234 + "FAILED"),
        ("x" * 241, "x", "x" * 239 + "…"),
        # what was found ends 60 characters before the end of what is shown, or later
        ("x" * 174 + "FAILED" + "y" * 100, "failed", "x" * 174 + "FAILED" + "y" * 59 + "…"),
        ("x" * 175 + "FAILED" + "y" * 100, "failed", "…" + "x" * 60 + "FAILED" + "y" * 100),
        ("x" * 900 + "FAILED" + "y" * 900, "failed", "…" + "x" * 60 + "FAILED" + "y" * 172 + "…"),
        # a long text near the beginning is shown from there
        ("x" * 59 + "z" * 200, "z" * 200, "x" * 59 + "z" * 180 + "…"),
        ("x" * 60 + "z" * 200, "z" * 200, "x" * 60 + "z" * 179 + "…"),
        ("x" * 61 + "z" * 200, "z" * 200, "…" + "x" * 60 + "z" * 178 + "…"),
        ("x" * 300, "not there", "x" * 239 + "…"),
        ("x" * 300, "z" * 200, "x" * 239 + "…"),
    ],
)
def test_an_excerpt_has_what_was_found_in_it(line: str, literal: str, shown: str) -> None:
    assert excerpt(line, literal) == shown
    assert len(shown) <= SHOWN


@pytest.mark.parametrize(
    ("template", "filled"),
    [
        ("Update it. The driver is {driver}.", "Update it. The driver is 535."),
        ("Update it. The GPU is {gpu}.", "Update it."),
        ("Take {driver} or {gpu}. Then reboot.", "Then reboot."),
        ("{driver} is old! Is it? `Reboot` it.", "535 is old! Is it? `Reboot` it."),
        ("It is {gpu}. {driver} it is. `{gpu}` or so.", "535 it is."),
        ("Nothing  is \n named.", "Nothing is named."),
        ("It is {long}.", "It is " + "x" * 119 + "…."),
        ("It is {hostile}.", "It is a \N{REPLACEMENT CHARACTER}b."),
        ("It is {empty}.", ""),
        ("", ""),
    ],
)
def test_a_sentence_whose_value_is_not_known_is_left_out(template: str, filled: str) -> None:
    values = {"driver": "535", "long": "x" * 500, "hostile": "a\n\x07b", "empty": ""}
    assert fill(template, values) == filled
