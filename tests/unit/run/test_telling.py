"""A terminal that is gone ends nothing."""

from __future__ import annotations

import pytest
from values import cell, environment, result

from validator.model import Cell, CellResult, Environment
from validator.run.telling import Telling


class Listener:
    """Hears everything, until it breaks."""

    def __init__(self, breaks: Exception | None = None) -> None:
        self.heard: list[object] = []
        self.breaks = breaks

    def _hear(self, *what: object) -> None:
        self.heard.append(what)
        if self.breaks:
            raise self.breaks

    def planned(self, cells: object, lanes: object) -> None:
        self._hear("planned", cells, lanes)

    def acquiring(self, environment: Environment) -> None:
        self._hear("acquiring", environment)

    def acquired(self, environment: Environment, problem: str | None) -> None:
        self._hear("acquired", environment, problem)

    def cell_started(self, cell: Cell, lane: str) -> None:
        self._hear("started", cell, lane)

    def note(self, about: object, text: str) -> None:
        self._hear("note", about, text)

    def said(self, text: str) -> None:
        self._hear("said", text)

    def cell_finished(self, result: CellResult) -> None:
        self._hear("finished", result)


def tell_all(telling: Telling) -> list[tuple[object, ...]]:
    a, of, done = environment("a"), cell(), result()
    telling.planned([of], ["CPU"])
    telling.acquiring(a)
    telling.acquired(a, "refused")
    telling.cell_started(of, "CPU")
    telling.note(of, "text")
    telling.said("text")
    telling.cell_finished(done)
    return [
        ("planned", [of], ["CPU"]),
        ("acquiring", a),
        ("acquired", a, "refused"),
        ("started", of, "CPU"),
        ("note", of, "text"),
        ("said", "text"),
        ("finished", done),
    ]


def test_all_is_handed_on() -> None:
    listener = Listener()
    assert listener.heard == [] != (told := tell_all(Telling(listener)))
    assert listener.heard == told


@pytest.mark.parametrize("error", [BrokenPipeError("stderr"), ValueError("I/O operation on closed file")])
def test_one_that_cannot_write_any_more_is_left_alone(error: Exception) -> None:
    listener = Listener(error)
    tell_all(Telling(listener))
    assert len(listener.heard) == 1


def test_a_defect_is_not_hidden() -> None:
    with pytest.raises(KeyError):
        Telling(Listener(KeyError("x"))).said("text")
