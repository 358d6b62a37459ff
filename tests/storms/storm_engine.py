"""The engine that storms rage in: one of the suite's own, whose containers can be given a frozen disk, and who started what."""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import docker
from engines import SecondEngine
from harness import wait_for

from validator.runners import labels

IMAGE = Path(__file__).parent / "image"
REPOSITORY = "validator-test/storm"
#: Stands in for runc, which it becomes; a container of the storm "stuck" is given what the storm has frozen.
RUNTIME = """\
#!/bin/sh
case " $* " in *" create "*)
    python3 - "$@" <<'END'
import json, os, sys
path = os.path.join(sys.argv[sys.argv.index("--bundle") + 1], "config.json")
with open(path) as file:
    config = json.load(file)
if "STORM=stuck" in config["process"]["env"]:
    config["mounts"].append({"destination": "/frozen", "type": "bind", "source": "%(frozen)s", "options": ["rbind", "rw"]})
    with open(path, "w") as file:
        json.dump(config, file)
END
esac
exec runc "$@"
"""


@dataclass(frozen=True)
class Happening:
    """Something that the engine said of a container."""

    when: float
    """By ``time.time``."""
    action: str
    cell: str
    run: str
    name: str


@dataclass(frozen=True)
class There:
    """A container of a run."""

    id: str
    cell: str
    state: str


class StormEngine(SecondEngine):
    """A second engine with the images of the storms, which writes down what happens to containers."""

    def __init__(
        self, source: docker.DockerClient, base: str, *options: str, hook: str | None = None, frozen: Path | None = None
    ) -> None:
        """With ``frozen``, containers of the storm "stuck" have that folder."""
        super().__init__(hook, (*options, *(_runtime(frozen) if frozen else ())))
        self.happened: list[Happening] = []
        try:
            self.load(source, base)
            self._base = base
            self._made: set[str] = set()
            self._watch()
        except BaseException:
            self.stop()
            raise

    def image(self, storm: str = "calm", seconds: float = 0.0) -> str:
        """The image whose torch does this while it is imported; made when it is first asked for."""
        tag = f"{REPOSITORY}:{storm}-{seconds}"
        if tag not in self._made:
            arguments = {"BASE_IMAGE": self._base, "STORM": storm, "SECONDS": str(seconds)}
            self.client.images.build(path=str(IMAGE), buildargs=arguments, tag=tag, rm=True, forcerm=True)
            self._made.add(tag)
        return tag

    def calm(self, *names: str, seconds: float = 0.0) -> dict[str, str]:
        """An image for each of these environments, no two alike: what is known of one is not known of another."""
        return {name: self.image("calm", round(seconds + number / 100, 2)) for number, name in enumerate(names)}

    def restart(self, *options: str) -> None:
        """Start it again after it was killed, with these options besides those it has."""
        self.options = (*self.options, *(each for each in options if each not in self.options))
        self.client.close()
        # Its containerd dies with it, a moment later: an engine that finds it still there waits in vain for its answer.
        pid = self.folder / "exec" / "containerd" / "containerd.pid"
        wait_for("the dead engine's containerd to end", lambda: not pid.is_file() or _ended(int(pid.read_text())))
        pid.unlink(missing_ok=True)
        self.start()
        self._watch()

    def _watch(self) -> None:
        threading.Thread(target=self._listen, args=(self.client,), daemon=True).start()

    def _listen(self, client: docker.DockerClient) -> None:
        with suppress(Exception):  # until the engine is gone
            for event in client.events(decode=True, filters={"type": "container"}):
                told = event["Actor"]["Attributes"]
                self.happened.append(
                    Happening(
                        event["timeNano"] / 1e9,
                        event["Action"].partition(":")[0],
                        told.get(labels.CELL, ""),
                        told.get(labels.RUN, ""),
                        told["name"],
                    )
                )

    def started(self, since: float = 0.0) -> list[str]:
        """The cells whose containers were started since then, one for each container."""
        time.sleep(0.2)  # what has happened is told a moment later
        return [each.cell for each in self.happened if each.action == "start" and each.when >= since]

    def there(self) -> list[There]:
        """The containers of runs, in whatever state."""
        found = self.client.api.containers(all=True, filters={"label": labels.RUN})
        return [There(each["Id"], each["Labels"][labels.CELL], each["State"]) for each in found]

    def running(self) -> list[str]:
        """The cells whose containers run."""
        return sorted(each.cell for each in self.there() if each.state == "running")


def _ended(pid: int) -> bool:
    """Whether a process is no more, or only waits for being buried."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def _runtime(frozen: Path) -> tuple[str, ...]:
    """The options of an engine under which containers have this folder."""
    file = frozen.with_name("storm-runtime")
    file.write_text(RUNTIME % {"frozen": frozen}, encoding="utf-8")
    file.chmod(0o755)
    return "--add-runtime", f"storm={file}", "--default-runtime", "storm"
