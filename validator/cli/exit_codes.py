"""Which result is which exit code."""

from __future__ import annotations

from validator.base.errors import ExitCode
from validator.model import Basis, Report, Status


def exit_code(report: Report, *, strict: bool) -> ExitCode:
    """The exit code of a report; a failure that the matrix expects counts as known and fine.

    What rules say of a target that was not there (``inferred``) counts with ``strict``, and where it is not as expected.
    """
    cells = report.cells
    if report.run.interrupted:
        return ExitCode.INTERRUPTED
    failing = {Status.FAIL, Status.DEGRADED} if strict else {Status.FAIL}
    for cell in cells:
        counts = strict or not cell.inferred
        if cell.unexpected or (counts and cell.status in failing and cell.expect is not cell.status):
            return ExitCode.FAILED
    if any(cell.status is Status.ERROR for cell in cells):
        return ExitCode.NOT_FOUND_OUT
    if not any(cell.basis in (Basis.MEASURED, Basis.INSPECTED) for cell in cells):
        return ExitCode.NOT_FOUND_OUT
    return ExitCode.OK
