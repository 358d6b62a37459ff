"""Every relative link and anchor of the Markdown files leads somewhere, and what they name of the product is there."""

from __future__ import annotations

import re
from pathlib import Path

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


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_commands_and_options_that_are_shown_exist(page: Path) -> None:
    shown = [*_FENCE.finditer(page.read_text(encoding="utf-8")), *_CODE.finditer(_text(page))]
    wrong = []
    for code in shown:
        for name, rest in _COMMAND.findall(code.group().replace("\\\n", " ")):
            command = cli.commands.get(name)
            if command is None:
                continue  # prose in an output: "validator itself"
            known = {option for parameter in command.params for option in [*parameter.opts, *parameter.secondary_opts]}
            wrong += [f"{name} {option}" for option in _OPTION.findall(rest) if option not in known | {"--help"}]
    assert wrong == []
