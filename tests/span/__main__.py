"""``make span``: the whole probe on one torch of every generation, one stack at a time, and the measured page of it.

What is measured is kept under ``--work``; a stack that was measured by this very probe is not measured again.
"""

from __future__ import annotations

import datetime
import hashlib
import json
import os
import shutil
import time
from pathlib import Path
from typing import Any

import click
import page
import stacks
from stacks import ROOT, Stack

from validator import probe_host
from validator.catalogue import checks
from validator.runners.docker import engine


@click.command()
@click.option("--torch", "globs", multiple=True, metavar="GLOB", help="Only stacks whose id or torch version matches.")
@click.option("--runner", type=click.Choice(["auto", "docker", "local"]), default="auto", show_default=True)
@click.option("--out", type=click.Path(path_type=Path), default=ROOT / "docs" / "measured" / "cpu-span.md", show_default=True)
@click.option("--work", type=click.Path(path_type=Path), default=ROOT / ".validator" / "span", show_default=True)
@click.option("--again", is_flag=True, help="Measure also what this very probe has measured before.")
@click.option("--keep", is_flag=True, help="Leave the environments, for another run soon.")
@click.option("--min-free", type=int, default=20, show_default=True, metavar="GB", help="Stop when less disk than this is free.")
@click.option("--list", "only_list", is_flag=True, help="Name the stacks and stop.")
def main(
    globs: tuple[str, ...], runner: str, out: Path, work: Path, again: bool, keep: bool, min_free: int, only_list: bool
) -> None:
    """Build, measure and remove one stack after another, and write the page after each."""
    selected = stacks.chosen(globs)
    if not selected:
        raise click.UsageError(f"no stack matches {', '.join(globs)}; --list names them")
    if only_list:
        click.echo("\n".join(stack.id for stack in selected))
        return
    if runner == "auto":
        runner = "local" if engine.probe_engine().problem else "docker"
    work.mkdir(parents=True, exist_ok=True)
    probe = hashlib.sha256(probe_host.pack()).hexdigest()[:12]
    for stack in selected:
        file = work / f"{stack.id}.json"
        if not again and file.is_file() and json.loads(file.read_text(encoding="utf-8")).get("probe") == probe:
            click.echo(f"{stack.id}: measured by this probe before")
            continue
        free = shutil.disk_usage(work).free / 1e9
        if free < min_free:
            raise click.ClickException(f"{free:.0f} GB of disk are free, and --min-free is {min_free}; what was measured is kept")
        began = time.monotonic()
        record = _record(stack, work, runner, probe, keep)
        file.write_text(json.dumps(record, indent=1), encoding="utf-8")
        told = record["cell"]["status"] if "cell" in record else record.get("unavailable") or record["error"]
        click.echo(f"{stack.id}: {told}, {time.monotonic() - began:.0f} s")
        _write(out, work)
    _write(out, work)
    click.echo(f"written: {out}")


def _record(stack: Stack, work: Path, runner: str, probe: str, keep: bool) -> dict[str, Any]:
    record: dict[str, Any] = {"stack": {"id": stack.id, "base": stack.base, "python": stack.python}}
    folder = work / stack.id
    folder.mkdir(exist_ok=True)
    try:
        results = stacks.measure(stack, folder, runner, keep=keep)
    except stacks.Unavailable as reason:
        return {**record, "unavailable": str(reason)}
    except RuntimeError as error:
        return {**record, "error": str(error)}
    cell = results["cells"][0]
    device = next((check["metrics"] for check in cell["checks"] if check["name"] == "device"), {})
    return {
        **record,
        "probe": probe,
        "cell": cell,
        "runner": results["run"]["runner"],
        "tool": f"{results['tool']['name']} {results['tool']['version']}",
        "date": datetime.datetime.now(datetime.timezone.utc).date().isoformat(),
        "load": round(os.getloadavg()[0], 1),
        "cpu": f"{device.get('cpu_name', 'an unknown CPU')}, {os.cpu_count()} cores",
    }


def _write(out: Path, work: Path) -> None:
    files = [work / f"{stack.id}.json" for stack in stacks.load()]
    records = [json.loads(file.read_text(encoding="utf-8")) for file in files if file.is_file()]
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(page.render(records, [spec.name for spec in checks.selected({}, inspect=False)]), encoding="utf-8")


if __name__ == "__main__":
    main()
