"""The report as GitHub Markdown: for a job summary, an issue, a page of a repository.

All text of a report passes ``escape`` (prose) or ``code`` (ids and digests) or ``fenced`` (logs): none of it can open a link, a
tag, a table cell, or call a person by ``@name``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache

from validator.model import Report, Status
from validator.report.forecast import Forecast
from validator.report.view import Bounds, CauseGroup, Detail, KindTable, TableCell, View, view

#: Characters with a meaning within a line of GitHub's Markdown; `$` starts a formula.
_ACTIVE = re.compile(r"[\\`*_\[\]|~$]")
#: What GitHub turns into a link by itself after reading the Markdown: a backslash does not stop that. It leaves code alone, which
#: can be copied as it is; where there can be no code, an invisible space stops it.
_LINKED_BY_ITSELF = re.compile(r"[@#](?=\w)|(?:https?|ftp):(?=//)|www(?=\.)|(?:mailto|xmpp):|GH-(?=\d)", re.IGNORECASE)
#: More cells than this are no page that anybody reads; GitHub shows 1 MiB of a job's summary.
_BOUNDS = Bounds(cells=5000, details=50, kinds=40)
#: Where there are more: messages of one cause, and assumptions.
_MESSAGES = 20
_INVISIBLE_SPACE = "&#8203;"
_WORDS = re.compile(r"(\s+)")
_AFTER_WORDS = ".,;:!?)"


def parts(shown: Report | Forecast, *, width: int | None = None, color: bool = False) -> Iterator[str]:
    """The report as Markdown; lines are not wrapped."""
    return (f"{line}\n" for line in _lines(view(shown, _BOUNDS)))


@lru_cache(4096)  # cells have most of their texts in common
def escape(text: str) -> str:
    """Text of one line as prose: shown as it is, whatever is in it. A URL in it is shown as code, to be copied."""
    return "".join(_word(part) if _LINKED_BY_ITSELF.search(part) else _plain(part) for part in _WORDS.split(text))


def _word(word: str) -> str:
    core = word.rstrip(_AFTER_WORDS)
    if "`" in core or "|" in core:  # what ends code, and what ends a cell of a table even in code
        return _LINKED_BY_ITSELF.sub(rf"\g<0>{_INVISIBLE_SPACE}", _plain(word))
    return f"`{core}`{_plain(word[len(core) :])}"


def _plain(text: str) -> str:
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return _ACTIVE.sub(r"\\\g<0>", text)


def code(text: str) -> str:
    """Text of one line as code, outside tables: to be copied as it is, so nothing invisible is put in."""
    ticks = "`" * (_longest_run(text) + 1)
    return f"{ticks} {text} {ticks}" if "`" in text else f"`{text}`"


def fenced(text: str) -> str:
    """Lines as a block of code that nothing in them can end."""
    fence = "`" * max(3, _longest_run(text) + 1)
    return f"{fence}text\n{text}\n{fence}"


def _longest_run(text: str) -> int:
    return max(map(len, re.findall("`+", text)), default=0)


def _lines(shown: View) -> Iterator[str]:
    yield f"# {escape(shown.title or 'PyTorch environments on their targets')}"
    yield ""
    if shown.interrupted:
        yield "**Interrupted: not every cell was run.**"
        yield ""
    if shown.alarms:
        yield "> [!WARNING]"
        yield from (f"> - {code(cell_id)}: {escape(alarm.sentence)}" for cell_id, alarm in shown.alarms)
        yield ""
    if shown.kinds:
        for table in shown.kinds:
            yield from _kinds(table)
            yield ""
        yield f"{shown.cells} cells are too many for a table, and so they are counted: the JSON has every cell."
    else:
        yield from _table(shown)
    yield ""
    unnamed = f"; without a named cause: {shown.unnamed}" if shown.unnamed else ""
    yield ", ".join(f"{number} {status}" for status, number in shown.summary) + unnamed
    yield ""
    for name, text in (("run", shown.run), ("runner", shown.runner), ("GPU", shown.gpu), ("engine", shown.engine)):
        if text:
            yield f"- {name}: {escape(text)}"
    yield from (f"- earlier: {escape(text)}" for text in shown.earlier)
    if shown.beside:
        yield f"- beside: {escape(shown.beside)}"
    for environment, digest in shown.digests:
        yield f"- image of {code(environment)}: {code(digest)}"
    yield from (f"- and {text}: the JSON has them all" for text in shown.left_out)
    if shown.details:
        yield ""
        yield "## Details"
    for detail in shown.details:
        yield from _detail(detail)
    if shown.causes:
        yield ""
        yield "## Reasons given by the rules"
    for cause in shown.causes:
        yield from _cause(cause, _MESSAGES if shown.kinds else len(cause.messages))
    if shown.assumed:
        yield ""
        yield "## Assumptions made by the rules"
        yield ""
        most = _MESSAGES if shown.kinds else len(shown.assumed)
        yield from (f"- {escape(text)} (cells: {number})" for text, number in shown.assumed[:most])
        if len(shown.assumed) > most:
            yield f"- and {len(shown.assumed) - most} more: the JSON has them all"
    if shown.skips:
        yield ""
        yield "## Skipped"
        yield ""
    for group in shown.skips:
        yield f"- reason: {escape(group.reason)}: {_named(group.ids, group.unnamed)}"
    if shown.actions:
        yield ""
        yield "## A run would"
        yield ""
    for group in shown.actions:
        yield f"- {escape(group.reason)}{': ' if group.ids else ''}{_named(group.ids, group.unnamed)}"


def _table(shown: View) -> Iterator[str]:
    yield f"| environment | {' | '.join(map(escape, shown.targets))} |"
    yield "|---" * (len(shown.targets) + 1) + "|"
    for row in shown.rows:
        yield f"| {escape(row.environment)} | {' | '.join(map(_cell, row.cells))} |"


def _cell(cell: TableCell | None) -> str:
    if cell is None:
        return "not in this run"
    flags = "".join(f"<br>**{escape(flag.short)}**" for flag in cell.flags)
    if cell.basis is None and cell.status == Status.SKIP.value:
        return f"{_status(cell.status, None)}{flags}"  # why stands below, once for all that share it
    said = ", ".join(cell.words) if cell.words or cell.basis == "predicted" else cell.cause
    return f"{_status(cell.status, cell.known)}{flags}" + (f"<br>{escape(said)}" if said else "")


def _kinds(table: KindTable) -> Iterator[str]:
    yield f"| {table.heading} | {' | '.join(table.statuses)} | most frequent causes |"
    yield "|---|" + "---:|" * len(table.statuses) + "---|"
    for row in table.rows:
        yield f"| {escape(row.name)} | {' | '.join(map(str, row.counts))} | {escape(', '.join(row.causes))} |"


def _named(ids: Sequence[str], unnamed: int) -> str:
    return ", ".join(map(code, ids)) + (f" and {unnamed} more" if unnamed else "")


def _status(status: str, known: str | None) -> str:
    return f"**{status}** ({known})" if known else f"**{status}**"


def _cause(group: CauseGroup, most: int) -> Iterator[str]:
    yield ""
    yield f"### {group.severity}: {escape(group.cause)}"
    yield ""
    if group.title:
        yield f"{escape(group.title)}."
        yield ""
    for said in group.messages[:most]:
        evidence = f" ({escape('; '.join(said.evidence))})" if said.evidence else ""
        remedy = f" Try: {escape(said.remedy)}" if said.remedy else ""
        yield f"- {escape(said.message)}{evidence}{remedy} Cells: {_named(said.ids, said.cells - len(said.ids))}"
    if len(group.messages) > most:
        yield f"- and {len(group.messages) - most} more of this kind: the JSON has them all"


def _detail(detail: Detail) -> Iterator[str]:
    yield ""
    yield f"### {code(detail.id)}"
    yield ""
    yield f"{_status(detail.status, detail.basis)}: {escape(detail.reason)}"
    yield ""
    yield from (f"- **{escape(flag.sentence)}**" for flag in detail.flags)
    yield from (f"- note: {escape(note)}" for note in detail.notes)
    yield from (f"- {escape(about)}: {escape(text)}" for about, text in (*detail.ran, *detail.sides))
    for check in detail.checks:
        died = f" ({escape(check.died)})" if check.died and check.died not in check.message else ""
        yield f"- check {escape(check.name)}: {check.status} ({check.level}): {escape(check.message)}{died}"
    for finding in detail.findings:
        said = ". ".join(text for text in (finding.title, finding.message) if text)
        yield f"- cause {escape(finding.cause)}: {escape(said or 'could not be named')}"
        yield from (f"  - seen: {escape(text)}" for text in finding.evidence)
        if finding.remedy:
            yield f"  - try: {escape(finding.remedy)}"
        if finding.source:
            yield f"  - more: {escape(finding.source)}"
    if detail.log:
        yield ""
        yield fenced(detail.log)
