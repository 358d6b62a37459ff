"""What is wrong with a file a person wrote: collected, and told all at once with lines."""

from __future__ import annotations

from dataclasses import dataclass, field

from validator.base.errors import MatrixError
from validator.base.redact import redact
from validator.base.text import one_line

MAX_PROBLEMS = 50


def quote(text: str) -> str:
    """Text of the file made fit for a message: one line, bounded, in quotes, credentials masked."""
    return repr(one_line(redact(text), 100))


@dataclass
class Problems:
    """What is wrong with a document, collected so that one reading tells all of it."""

    file: str
    found: list[tuple[int, str]] = field(default_factory=list)

    def add(self, line: int, text: str) -> None:
        """Note one problem; the text is a sentence that says what, why and what to do, without the place."""
        self.found.append((line, text))

    def check(self) -> None:
        """Raise MatrixError with every problem, one a line and in line order, if there is any."""
        if self.found:
            unique = list(dict.fromkeys(sorted(self.found, key=lambda problem: problem[0])))
            shown = [f"{self.file}:{line}: {text}" for line, text in unique[:MAX_PROBLEMS]]
            if len(unique) > MAX_PROBLEMS:
                shown.append(f"and {len(unique) - MAX_PROBLEMS} more")
            raise MatrixError("\n".join(shown))
