"""What earlier runs say: results that may be used again, runs to take up, the newest of every cell, and how long things took."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from values import BARE_HOST, L4_HOST, cell, environment, result, run_info, target

from validator.base.errors import StoreError
from validator.model import (
    Basis,
    Cell,
    CellResult,
    Finding,
    HostInfo,
    Intent,
    Origin,
    Outlook,
    Prediction,
    PulledImage,
    RanOn,
    Seconds,
    Severity,
    Status,
)
from validator.results import Store
from validator.results.rows import State

PREDICTED = Prediction(Outlook.FAIL, ("driver-too-old",))


def of(result: CellResult) -> Cell:
    return cell(result.environment, result.target, expect=result.expect, predicted=result.predicted)


def kept(
    folder: Path, run: str, *results: CellResult, host: HostInfo = L4_HOST, keys: dict[str, str] | None = None, **info: Any
) -> Store:
    """A run that came to its end with these results."""
    store = Store(folder)
    store.begin_run(run_info(run, **info), host, [of(each) for each in results])
    store.keep_all(results, keys or {})
    store.finish_run(run_info(run, **info))
    store.close()
    return store


def measured(env: str = "a", status: Status = Status.PASS, **fields: Any) -> CellResult:
    return result(status, env, **fields)


def foretold(env: str = "a", status: Status = Status.FAIL, **fields: Any) -> CellResult:
    return result(status, env, basis=Basis.PREDICTED, predicted=PREDICTED, **fields)


def ids(*results: CellResult) -> list[str]:
    return [each.id for each in results]


# ---------------------------------------------------------------- used again


def test_a_result_is_used_again_under_its_key_with_where_and_when_it_was_measured(tmp_path: Path) -> None:
    store = kept(tmp_path, "run-1", measured(), keys={"a@host": "key-a"})
    found = store.reusable(["key-a", "key-b"])
    assert list(found) == ["key-a"]
    again = found["key-a"]
    assert again == replace(measured(), cached=True, origin=again.origin)
    assert again.origin is not None
    assert again.origin.run == "run-1"
    age = datetime.now(timezone.utc) - datetime.fromisoformat(again.origin.at)
    assert timedelta(0) <= age < timedelta(minutes=10)


def test_what_was_used_again_is_not_measured_anew_by_that(tmp_path: Path) -> None:
    first = kept(tmp_path, "run-1", measured(), keys={"a@host": "key"}).reusable(["key"])["key"]
    second = kept(tmp_path, "run-2", first, keys={"a@host": "key"}).reusable(["key"])["key"]
    assert (second.origin, second) == (first.origin, first)
    [shown] = Store(tmp_path).load_report("run-2").cells
    assert (shown.cached, shown.origin) == (True, first.origin)


def test_the_newest_of_a_key_is_used_and_not_what_is_no_fact(tmp_path: Path) -> None:
    kept(tmp_path, "run-1", measured(reason="older"), keys={"a@host": "key"})
    kept(tmp_path, "run-2", measured(reason="newer"), keys={"a@host": "key"}, matrix="another.yaml")
    kept(tmp_path, "run-3", result(Status.ERROR, "a", basis=None), keys={"a@host": "key"})
    kept(tmp_path, "run-4", result(Status.SKIP, "a"), keys={"a@host": "key"})
    store = kept(tmp_path, "run-5", measured(reason="under no key"))
    assert store.reusable(["key"])["key"].reason == "newer"
    for status in (Status.DEGRADED, Status.FAIL):
        assert kept(tmp_path, f"run-{status.value}", measured(status=status), keys={"a@host": "key"}).reusable(["key"])


def test_what_is_too_old_is_not_used_again(tmp_path: Path) -> None:
    kept(tmp_path, "run-1", measured(reason="older"), keys={"a@host": "key"})
    between = datetime.now(timezone.utc)
    store = Store(tmp_path)
    assert "key" in store.reusable(["key"], not_before=between - timedelta(days=1))
    assert store.reusable(["key"], not_before=between + timedelta(days=1)) == {}
    elsewhere = timezone(timedelta(hours=-11))  # the same moment, said in another zone
    assert "key" in store.reusable(["key"], not_before=(between - timedelta(minutes=1)).astimezone(elsewhere))
    assert store.reusable(["key"], not_before=(between + timedelta(minutes=1)).astimezone(elsewhere)) == {}


def test_a_result_that_is_said_more_about_keeps_its_key_and_its_moment(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.begin_run(run_info("run-1"), L4_HOST, [of(measured())])
    store.keep(measured(), "key")
    at = store.history("a@host")["a@host"][0].at
    store.keep(measured(notes=("more",)))
    found = store.reusable(["key"])["key"]
    assert (found.notes, found.origin) == (("more",), Origin("run-1", at))


def test_a_cell_that_is_begun_again_has_neither_result_nor_key(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.begin_run(run_info("run-1"), L4_HOST, [of(measured())])
    store.keep(measured(seconds=Seconds(total=1.0), findings=(Finding("x", Severity.DEGRADED, "x"),)), "key")
    store.begin(of(measured()))
    assert store.reusable(["key"]) == {}
    [entry] = store.history("a@host")["a@host"]
    assert (entry.state, entry.status, entry.seconds, entry.causes) == (State.BEGUN, None, None, ())
    assert "died during this cell" in store.load_report().cells[0].reason
    store.keep(measured())
    assert store.reusable(["key"]) == {}


def test_more_keys_than_one_question_can_hold(tmp_path: Path) -> None:
    results = [measured(f"e{number}") for number in range(1203)]
    store = kept(tmp_path, "run-1", *results, keys={each.id: f"key of {each.id}" for each in results})
    found = store.reusable(f"key of {each.id}" for each in results)
    assert {key: each.id for key, each in found.items()} == {f"key of {each.id}": each.id for each in results}


# ---------------------------------------------------------------- taken up again


def begun(folder: Path, run: str, *names: str, **info: Any) -> Store:
    store = Store(folder)
    store.begin_run(run_info(run, **info), L4_HOST, [of(measured(name)) for name in names])
    return store


def test_a_run_that_died_is_taken_up_where_it_was(tmp_path: Path) -> None:
    store = begun(tmp_path, "run-1", "a", "b", "c", "d")
    for number, name in enumerate("abc"):
        store.begin(of(measured(name)))
        store.intend(Intent(f"{name}@host", f"name of {name}", "nonce", number))
    store.intend(Intent("c@host", "name of c again", "other", 7))
    store.keep(measured("a"))
    store.keep(result(Status.SKIP, "b", reason="interrupted during this cell"), final=False)
    store.close()  # stands for its death: that ends its locks as well

    store = Store(tmp_path)
    found = store.unfinished(None, "matrix.yaml")
    assert found is not None
    assert (found.run.id, found.host) == ("run-1", L4_HOST)
    assert found.results == {"a@host": measured("a")}
    assert found.intents == {
        "b@host": Intent("b@host", "name of b", "nonce", 1),
        "c@host": Intent("c@host", "name of c again", "other", 7),
    }
    assert [each.reason for each in store.load_report("run-1").cells] == [
        "trains: fp32",
        "interrupted during this cell",
        "no result is recorded: the run died during this cell, or is still in it",
        "no result is recorded: the run died before this cell, or has not come to it yet",
    ]
    store.resume_run("run-1", [of(measured(name)) for name in "dcba"])
    for name in "bcd":
        store.begin(of(measured(name)))
        store.keep(measured(name, reason="second sitting"))
    store.finish_run(run_info("run-1"))
    store.close()
    report = Store(tmp_path).load_report("run-1")
    assert not report.run.interrupted
    assert [(each.id, each.reason) for each in report.cells] == [
        ("d@host", "second sitting"),
        ("c@host", "second sitting"),
        ("b@host", "second sitting"),
        ("a@host", "trains: fp32"),
    ]
    assert store.unfinished(None, "matrix.yaml") is None


def test_a_matrix_that_has_changed_meanwhile_adds_cells_and_takes_none_away(tmp_path: Path) -> None:
    store = begun(tmp_path, "run-1", "gone", "b", "c")
    store.keep(measured("b"))
    store.close()
    newly = environment("c", PulledImage("another/image"))
    store.resume_run("run-1", [of(measured("new")), cell(newly, expect=Status.FAIL), of(measured("b"))])
    store.close()
    cells = store.load_report("run-1").cells
    assert [(each.id, each.status.value) for each in cells] == [
        ("gone@host", "skip"),
        ("new@host", "skip"),
        ("c@host", "skip"),
        ("b@host", "pass"),
    ]
    assert (cells[2].environment.source, cells[2].expect) == (PulledImage("another/image"), Status.FAIL)


def test_the_run_to_take_up_is_the_last_of_its_matrix_that_did_not_come_to_its_end(tmp_path: Path) -> None:
    begun(tmp_path, "killed", "a").close()
    store = begun(tmp_path, "interrupted", "a")
    store.finish_run(run_info("interrupted", interrupted=True))
    store.close()
    kept(tmp_path, "whole", measured())
    begun(tmp_path, "of another matrix", "a", matrix="other.yaml").close()
    for named, matrix, expected in [
        (None, "matrix.yaml", "interrupted"),
        (None, "other.yaml", "of another matrix"),
        ("killed", "matrix.yaml", "killed"),
        ("killed", "other.yaml", "killed"),
    ]:
        found = store.unfinished(named, matrix)
        assert found is not None
        assert found.run.id == expected
    assert store.unfinished(None, "no.yaml") is None
    with pytest.raises(StoreError, match="came to its end"):
        store.unfinished("whole", "matrix.yaml")
    with pytest.raises(StoreError, match="no run 'unknown' is recorded") as raised:
        store.unfinished("unknown", "matrix.yaml")
    assert "of another matrix, whole, interrupted, killed" in raised.value.hint


def test_a_run_that_is_still_going_is_nobody_elses_to_take_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("validator.results.locks._GLANCE_SECONDS", 0.05)
    living = begun(tmp_path, "run-1", "a")
    other = Store(tmp_path)
    assert other.unfinished(None, "matrix.yaml") is None
    with pytest.raises(StoreError, match="still going"):
        other.unfinished("run-1", "matrix.yaml")
    with pytest.raises(StoreError, match="still going"):
        other.resume_run("run-1", [])
    living.keep(measured())
    living.close()
    assert other.unfinished("run-1", "matrix.yaml") is not None
    other.resume_run("run-1", [])
    with pytest.raises(StoreError, match="still going"):
        living.resume_run("run-1", [])


def test_a_run_taken_up_on_another_machine_keeps_both(tmp_path: Path) -> None:
    store = begun(tmp_path, "run-1", "a", "b")
    store.keep(measured("a", ran_on=RanOn("gpu-a1")))
    store.close()
    store.resume_run("run-1", [of(measured(name)) for name in "ab"], replace(BARE_HOST, id="bare"))
    store.keep(measured("b", ran_on=RanOn("bare")))
    store.finish_run(run_info("run-1"))
    report = store.load_report()
    assert (list(report.hosts), report.host.system) == (["bare", "gpu-a1"], "Debian")
    assert [report.host_of(each).system for each in report.cells] == [L4_HOST.system, "Debian"]


# ---------------------------------------------------------------- the newest of every cell


def shown(folder: Path, *names: str) -> list[tuple[str, str | None]]:
    """(reason, the run it is of if that is not the last one) of what ``latest/`` shows."""
    found = Store(folder).newest("matrix.yaml", [f"{name}@host" for name in names])
    return [(each.reason, each.origin.run if each.origin else None) for each in found.results]


def test_a_run_of_some_cells_leaves_the_others_in_place(tmp_path: Path) -> None:
    kept(tmp_path, "run-1", measured("a", reason="1"), measured("b", reason="1"))
    kept(tmp_path, "run-2", measured("b", reason="2"), measured("c", reason="2"))
    kept(tmp_path, "run-3", measured("a", reason="other"), matrix="other.yaml")
    assert shown(tmp_path, "a", "b", "c", "never") == [("1", "run-1"), ("2", None), ("2", None)]
    assert shown(tmp_path, "c", "a") == [("2", None), ("1", "run-1")]
    assert shown(tmp_path) == []
    assert Store(tmp_path).newest("no.yaml", ["a@host"]).results == ()


@pytest.mark.parametrize(
    ("older", "newer", "the_older_stays"),
    [
        (measured(), foretold(), True),
        (measured(), result(Status.SKIP, "a"), True),
        (measured(), result(basis=Basis.INSPECTED, env="a"), True),
        (result(Status.ERROR, "a", basis=None), foretold(), True),
        (result(basis=Basis.INSPECTED, env="a"), foretold(), True),
        (measured(), result(Status.ERROR, "a", basis=None), False),
        (measured(), measured(status=Status.FAIL), False),
        (foretold(), result(Status.SKIP, "a"), False),
        (foretold(), measured(), False),
        (foretold(), foretold(status=Status.PASS), False),
        (result(basis=Basis.INSPECTED, env="a"), result(basis=Basis.INSPECTED, env="a"), False),
        (measured(), foretold(digest="sha256:1"), True),
        (measured(digest="sha256:1"), foretold(), True),
        (measured(digest="sha256:1"), result(basis=Basis.INSPECTED, env="a", digest="sha256:1"), True),
        (measured(digest="sha256:1"), result(basis=Basis.INSPECTED, env="a", digest="sha256:2"), False),
    ],
)
def test_what_says_less_does_not_take_the_place_of_what_says_more_about_the_same(
    tmp_path: Path, older: CellResult, newer: CellResult, the_older_stays: bool
) -> None:
    kept(tmp_path, "run-1", replace(older, reason="older"))
    kept(tmp_path, "run-2", replace(newer, reason="newer"))
    expected = [("older", "run-1")] if the_older_stays else [("newer", None)]
    assert shown(tmp_path, "a") == shown(tmp_path, "a", "never") == expected


@pytest.mark.parametrize(
    "changed",
    [
        {"env": environment("a", PulledImage("another/image"), torch="2.7.1")},
        {"env": environment("a", torch="2.8.0")},
        {"env": environment("a", torch="2.7.1", cuda="12.6")},
        {"env": environment("a", torch="2.7.1", python="3.12")},
    ],
)
def test_of_an_environment_that_is_defined_otherwise_the_newest_is_shown(tmp_path: Path, changed: dict[str, Any]) -> None:
    kept(tmp_path, "run-1", measured(reason="older"))
    kept(tmp_path, "run-2", result(Status.FAIL, reason="newer", basis=Basis.PREDICTED, **changed))
    assert shown(tmp_path, "a") == [("newer", None)]
    kept(tmp_path, "run-3", foretold(reason="defined as it was"))
    assert shown(tmp_path, "a") == [("older", "run-1")]


@pytest.mark.parametrize("changed", [{"gpu": "L4"}, {"compute_capability": "8.9"}, {"driver": "535"}])
def test_of_a_target_that_is_defined_otherwise_the_newest_is_shown(tmp_path: Path, changed: dict[str, Any]) -> None:
    kept(tmp_path, "run-1", measured(reason="older"))
    kept(tmp_path, "run-2", replace(foretold(reason="newer"), target=replace(target(), **changed)))
    assert shown(tmp_path, "a") == [("newer", None)]


def test_a_result_that_an_older_run_used_again_is_of_the_run_that_measured_it(tmp_path: Path) -> None:
    first = kept(tmp_path, "run-1", measured(reason="1"), keys={"a@host": "key"}, matrix="other.yaml").reusable(["key"])["key"]
    kept(tmp_path, "run-2", first)
    kept(tmp_path, "run-3", measured("b", reason="3"))
    assert shown(tmp_path, "a", "b") == [("1", "run-1"), ("3", None)]


def test_a_measurement_is_found_behind_many_predictions(tmp_path: Path) -> None:
    kept(tmp_path, "run-1", measured("a", reason="1"), foretold("b", reason="1"))
    for number in range(2, 6):
        kept(tmp_path, f"run-{number}", foretold("a", reason=str(number)), foretold("b", reason=str(number)))
    assert shown(tmp_path, "a", "b") == [("1", "run-1"), ("5", None)]


def test_a_cell_that_was_cut_short_shows_what_is_known_of_it(tmp_path: Path) -> None:
    kept(tmp_path, "run-1", measured("a", reason="1"))
    store = begun(tmp_path, "run-2", "a", "b", "c")
    store.keep(result(Status.SKIP, "a", reason="interrupted"), final=False)
    store.keep(result(Status.SKIP, "b", reason="interrupted"), final=False)
    store.finish_run(run_info("run-2", interrupted=True))
    never = "no result is recorded: the run died before this cell, or has not come to it yet"
    assert shown(tmp_path, "a", "b", "c") == [("1", "run-1"), ("interrupted", None), (never, None)]


def test_what_an_older_run_measures_when_it_is_taken_up_is_newer(tmp_path: Path) -> None:
    begun(tmp_path, "run-1", "a", "b").keep(measured("b", reason="1"))
    kept(tmp_path, "run-2", measured("a", reason="2"), measured("b", reason="2"), keys={"a@host": "key"})
    store = Store(tmp_path)
    store.resume_run("run-1", [of(measured(name)) for name in "ab"])
    store.keep(measured("a", reason="1 again"), "key")
    assert shown(tmp_path, "a", "b") == [("1 again", None), ("2", "run-2")]
    assert store.reusable(["key"])["key"].reason == "1 again"
    assert [entry.run for entry in store.history("a@host")["a@host"]] == ["run-1", "run-2"]


def test_the_results_of_the_run_itself_need_not_be_read_again(tmp_path: Path) -> None:
    kept(tmp_path, "run-1", measured("a", reason="1"), measured("b", reason="1"))
    store = begun(tmp_path, "run-2", "b")
    store.keep(measured("b", reason="2"))
    in_memory = measured("b", reason="in memory")
    found = store.newest("matrix.yaml", ["a@host", "b@host"], [in_memory])
    assert [each.reason for each in found.results] == ["1", "in memory"]
    assert found.results[1] is in_memory


def test_the_machine_of_every_result_is_the_one_it_ran_on(tmp_path: Path) -> None:
    """A machine that got another driver meanwhile is there once as it was and once as it is."""
    updated = replace(L4_HOST, nvml=replace(L4_HOST.nvml, driver_version="590.10"))
    gpu = replace(updated.nvml.gpus[0], memory_free_bytes=1, processes=())
    busier = replace(updated, nvml=replace(updated.nvml, gpus=(gpu,)))
    on = RanOn("gpu-a1", "GPU-1")
    kept(tmp_path, "run-1", measured("a", ran_on=on))
    kept(tmp_path, "run-2", measured("b", ran_on=on), host=updated)
    kept(tmp_path, "run-3", measured("c", ran_on=on), measured("d", ran_on=RanOn("unknown")), measured("e"), host=busier)
    found = Store(tmp_path).newest("matrix.yaml", [f"{name}@host" for name in "abcde"])
    names = ["gpu-a1 in run-1", "gpu-a1", "gpu-a1", "unknown", None]
    assert [each.ran_on.host if each.ran_on else None for each in found.results] == names
    assert list(found.hosts) == ["gpu-a1", "gpu-a1 in run-1"]
    assert [host.id for host in found.hosts.values()] == list(found.hosts)
    drivers = [host.nvml.driver_version for host in found.hosts.values()]
    assert drivers == ["590.10", "580.95.05"]


def test_the_machine_of_a_result_that_is_used_again_is_that_of_its_first_run(tmp_path: Path) -> None:
    elsewhere = replace(BARE_HOST, id="elsewhere")
    on = RanOn("elsewhere")
    first = kept(tmp_path, "run-1", measured(ran_on=on), host=elsewhere, keys={"a@host": "key"}).reusable(["key"])["key"]
    store = begun(tmp_path, "run-2", "a", "b")
    results, hosts = store.hosts_of([first, measured("b", ran_on=RanOn("gpu-a1"))], L4_HOST)
    assert results == (first, measured("b", ran_on=RanOn("gpu-a1")))
    assert hosts == {"gpu-a1": L4_HOST, "elsewhere": elsewhere}
    store.keep_all(results)
    assert store.load_report("run-2").hosts == hosts


# ---------------------------------------------------------------- failures, durations, history


def test_what_failed_last_is_what_latest_shows_as_failed(tmp_path: Path) -> None:
    kept(tmp_path, "run-1", measured("a", Status.FAIL), measured("b", Status.FAIL), result(Status.ERROR, "c", basis=None))
    kept(tmp_path, "run-2", measured("b"), foretold("c", Status.PASS), foretold("d"), measured("e", Status.DEGRADED))
    kept(tmp_path, "run-3", result(Status.FAIL, "f", basis=Basis.INSPECTED))
    store = Store(tmp_path)
    assert store.last_failures("matrix.yaml") == {"a@host", "c@host", "f@host"}
    assert store.last_failures("matrix.yaml", ["b@host", "c@host"]) == {"c@host"}
    assert store.last_failures("other.yaml") == set()


def test_how_long_things_took_when_they_were_last_done(tmp_path: Path) -> None:
    def took(acquire: float | None, total: float | None, env: str = "a", **fields: Any) -> CellResult:
        return result(env=env, seconds=Seconds(acquire=acquire, total=total), **fields)

    first = kept(tmp_path, "run-1", took(30.0, 40.0), took(5.0, 6.0, "b"), keys={"b@host": "key"}).reusable(["key"])["key"]
    kept(tmp_path, "run-2", took(0.5, 12.5), replace(first, seconds=Seconds(0.0, total=0.0)))
    kept(tmp_path, "run-3", foretold(seconds=Seconds(total=99.0)), took(None, None, "c"), took(None, 3.0, "d"))
    kept(tmp_path, "run-4", result(Status.ERROR, "a", basis=None, seconds=Seconds(600.0, total=600.0)))
    kept(tmp_path, "run-5", took(1.0, 100.0), matrix="other.yaml")
    found = Store(tmp_path).durations("matrix.yaml")
    assert found.cells == {"a@host": 12.0, "b@host": 1.0, "d@host": 3.0}
    assert found.environments == {"a": 0.5, "b": 5.0}


def test_the_history_of_a_cell_is_all_of_its_runs_the_newest_first(tmp_path: Path) -> None:
    finding = Finding("driver-too-old", Severity.FAIL, "too old")
    remark = Finding("note", Severity.INFO, "by the way")
    kept(tmp_path, "run-1", measured(seconds=Seconds(total=3.5)), measured("b"), keys={"a@host": "key"})
    again = Store(tmp_path).reusable(["key"])["key"]
    kept(tmp_path, "run-2", again)
    kept(tmp_path, "run-3", measured(status=Status.FAIL, findings=(finding, remark)), matrix="other.yaml")
    begun(tmp_path, "run-4", "a", started="2026-11-28T01:02:03+00:00").begin(of(measured()))
    [(name, entries)] = Store(tmp_path).history("a@*").items()
    assert name == "a@host"
    assert [(each.run, each.state, each.status, each.basis, each.causes, each.seconds, each.cached) for each in entries] == [
        ("run-4", State.BEGUN, None, None, (), None, False),
        ("run-3", State.DONE, Status.FAIL, Basis.MEASURED, ("driver-too-old",), None, False),
        ("run-2", State.DONE, Status.PASS, Basis.MEASURED, (), 3.5, True),
        ("run-1", State.DONE, Status.PASS, Basis.MEASURED, (), 3.5, False),
    ]
    assert [each.origin for each in entries] == [None, None, again.origin, None]
    assert [each.matrix for each in entries] == ["matrix.yaml", "other.yaml", "matrix.yaml", "matrix.yaml"]
    assert entries[0].at == "2026-11-28T01:02:03+00:00"


def test_cells_are_found_by_a_glob_and_by_their_very_id(tmp_path: Path) -> None:
    store = kept(tmp_path, "run-1", measured("b"), measured("a"), measured("[ab]"))
    assert list(store.history("*")) == store.cell_ids() == ["[ab]@host", "a@host", "b@host"]
    assert list(store.history("[ab]@host")) == ["[ab]@host"]
    assert list(store.history("[!a]@*")) == ["b@host"]
    assert store.history("A@host") == {}
