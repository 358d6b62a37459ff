"""Lines that come again and again, with other numbers in them: after a few there is nothing new to find in them."""

from __future__ import annotations

#: How many lines that differ only in their numbers are looked at, and how many such forms are remembered.
_LOOKED_AT, _REMEMBERED = 8, 4096
#: A longer line is never taken for a repeat.
_LONGEST = 400


class Repeats:
    """Counts lines by their form, which is the line without its digits. Bounded in memory: a full table starts anew."""

    def __init__(self) -> None:
        self._seen: dict[bytes, int] = {}

    def exhausted(self, line: bytes) -> bool:
        """Whether lines of this form were already looked at often enough; counts this one."""
        if len(line) > _LONGEST:
            return False
        form = line.translate(None, b"0123456789")
        seen = self._seen.get(form, 0)
        if seen >= _LOOKED_AT:
            return True
        if len(self._seen) >= _REMEMBERED:
            self._seen.clear()
        self._seen[form] = seen + 1
        return False
