"""Credentials never survive in what is shown."""

from __future__ import annotations

import pytest

from validator.base.redact import redact


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("https://pypi.org/simple", "https://pypi.org/simple"),
        ("https://ci:s3cret@pypi.example.com/simple", "https://***@pypi.example.com/simple"),
        ("https://s3cret@pypi.example.com/simple", "https://***@pypi.example.com/simple"),
        ("https://ci:p@s3cret@pypi.example.com/simple", "https://***@pypi.example.com/simple"),
        ("http://u:s3cret@[::1]:8080/x", "http://***@[::1]:8080/x"),
        ("git+https://u:s3cret@host/repo.git@main", "git+https://***@host/repo.git@main"),
        ("https://host/scope/@name", "https://host/scope/@name"),
        ("https://host/x?a=1&X-Amz-Signature=s3cret&b=2", "https://host/x?a=1&X-Amz-Signature=***&b=2"),
        ("https://host/x?sig=s3cret#sha256=abc", "https://host/x?sig=***#sha256=abc"),
        ("https://host/x?design=blue", "https://host/x?design=blue"),
        ("write to a@b.example about https://h/x", "write to a@b.example about https://h/x"),
    ],
)
def test_only_the_secret_parts_of_a_url_are_masked(text: str, shown: str) -> None:
    assert redact(text) == shown


def test_every_url_of_a_log_is_masked() -> None:
    log = "failed to fetch `https://a:s3cret@one/simple/`\n  cause: (https://b:s3cret@two/simple/torch/)"
    assert "s3cret" not in redact(log)
    assert redact(log).count("***@") == 2
