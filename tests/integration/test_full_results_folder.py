"""The results folder on full file systems: what was kept stays, can be read, and is gone on with once there is room.

Needs root, to mount them; in a namespace of its own, so that nothing of it is left.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]

_FILLS = """
import os, sys
from pathlib import Path
from values import L4_HOST, cell, environment, result, run_info
from validator.base.errors import StoreError, StoreFullError
from validator.model import Status
from validator.results import Store

place = Path(sys.argv[1])
folder, filler = place / "out", place / "filler"
room = os.statvfs(place)
filler.write_bytes(bytes(room.f_bavail * room.f_frsize - 3_000_000))
environments = [environment(f"e{number}") for number in range(1500)]
cells = [cell(each) for each in environments]
store = Store(folder)
store.begin_run(run_info("run-1"), L4_HOST, cells)
kept = 0
try:
    for each in environments:
        store.keep(result(env=each, log_tail="x" * 5000))
        kept += 1
except StoreFullError as error:
    print(error.why)
assert 10 < kept < len(cells), kept


def done(whom):
    cells = whom.load_report("run-1").cells
    return [each.id for each in cells if each.status is Status.PASS]


expected = [each.id for each in cells[:kept]]
for attempt in (lambda: store.keep(result(env=environments[kept], log_tail="x" * 500_000)),
                lambda: store.write_reports("run-1", {"results.json": "x" * 4_000_000})):
    try:
        attempt()
    except StoreFullError:
        continue
    sys.exit("no error")
assert done(store) == expected, "while the run is going, on the full disk"
store.close()
assert done(Store(folder, create=False)) == expected, "after the run, on the full disk"
filler.unlink()
assert done(Store(folder, create=False)) == expected, "once there is room"
again = Store(folder)
found = again.unfinished(None, "matrix.yaml")
assert list(found.results) == expected
again.resume_run("run-1", cells)
again.keep(result(env=environments[kept]))
again.finish_run(run_info("run-1"))
again.close()
assert done(again) == [*expected, cells[kept].id]
print("kept", kept)
"""

_MOUNTS = {
    "tmpfs": "mount -t tmpfs -o size=10m none {place}",
    "ext4 with blocks of 1 KiB": "mkfs.ext4 -q -b 1024 {image} && mount -o loop {image} {place}",
    "ext4 with blocks of 4 KiB": "mkfs.ext4 -q -b 4096 {image} && mount -o loop {image} {place}",
}


@pytest.mark.parametrize("kind", _MOUNTS)
def test_a_full_file_system_takes_nothing_away(tmp_path: Path, kind: str) -> None:
    place, image = tmp_path / "place", tmp_path / "image"
    place.mkdir()
    image.write_bytes(b"")
    os.truncate(image, 20 << 20)
    mount = _MOUNTS[kind].format(place=place, image=image)
    tried = subprocess.run(["unshare", "--mount", "sh", "-c", mount], capture_output=True, text=True, check=False, timeout=60)  # noqa: S607
    if tried.returncode:
        pytest.skip(f"no {kind} can be mounted here: {tried.stderr.strip()}")
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-ec", f'{mount}; exec "$@"', "sh", sys.executable, "-c", _FILLS, str(place)],  # noqa: S607
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(TESTS), str(TESTS.parent)])},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.startswith("there is no room left for it\n")
