"""The measured page: records of stacks → Markdown. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

Record = Mapping[str, Any]
"""stack (id, base, python), cell (as in results.json), tool, date, cpu, load, probe; or stack and why there is no more."""

_STATUSES = ("pass", "warn", "skip", "fail")
_MESSAGE_CHARS = 160


def render(records: Sequence[Record], planned: Sequence[str]) -> str:
    """The page for the records in their order; ``planned`` are the checks of the registry, in the order they run."""
    measured = [record for record in records if "cell" in record]
    parts = [
        "# Measured: every generation of torch, on a CPU",
        _introduction(measured),
        "## Is any failure the probe's own?",
        _own_faults(measured, len(records), planned),
        "## Stacks",
        _stacks(records),
        "## Checks",
        _checks(measured, planned),
        "## Every message",
        *(_messages(record) for record in measured),
    ]
    return "\n\n".join(parts) + "\n"


def own_faults(record: Record, planned: Iterable[str]) -> list[str]:
    """What in a record is the probe's fault and not the stack's, a sentence each.

    An answer that is not whole; a check that died or hung; and an exception that it did not expect, wherever that was raised:
    a check must know what a torch of any age answers. A RuntimeError is taken for torch's finding, as which it is worded.
    """
    cell = record["cell"]
    faults = [f"the cell is an error: {cell['reason']}"] if cell["status"] == "error" else []
    missing = [name for name in planned if name not in {check["name"] for check in cell["checks"]}]
    faults += [f"no answer from {', '.join(missing)}"] if missing else []
    for check in cell["checks"]:
        metrics = check["metrics"]
        if check.get("died"):
            faults.append(f"{check['name']} died: {check['died']}")
        elif metrics.get("raised", "RuntimeError") != "RuntimeError":
            faults.append(f"{check['name']} raised {check['message']} at {metrics['raised_at']}")
    return faults


def _introduction(measured: Sequence[Record]) -> str:
    def listed(name: str) -> str:
        return ", ".join(dict.fromkeys(str(record[name]) for record in measured)) or "nothing yet"

    return (
        "Written by `make span`, which builds each stack, runs the validator on it with all checks, and removes it again. Every "
        "torch is the package index's own build; where that is one for CUDA it trains on the CPU here, and the cell says "
        "`degraded`, because the matrix asks for `cpu`. The containers hold a C++ compiler and Python's headers beside torch and "
        "numpy, so that `torch.compile` can run. Seconds are of a machine that had other work as well: *load* is how "
        "many processes wanted its cores. What a GPU would do is not on this page.\n\n"
        f"Measured {listed('date')} on {listed('cpu')}, by {listed('tool')}; *probe* is the digest of the probe that measured."
    )


def _own_faults(measured: Sequence[Record], total: int, planned: Sequence[str]) -> str:
    faulty = {record["stack"]["id"]: found for record in measured if (found := own_faults(record, planned))}
    whole = len(measured) - len(faulty)
    lines = [
        f"{whole} of {total} stacks gave a complete report in which no check died, hung, or raised an exception that it had not "
        "expected."
    ]
    lines += ["", *(f"- **{name}**: {_cell(fault, 400)}" for name, found in faulty.items() for fault in found)]
    failed = [
        f"- **{record['stack']['id']}**, `{check['name']}`: {_cell(check['message'], 400)}"
        for record in measured
        for check in record["cell"]["checks"]
        if check["status"] == "fail"
    ]
    lines += ["", "Every check that failed, for whatever reason:", "", *(failed or ["- none"])]
    return "\n".join(lines).replace("\n\n\n", "\n\n")


def _stacks(records: Sequence[Record]) -> str:
    rows = []
    for record in records:
        stack = record["stack"]
        where = stack["base"] or "this machine"
        if "cell" not in record:
            why = f"not measured: {record.get('unavailable') or record['error']}"
            rows.append([stack["id"], "", "", where, why, "", "", "", "", ""])
            continue
        cell, content = record["cell"], record["cell"]["content"]
        counts = Counter(check["status"] for check in cell["checks"])
        rows.append(
            [
                stack["id"],
                f"{content['torch']} ({'CUDA ' + content['cuda'] if content['cuda'] else 'CPU'})",
                content["python"],
                f"{where}, {record['runner']}",
                f"{cell['status']}: {cell['reason']}",
                " / ".join(str(counts[status]) for status in _STATUSES),
                _seconds(cell["seconds"]["acquire"]) if stack["base"] else "",
                _seconds(cell["seconds"]["probe"]),
                str(record.get("load", "")),
                record["probe"],
            ]
        )
    head = ["stack", "torch inside", "Python", "where", "cell", " / ".join(_STATUSES), "making, s", "checks, s", "load", "probe"]
    return _table(head, rows)


def _checks(measured: Sequence[Record], planned: Sequence[str]) -> str:
    by_stack = [{check["name"]: check["status"] for check in record["cell"]["checks"]} for record in measured]
    names = [name for name in planned if any(name in found for found in by_stack)]
    rows = [[f"`{name}`", *(found.get(name, "") for found in by_stack)] for name in names]
    return _table(["check", *(record["stack"]["id"].removeprefix("torch").replace("-py", " py") for record in measured)], rows)


def _messages(record: Record) -> str:
    checks = record["cell"]["checks"]
    rows = [[f"`{check['name']}`", check["status"], _seconds(check["seconds"]), check["message"]] for check in checks]
    return f"### {record['stack']['id']}\n\n" + _table(["check", "status", "s", "message"], rows)


def _seconds(value: float | None) -> str:
    return "" if value is None else f"{value:.1f}"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(_cell(text, _MESSAGE_CHARS) for text in line) + " |" for line in lines)


def _cell(text: str, chars: int) -> str:
    """A text inside a table: one line, cut, with nothing that Markdown would take for its own."""
    line = " ".join(text.split())
    line = line if len(line) <= chars else line[: chars - 1] + "…"
    return line.replace("|", "\\|").replace("<", "&lt;")
