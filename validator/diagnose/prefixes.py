"""What other programs put in front of a line: Kubernetes, docker compose, journald, loggers with their time stamps and ranks."""

from __future__ import annotations

import re

_STAMP = r"\[?\d{4}[-/]\d\d[-/]\d\d[Tt ,]{1,2}\d\d:\d\d:\d\d(?:[.,]\d{1,9})?(?:[Zz]|[+-]\d\d:?\d\d)?\]?"
#: Alternatives in the order they are tried at the beginning of a line; all are bounded in length.
_PREFIX = re.compile(
    r"\s{0,8}(?:"
    + "|".join(
        [
            _STAMP + r"(?: (?:stdout|stderr) [FPfp])?",
            r"[A-Za-z][a-z]{2} {1,2}\d{1,2} \d\d:\d\d:\d\d \S{1,64} [\w./-]{1,64}(?:\[\d{1,8}\])?:",
            r"\[?(?:default|rank|Rank)\s?\d{1,5}\]?:",
            r"\((?:\w{1,40} )?(?:pid|rank|ip)=[^)]{1,80}\)",
            r"\d{1,5}: (?=\S)",
            r"[\w.-]{1,64}\s{1,20}\|",
            r"\[(?:pod|container)/[^\]]{1,160}\]",
            r"#\d{1,4}(?: \d{1,6}\.\d{1,4})?",
            r"(?:INFO|WARN(?:ING)?|ERROR|DEBUG|CRITICAL|FATAL|info|warn(?:ing)?|error|debug)\s?[|-]",
            r"\[(?:INFO|WARN(?:ING)?|ERROR|DEBUG|CRITICAL)\]",
        ]
    )
    + r")\s?"
)
#: How many prefixes, one behind the other, are taken off.
_MOST = 4


def without_prefix(line: str) -> str:
    """A line without its prefixes. A line that is nothing but a prefix stays as it is."""
    for _ in range(_MOST):
        hit = _PREFIX.match(line)
        if hit is None or hit.end() == len(line):
            return line
        line = line[hit.end() :]
    return line
