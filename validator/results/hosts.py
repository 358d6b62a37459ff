"""The machines of results that come from several runs: every cell's machine resolves to what it was when the cell ran."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass, replace

from validator.model import CellResult, HostInfo, RunInfo
from validator.results.json_v1 import load_host, load_run
from validator.results.rows import DamagedError, text, whole


@dataclass(frozen=True)
class Run:
    """A run as the history has it."""

    number: int
    info: RunInfo
    host: HostInfo
    tool_version: str
    finished: bool


def run_of(connection: sqlite3.Connection, number: int) -> Run:
    """The run with this number. Raises DamagedError or ReportFileError."""
    rows = connection.execute("SELECT id, tool_version, finished, run, host FROM runs WHERE number = ?", (number,)).fetchall()
    if len(rows) != 1:
        raise DamagedError(f"a result is there of a run that is not: number {number}")
    id_, tool_version, finished, run, host = rows[0]
    name = f"run {text(id_)}"
    return Run(number, load_run(text(run), name), load_host(text(host), name), text(tool_version), bool(whole(finished)))


def with_hosts(
    connection: sqlite3.Connection, results: Iterable[tuple[CellResult, Run]], first: Run | None
) -> tuple[tuple[CellResult, ...], dict[str, HostInfo]]:
    """Results, each with the run it was found in, and every machine that they name; that of the run ``first`` comes first.

    A machine that has changed since (another driver, say) is there once for each of its states, the older ones by
    ``<id> in <run>``, and the results name that.
    """
    machines = _Machines(connection)
    if first is not None:
        machines.add(first.host, first.info.id)
    return tuple(machines.placed(result, run) for result, run in results), machines.hosts


class _Machines:
    def __init__(self, connection: sqlite3.Connection) -> None:
        self.hosts: dict[str, HostInfo] = {}
        self._connection = connection
        self._of_runs: dict[str, dict[str, HostInfo]] = {}
        self._states: dict[str, dict[str, HostInfo]] = {}
        self._names: dict[tuple[str, str], str] = {}

    def add(self, host: HostInfo, run: str) -> str:
        """The id under which the machine stands, as it was in a run."""
        if (run, host.id) not in self._names:
            self._names[run, host.id] = self._name(host, run)
        return self._names[run, host.id]

    def placed(self, result: CellResult, run: Run) -> CellResult:
        """The result with the machine's id of this report; as it is where that is the same, or its machine was not recorded."""
        if result.ran_on is None:
            return result
        measured_in = result.origin.run if result.origin else run.info.id
        if measured_in not in self._of_runs:
            self._of_runs[measured_in] = self._hosts_of(measured_in)
        host = self._of_runs[measured_in].get(result.ran_on.host)
        if host is None:
            return result
        id_ = self.add(host, measured_in)
        return result if id_ == host.id else replace(result, ran_on=replace(result.ran_on, host=id_))

    def _name(self, host: HostInfo, run: str) -> str:
        known = self._states.setdefault(host.id, {})
        for id_, facts in known.items():
            if facts == _facts(host):
                return id_
        id_ = f"{host.id} in {run}" if known else host.id
        known[id_] = _facts(host)
        self.hosts[id_] = replace(host, id=id_)
        return id_

    def _hosts_of(self, run: str) -> dict[str, HostInfo]:
        rows = self._connection.execute(
            "SELECT host, 1 AS main FROM runs WHERE id = :run UNION ALL"
            " SELECT hosts.host, 0 FROM hosts JOIN runs ON runs.number = hosts.run WHERE runs.id = :run ORDER BY main",
            {"run": run},
        ).fetchall()
        hosts = [load_host(text(host), f"run {run}") for host, _ in rows]
        return {host.id: host for host in hosts}


def _facts(host: HostInfo) -> HostInfo:
    """What makes a difference to what is measured: not what changes from one look to the next."""
    gpus = tuple(
        replace(gpu, memory_free_bytes=None, processes=(), clocks=None, problem=None) for gpu in host.nvml.gpus
    )
    return replace(host, nvml=replace(host.nvml, gpus=gpus))
