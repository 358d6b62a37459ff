"""Credentials masked in URLs, so that a package source can be named in a report, an error or a cache key."""

from __future__ import annotations

import re

MASK = "***"

#: The user part of a URL up to the last ``@`` before its path: a password may itself hold an ``@``.
_USER_INFO = re.compile(r"(?<=://)[^/\s?#\"'<>]*@")
#: Query parameters that carry a secret, as registries and signed links name them.
_SECRET_PARAMETER = re.compile(
    r"(?<=[?&])((?:[\w.-]*(?:token|secret|password|passwd|signature|credential|api[_-]?key)[\w.-]*|sig|auth|key)=)"
    r"[^&\s#\"'<>]+",
    re.IGNORECASE,
)


def redact(text: str) -> str:
    """Text in which every URL has its user part and its secret query parameters masked.

    >>> redact("https://ci:s3cret@pypi.example.com/simple?token=abc")
    'https://***@pypi.example.com/simple?token=***'
    """
    return _SECRET_PARAMETER.sub(rf"\1{MASK}", _USER_INFO.sub(f"{MASK}@", text))
