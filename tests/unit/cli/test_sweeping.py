"""What dead runs have left goes before a run begins, and it is said."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace

import pytest
from docker.errors import APIError

from validator.base.errors import EngineUnavailableError
from validator.cli.output import Output
from validator.cli.sweeping import sweep_up
from validator.run.reaper import Swept


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """An engine at an address, and what sweeping it comes to."""
    made = SimpleNamespace(swept=lambda: Swept(), closed=0, asked=[])

    def close() -> None:
        made.closed += 1

    def connect(address: str) -> tuple[SimpleNamespace, None]:
        made.asked.append(address)
        return SimpleNamespace(close=close), None

    monkeypatch.setattr("validator.runners.docker.engine.connect", connect)
    monkeypatch.setattr("validator.run.reaper.sweep", lambda client: made.swept())
    return made


def test_what_is_swept_up_is_said(engine: SimpleNamespace, capsys: pytest.CaptureFixture[str]) -> None:
    engine.swept = lambda: Swept(("a", "b"), ("c",))
    sweep_up(Output(), "unix:///engine.sock")
    out, err = capsys.readouterr()
    assert (out, err.splitlines()) == (
        "",
        [
            "removed what runs that died had left: a, b",
            "runs that died have left what cannot be removed yet: c; `validator clean` tries again",
        ],
    )
    assert (engine.asked, engine.closed) == (["unix:///engine.sock"], 1)


def test_what_stays_is_said_quietly_too(engine: SimpleNamespace, capsys: pytest.CaptureFixture[str]) -> None:
    engine.swept = lambda: Swept(("a",), ("c",))
    sweep_up(Output(quiet=True), "unix:///engine.sock")
    assert capsys.readouterr().err.startswith("runs that died have left what cannot be removed yet: c")


@pytest.mark.parametrize(
    "trouble", [lambda: EngineUnavailableError("no engine"), lambda: ConnectionError("reset"), lambda: APIError("500")]
)
def test_an_engine_in_trouble_is_not_told_of_here(
    engine: SimpleNamespace, trouble: Callable[[], Exception], capsys: pytest.CaptureFixture[str]
) -> None:
    def swept() -> Swept:
        raise trouble()

    engine.swept = swept
    sweep_up(Output(), "unix:///engine.sock")
    assert capsys.readouterr() == ("", "")
    assert engine.closed == 1
