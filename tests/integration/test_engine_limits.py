"""What a container may take from the machine, and do to whoever reads from it: floods, volumes, deaf ears, its end."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import docker
import pytest
from docker.errors import NotFound
from values import cell, cpu_environment, matrix

from validator.base.errors import InterruptedRunError
from validator.base.stopping import Stop
from validator.model import Limits, PulledImage
from validator.runners import Prepared, RunContext, RunOutcome
from validator.runners.base import WHOLE, Share
from validator.runners.docker.runner import DockerRunner

pytestmark = pytest.mark.docker
OF = cell(cpu_environment(source=PulledImage("unused")))


def ignored(event: Mapping[str, object]) -> None:
    pass


class Bench:
    """Runs images that are made of a few lines in place of torch."""

    def __init__(self, engine: docker.DockerClient, base: str, folder: Path) -> None:
        self.engine = engine
        self._base = base
        self._folder = folder
        self.stop = Stop()

    def runner(self, **settings: Any) -> DockerRunner:
        context = RunContext(f"r{time.time_ns()}", owner="host:1", stop=self.stop)
        return DockerRunner(matrix(OF.environment, pull="never", **settings), context)

    def image(self, torch: str, dockerfile: str = "") -> str:
        (self._folder / "torch").mkdir(exist_ok=True)
        (self._folder / "torch" / "__init__.py").write_text(torch, encoding="utf-8")
        (self._folder / "Dockerfile").write_text(
            f"FROM {self._base}\nCOPY torch /opt/stub/torch\nENV PYTHONPATH=/opt/stub\n{dockerfile}", encoding="utf-8"
        )
        return str(self.engine.images.build(path=str(self._folder), rm=True, tag=f"validator-test/bench:{time.time_ns()}")[0].id)

    def run(self, torch: str, dockerfile: str = "", share: Share = WHOLE, **settings: Any) -> RunOutcome:
        runner = self.runner(**settings)
        try:
            of = replace(OF, environment=replace(OF.environment, source=PulledImage(self.image(torch, dockerfile))))
            prepared = runner.prepare(of.environment, lambda line: None)
            return runner.run(runner.request(of, prepared, share=share), ignored)
        finally:
            runner.close()


@pytest.fixture
def bench(engine: docker.DockerClient, base_image: str, tmp_path: Path) -> Bench:
    return Bench(engine, base_image, tmp_path)


@pytest.mark.parametrize("descriptor", [1, 2], ids=["stdout", "stderr"])
def test_a_good_answer_is_found_behind_a_flood(bench: Bench, descriptor: int) -> None:
    """100 MB without a newline, three times what the engine's log keeps, before the first event of the probe."""
    flood = f"base64 -w0 /dev/zero | head -c 100000000 >&{descriptor}"
    entry = f'RUN echo "#!/bin/sh\\n{flood}\\nexec \\"\\$@\\"" > /entry && chmod 755 /entry\nENTRYPOINT ["/entry"]\n'
    outcome = bench.run("raise ImportError('no torch here')", entry)
    assert (outcome.report.complete, outcome.exit_code, outcome.engine_problem) == (True, 0, None), outcome
    assert outcome.report.violations == ()
    assert "A" * 100 in (outcome.report.stray if descriptor == 1 else outcome.stderr)
    assert len(outcome.stderr) <= 20_000
    assert len(outcome.report.stray) <= 20_000


def test_an_endless_flood_is_out_of_time_and_nothing_else(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("validator.runners.docker.runner.GRACE_SECONDS", 1.0)
    outcome = bench.run("", 'ENTRYPOINT ["sh", "-c", "exec cat /dev/zero"]\n', limits=Limits(timeout_seconds=2))
    assert outcome.timed_out
    assert (outcome.engine_problem, outcome.transient, outcome.stuck) == (None, False, False)


def test_an_images_volumes_are_bounded_room_in_memory(bench: Bench) -> None:
    torch = (
        "import os\nfound = []\n"
        "for place in ('/data', '/var/cache/models'):\n"
        "    room = os.statvfs(place)\n"
        "    found.append('%s %d' % (place, room.f_blocks * room.f_frsize))\n"
        "open('/data/written', 'w').close()\n"
        "raise ImportError(', '.join(found))\n"
    )
    before = {volume["Name"] for volume in bench.engine.api.volumes()["Volumes"] or ()}
    outcome = bench.run(torch, 'VOLUME ["/data", "/var/cache/models/"]\n', limits=Limits(scratch_bytes=64 << 20))
    assert f"/data {64 << 20}, /var/cache/models {64 << 20}" in outcome.report.checks[0].message
    assert {volume["Name"] for volume in bench.engine.api.volumes()["Volumes"] or ()} <= before


def test_a_share_of_the_machine_is_what_the_container_gets(bench: Bench) -> None:
    torch = (
        "import os\n"
        "with open('/sys/fs/cgroup/memory/memory.limit_in_bytes' if os.path.exists('/sys/fs/cgroup/memory') else"
        " '/sys/fs/cgroup/memory.max') as file:\n    limit = file.read().strip()\n"
        "raise ImportError('cpus %s memory %s' % (sorted(os.sched_getaffinity(0)), limit))\n"
    )
    outcome = bench.run(torch, share=Share(cpus=(0,), memory_bytes=512 << 20))
    assert f"cpus [0] memory {512 << 20}" in outcome.report.checks[0].message
    told = bench.run(torch).report.checks[0].message
    assert int(told.rpartition("memory ")[2].split()[0].rstrip(".,;")) < 1 << 50, "there is a limit where none was asked for"


def test_a_container_that_hears_nothing_does_not_block(bench: Bench) -> None:
    outcome = bench.run("", 'ENTRYPOINT ["sh", "-c", "exec 0<&-; echo deaf; exit 3"]\n')
    assert (outcome.report.stray, outcome.exit_code, outcome.transient) == ("deaf", 3, False)


def test_a_run_that_is_to_end_now_ends_its_container(bench: Bench) -> None:
    runner = bench.runner()
    request = runner.request(OF, Prepared(bench.image("import time\ntime.sleep(60)\n")))
    threading.Timer(2.0, bench.stop.ask).start()
    with pytest.raises(InterruptedRunError):
        runner.run(request, ignored)
    with pytest.raises(NotFound):
        bench.engine.containers.get(request.name)
    with pytest.raises(InterruptedRunError):  # and nothing new is begun
        runner.run(request, ignored)
    runner.close()


def test_a_time_of_grace_is_given(bench: Bench) -> None:
    runner = bench.runner()
    request = runner.request(OF, Prepared(bench.image("import time\ntime.sleep(3)\nraise ImportError('no torch')\n")))
    threading.Timer(1.0, bench.stop.ask, (60.0,)).start()
    assert runner.run(request, ignored).report.complete
    runner.close()


def test_many_at_once_do_not_disturb_each_other(bench: Bench) -> None:
    runner, image = bench.runner(), bench.image("raise ImportError('no torch here')")
    outcomes: list[RunOutcome] = []

    def one(number: int) -> None:
        request = runner.request(cell(cpu_environment(f"e{number}")), Prepared(image))
        outcomes.append(runner.run(request, ignored))

    threads = [threading.Thread(target=one, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    runner.close()
    assert [(outcome.report.complete, outcome.exit_code) for outcome in outcomes] == [(True, 0)] * 8
