"""docs/checks.md keeps up with the checks: its table is the registry's, and every section has its three parts."""

import re
from pathlib import Path

import pytest

from validator.catalogue import checks

PAGE = (Path(__file__).parents[3] / "docs" / "checks.md").read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"^### `(\w+)`\n(.*?)(?=^##|\Z)", PAGE, re.MULTILINE | re.DOTALL))


def table():
    rows = ["| check | level | deadline | needs | runs |", "|---|---|---|---|---|"]
    for spec in checks.registry().values():
        needs = ", ".join(f"`{need}`" for need in spec.needs) or "–"
        where = "with a model of yours" if spec.model else "also when an image is only opened" if spec.inspect else "always"
        rows.append(f"| [`{spec.name}`](#{spec.name}) | {spec.level.value} | {spec.deadline_seconds:g} s | {needs} | {where} |")
    return "\n".join(rows)


def test_the_table_is_the_registrys():
    start, end = "it differs -->\n", "\n<!-- end of table -->"
    assert PAGE[PAGE.index(start) + len(start) : PAGE.index(end)] == table(), f"put this into docs/checks.md:\n{table()}"


def test_every_check_has_its_section_in_the_order_they_run():
    assert list(SECTIONS) == list(checks.registry())


@pytest.mark.parametrize("name", list(checks.registry()))
def test_a_section_says_what_and_why_with_a_link_and_where_its_thresholds_come_from(name):
    section = SECTIONS[name]
    parts = re.findall(r"^\*\*(What|Why|Thresholds)\.\*\* (.+?)(?=^\*\*|\Z)", section, re.MULTILINE | re.DOTALL)
    assert [title for title, _ in parts] == ["What", "Why", "Thresholds"]
    assert re.search(r"\]\(https://\S+\)", dict(parts)["Why"]), "the failure it catches, with a link"
