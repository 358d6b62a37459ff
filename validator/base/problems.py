"""The problems of a file that a person wrote: collected, then raised as one error that names the line of each."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from validator.base.errors import MatrixError
from validator.base.text import suggestion

MAX_PROBLEMS = 50
#: Problems that get a suggestion: looking for one takes longer than all else, and whoever sees twenty sees the pattern.
MAX_HINTS = 20


@dataclass
class Problems:
    """The problems of one document."""

    file: str
    found: list[tuple[int, str]] = field(default_factory=list)

    def add(self, line: int, text: str) -> None:
        """Note a problem. The text says what is wrong, why, and what to do, but not where."""
        self.found.append((line, text))

    def hint(self, word: str, known: Iterable[str]) -> str:
        """``suggestion`` for a problem that is about to be noted; empty where many were noted before it."""
        return suggestion(word, known) if len(self.found) < MAX_HINTS else ""

    def check(self) -> None:
        """Raise MatrixError if there are problems: one on each line of the message, in the order of the file."""
        if self.found:
            unique = list(dict.fromkeys(sorted(self.found, key=lambda problem: problem[0])))
            shown = [f"{self.file}:{line}: {text}" for line, text in unique[:MAX_PROBLEMS]]
            if len(unique) > MAX_PROBLEMS:
                shown.append(f"and {len(unique) - MAX_PROBLEMS} more")
            raise MatrixError("\n".join(shown))
