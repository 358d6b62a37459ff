"""The causes that can be named, all or one: the answer of ``validator causes``, and the page docs/causes.md."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from typing import Any

from validator.catalogue.causes import Cause, Family, anchor
from validator.diagnose.placeholders import fill
from validator.report.answers import formats

#: What the page says before the first cause.
_HEAD = """# Causes

Every cause the validator can name, in a prediction, by a check of the probe, or from a log. Made from `validator/data/causes/`
with `validator causes --format markdown`; do not edit here. In a remedy, `{driver}` and the like stand for what is known of the
case; a sentence whose value is not known is left out when the remedy is shown.
"""


def as_json(asked: Cause | Mapping[str, Cause]) -> Any:
    """One cause as an object, all of them as a list."""
    return _fields(asked) if isinstance(asked, Cause) else [_fields(cause) for cause in asked.values()]


def as_text(asked: Cause | Mapping[str, Cause], width: int) -> str:
    """One cause in full, all of them a line each."""
    return _entry(asked, width) if isinstance(asked, Cause) else _table(asked)


def as_markdown(asked: Cause | Mapping[str, Cause], _width: int) -> str:
    """The page docs/causes.md, or the same of one cause."""
    return markdown({asked.ident: asked} if isinstance(asked, Cause) else asked)


def _fields(cause: Cause) -> dict[str, Any]:
    return {
        "cause": cause.ident,
        "family": cause.family.value,
        "title": cause.title,
        "severity": cause.severity.value,
        "explanation": cause.explanation,
        "remedy": cause.remedy,
        "confirm": cause.confirm or None,
        "neighbours": dict(cause.neighbours or {}),
        "sources": list(cause.sources),
        "anchor": anchor(cause.ident),
    }


def _table(causes: Mapping[str, Cause]) -> str:
    """All causes, a line each, by family."""
    width = max(len(ident) for ident in causes)
    lines: list[str] = []
    for family in Family:
        lines += ["", family.value] if lines else [family.value]
        for cause in causes.values():
            if cause.family is family:
                lines.append(f"  {cause.ident:{width}}  {cause.severity.value:8}  {cause.title}")
    return "\n".join(lines)


def _entry(cause: Cause, width: int) -> str:
    lines = [f"{cause.ident} ({cause.family.value}, {cause.severity.value})", f"  {cause.title}", ""]
    lines += _wrapped(cause.explanation, width)
    lines += ["", "what to do", *_wrapped(fill(cause.remedy, {}), width)]
    if cause.confirm:
        lines += ["", "how to make sure", f"  {cause.confirm}"]
    if cause.neighbours:
        lines += ["", "easily mistaken for"]
        for other, told in cause.neighbours.items():
            lines += textwrap.wrap(f"{other}: {told}", width, initial_indent="  ", subsequent_indent="    ")
    if cause.sources:
        lines += ["", "sources", *(f"  {url}" for url in cause.sources)]
    return "\n".join(lines)


def markdown(causes: Mapping[str, Cause]) -> str:
    """docs/causes.md: an anchor for every ident."""
    parts = [_HEAD]
    for family in Family:
        own = [cause for cause in causes.values() if cause.family is family]
        listed = " · ".join(f"[{cause.ident}](#{cause.ident})" for cause in own)
        parts.append(f"## {family.value.capitalize()}\n\n{listed}\n")
        parts += [_section(cause) for cause in own]
    return "\n".join(parts)


def _section(cause: Cause) -> str:
    lines = [f'### <a id="{cause.ident}"></a>`{cause.ident}`', "", f"**{cause.title}.** Usually `{cause.severity.value}`.", ""]
    lines += [cause.explanation, "", f"*What to do:* {cause.remedy}".rstrip(), ""]
    if cause.confirm:
        lines += ["```console", cause.confirm, "```", ""]
    if cause.neighbours:
        lines += [f"- Not [{other}](#{other}): {told}" for other, told in cause.neighbours.items()] + [""]
    if cause.sources:
        lines += ["Sources: " + ", ".join(f"<{url}>" for url in cause.sources), ""]
    return "\n".join(lines)


def _wrapped(text: str, width: int) -> list[str]:
    return textwrap.wrap(text, width, initial_indent="  ", subsequent_indent="  ", break_on_hyphens=False) if text else []


FORMATS = formats(as_text, as_json) | {"markdown": as_markdown}
