"""Every relative link and anchor of the Markdown files leads somewhere, and what they name of the product is there."""

from __future__ import annotations

import re
from pathlib import Path

import click
import pytest

from validator.cli import cli

ROOT = Path(__file__).resolve().parents[3]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
_FENCE = re.compile(r"^(```|~~~).*?^\1", re.MULTILINE | re.DOTALL)
_CODE = re.compile(r"`[^`\n]*`")
_LINK = re.compile(r"\]\(<?([^()\s<>]+)>?\)")
_HEADING = re.compile(r"^#{1,6}\s+(.+?)\s*#*$", re.MULTILINE)
_ID = re.compile(r"<a (?:id|name)=\"([^\"]+)\"")


def _text(page: Path) -> str:
    return _FENCE.sub("", page.read_text(encoding="utf-8"))


def _anchors(page: Path) -> set[str]:
    """The ids that GitHub gives headings: small letters, no punctuation, - for a space, -1 … for repeated ones."""
    found: dict[str, int] = {}
    ids = set(_ID.findall(_text(page)))
    for heading in _HEADING.findall(_text(page)):
        shown = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)
        slug = re.sub(r"[^\w\- ]", "", shown.lower()).replace(" ", "-")
        found[slug] = found.get(slug, -1) + 1
        ids.add(f"{slug}-{found[slug]}" if found[slug] else slug)
    return ids


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_relative_links_and_anchors_resolve(page: Path) -> None:
    broken = []
    for link in _LINK.findall(_CODE.sub("", _text(page))):
        if re.match(r"[a-z][a-z0-9+.-]*:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        if not target.exists() or (anchor and (target.suffix != ".md" or anchor not in _anchors(target))):
            broken.append(link)
    assert broken == []


def test_there_are_pages_and_links_to_look_at() -> None:
    assert ROOT / "README.md" in PAGES
    assert sum(len(_LINK.findall(_CODE.sub("", _text(page)))) for page in PAGES) > 20


_OPTION = re.compile(r"(?<![\w-])--[a-z][a-z-]+")
_COMMAND = re.compile(r"\bvalidator ([a-z]+)((?: [^`|;\n#]*)?)")
_CONTEXT = click.Context(cli)
COMMANDS = {name: cli.get_command(_CONTEXT, name) for name in cli.list_commands(_CONTEXT)}


def _shown(text: str) -> list[tuple[str, list[str]]]:
    """The calls of validator in the code of a page: the command, and its options."""
    code = [*_FENCE.finditer(text), *_CODE.finditer(_FENCE.sub("", text))]
    calls = (call for each in code for call in _COMMAND.findall(each.group().replace("\\\n", " ")))
    return [(name, _OPTION.findall(rest)) for name, rest in calls]


def _wrong(text: str) -> list[str]:
    """Commands that a page shows and that are not there, and options that their command does not have."""
    wrong = []
    for name, options in _shown(text):
        command = COMMANDS.get(name)
        if command is None:
            wrong.append(name)
            continue
        known = {option for parameter in command.params for option in [*parameter.opts, *parameter.secondary_opts]}
        wrong += [f"{name} {option}" for option in options if option not in known | {"--help"}]
    return wrong


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_commands_and_options_that_are_shown_exist(page: Path) -> None:
    assert _wrong(page.read_text(encoding="utf-8")) == []


def test_a_command_or_an_option_that_is_not_there_is_noticed() -> None:
    text = "`validator run --odd`\n```console\nvalidator clean \\\n  --yes --everything  # --not-this\nvalidator rum --all\n```\n"
    assert _wrong(text) == ["clean --everything", "rum", "run --odd"]
    shown = [call for page in PAGES for call in _shown(page.read_text(encoding="utf-8"))]
    assert {name for name, _ in shown} == set(COMMANDS)
    assert sum(len(options) for _, options in shown) > 20


def test_the_table_of_commands_in_the_readme_has_every_one() -> None:
    rows = re.findall(r"^\| `validator ([a-z]+)[^`]*` \|", (ROOT / "README.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted(rows) == sorted(COMMANDS)
