"""What rules say of one environment on one target: the answer of ``validator check``, and a part of others."""

from __future__ import annotations

from typing import Any

from validator.model import Finding, Prediction
from validator.report.answers import formats


def as_json(prediction: Prediction) -> dict[str, Any]:
    """The answer in the words of results.json."""
    return {
        "verdict": prediction.status.value,
        "basis": prediction.basis.value,
        "findings": list(map(finding_as_json, prediction.findings)),
        "assumptions": [str(each) for each in prediction.assumptions],
        "missing": [str(each) for each in prediction.missing],
    }


def finding_as_json(finding: Finding) -> dict[str, Any]:
    """One cause with its evidence."""
    return {
        "cause": finding.cause,
        "family": finding.family,
        "severity": finding.severity.value,
        "message": finding.message,
        "evidence": list(finding.evidence),
        "remedy": finding.remedy,
        "source": finding.source,
    }


def as_text(prediction: Prediction, _width: int) -> str:
    """The status, each finding with its evidence, and what the answer rests on."""
    lines = [f"{prediction.status.value}  ({prediction.basis.value}; nothing was run)"]
    for row in prediction.findings:
        lines += ["", f"{row.severity.value}: {row.message}  [{row.cause}]"]
        lines += [f"    {evidence}" for evidence in row.evidence]
        if row.remedy:
            lines.append(f"    try: {row.remedy}")
        if row.source:
            lines.append(f"    source: {row.source}")
    for title, each_of in (("not known", prediction.missing), ("assumed", prediction.assumptions)):
        if each_of:
            lines += ["", f"{title}:", *(f"  - {each}" for each in each_of)]
    return "\n".join(lines)


FORMATS = formats(as_text, as_json)
