"""What starts containers on this machine, before images that nobody here wrote run on it: said, or refused."""

from __future__ import annotations

from validator.base.errors import ValidatorError
from validator.cli.output import Output
from validator.host.stack import StackState, stack_findings
from validator.model import EngineInfo


class UnpatchedError(ValidatorError):
    """The container stack has known holes, or it is not known whether it does, and that was not to be."""


def look_at_stack(output: Output, engine: EngineInfo, *, require_patched: bool) -> None:
    """Warn of weaknesses by which an image can reach this machine. Raises UnpatchedError with ``require_patched``."""
    found = [each for each in stack_findings(engine) if each.state is not StackState.PATCHED]
    if not found:
        return
    if require_patched:
        raise UnpatchedError(
            "the container stack of this machine is not known to be patched",
            why="\n    ".join(each.text for each in found),
            hint="update it, or leave out --require-patched where the images are trusted",
        )
    for each in found:
        if each.state is StackState.VULNERABLE:
            output.warn(f"warning: {each.text} (--require-patched refuses)")
    unknown = [f"{each.component} {each.version or ''}".strip() for each in found if each.state is StackState.UNKNOWN]
    if unknown:
        output.note(f"not known whether patched: {', '.join(unknown)} (`validator host` says why)")
