"""How each kind of fault is set up, and what the product then says of it."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from engine_fixtures import Registry
from engines import SecondEngine
from gallery import Fault
from harness import NO_ENGINE, Finished, Started, containers, image, run, wait_for
from registries import HTPASSWD, RateLimited, offer_for_arm_alone

from validator.catalogue import checks
from validator.runners import labels

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Said:
    """What the product said of a fault."""

    status: str
    causes: tuple[str, ...]
    reason: str
    text: str
    """Reason, findings and remedies in one."""
    findings: tuple[Mapping[str, Any], ...] = ()


def said(finished: Finished, environment: str) -> Said:
    """That of a cell."""
    cell = finished.cell(environment)
    findings = cell["findings"]
    words = [cell["reason"]]
    for each in findings:
        words += [each["message"], *each["evidence"], each["remedy"] or ""]
    return Said(cell["status"], tuple(each["cause"] for each in findings), cell["reason"], "\n".join(words), tuple(findings))


def said_without_cells(finished: Finished) -> Said:
    """Of a run that could not begin: the error is the answer."""
    assert finished.code == 4, finished.stderr
    found = re.search(r"^  cause: (\w+)", finished.stderr, re.MULTILINE)
    reason = finished.stderr.strip().splitlines()
    return Said("error", (found.group(1),) if found else (), " ".join(line.strip() for line in reason[:2]), finished.stderr)


class Places:
    """Sets faults up; a method for each ``Fault.place``."""

    def __init__(self, request: pytest.FixtureRequest, folder: Path) -> None:
        self._request = request
        self._folder = folder

    def _get(self, name: str) -> Any:
        return self._request.getfixturevalue(name)

    def matrix(self, fault: Fault, entry: Mapping[str, Any]) -> dict[str, Any]:
        skipped = {name: "skip" for name in checks.registry() if name not in fault.checks}
        model = {"model": {"file": str(HERE / "models.py"), **fault.model}} if fault.model else {}
        return {
            **model,
            "environments": [{**entry, **fault.entry}],
            "checks": skipped,
            "limits": dict(fault.limits),
            "pull": "missing" if "registry" in fault.place else "never",
        }

    def _run(self, fault: Fault, entry: Mapping[str, Any], *options: str, **more: Any) -> Said:
        options = options or ("--runner", "docker")
        return said(run(self._folder, self.matrix(fault, entry), *options, **more), fault.id)

    # ------------------------------------------------------------ images

    def image(self, fault: Fault) -> Said:
        return self._run(fault, image(fault.id, self._get("image_of")(fault)))

    def built(self, fault: Fault) -> Said:
        """Built through the product, because it installs packages: the product knows from where."""
        arguments = {"BASE_IMAGE": self._get("bases")(fault.base)}
        entry = {"build": str(HERE / "images" / fault.image), "name": fault.id, "cuda": "cpu", "args": arguments}
        matrix = {**self.matrix(fault, entry), "build": {"network": "host"}}
        return said(run(self._folder, matrix, "--runner", "docker"), fault.id)

    # ------------------------------------------------------------ this machine

    def local(self, fault: Fault) -> Said:
        """An interpreter of this machine, with a folder of broken modules before its own."""
        entry = {"interpreter": self._get("plain_interpreter"), "name": fault.id, "cuda": "cpu"}
        modules = fault.arguments.get("modules")
        env = {"PYTHONPATH": str(HERE / "modules" / modules)} if modules else {}
        return self._run(fault, entry, "--runner", "local", env=env)

    # ------------------------------------------------------------ registries

    def registry(self, fault: Fault) -> Said:
        return self._run(fault, image(fault.id, self._get("registry").reference("team/torch:no-such-tag")))

    def registry_with_login(self, fault: Fault) -> Said:
        registry = Registry(self._get("registry_binary"), self._folder, HTPASSWD)
        try:
            return self._run(fault, image(fault.id, registry.reference("team/torch:1")))
        finally:
            registry.stop()

    def registry_gone(self, fault: Fault) -> Said:
        registry = Registry(self._get("registry_binary"), self._folder)
        registry.stop()
        return self._run(fault, image(fault.id, registry.reference("team/torch:1")))

    def registry_rate_limited(self, fault: Fault) -> Said:
        registry = RateLimited()
        try:
            return self._run(fault, image(fault.id, registry.reference("team/torch:1")))
        finally:
            registry.stop()

    def registry_for_arm(self, fault: Fault) -> Said:
        registry, reference = self._get("registry"), self._get("registry").reference("team/torch:1")
        registry.push(self._get("engine"), self._get("base_image"), reference)
        return self._run(fault, image(fault.id, offer_for_arm_alone(reference)))

    # ------------------------------------------------------------ engines

    def no_engine(self, fault: Fault) -> Said:
        matrix = self.matrix(fault, image(fault.id, "debian:bookworm"))
        return said_without_cells(run(self._folder, matrix, "--runner", "docker", env=NO_ENGINE))

    def forbidden_engine(self, fault: Fault) -> Said:
        """A real engine's socket that belongs to another user, and a process that may not pass over that."""
        engine: SecondEngine = self._get("second_engine")("gate")
        engine.forbid()
        try:
            without = "-dac_override,-dac_read_search"
            finished = run(
                self._folder,
                self.matrix(fault, image(fault.id, "debian:bookworm")),
                "--runner", "docker",
                env={"DOCKER_HOST": engine.address},
                through=["setpriv", f"--bounding-set={without}", f"--inh-caps={without}"],
            )  # fmt: skip
        finally:
            engine.allow()
        return said_without_cells(finished)

    def dying_engine(self, fault: Fault) -> Said:
        made = self._get("image_of")(fault)
        self._get("second_engine")  # skips where there can be none
        engine = SecondEngine()
        try:
            engine.load(self._get("engine"), made)
            matrix = self.matrix(fault, image(fault.id, made))
            with Started(self._folder, matrix, "--runner", "docker", env={"DOCKER_HOST": engine.address}) as started:

                def probing() -> bool:
                    assert started.running
                    found = containers(engine.client, f"{labels.OWNER}={started.owner}")
                    return any("check-start" in container.logs().decode("utf-8", "replace") for container in found)

                wait_for("the probe to begin", probing)
                engine.kill()
                return said(started.finish(), fault.id)
        finally:
            engine.stop()

    # ------------------------------------------------------------ GPUs

    def gpu_without_runtime(self, fault: Fault) -> Said:
        """The suite's own engine, unless it has the NVIDIA runtime: then one that has not."""
        entry = image(fault.id, self._get("image_of")(fault), cuda="13.0")
        env = dict(self._get("gpu_named"))
        if "nvidia" in self._get("engine").info().get("Runtimes", {}):
            engine: SecondEngine = self._get("second_engine")()
            engine.load(self._get("engine"), entry["image"])
            env["DOCKER_HOST"] = engine.address
        return self._run(fault, entry, env=env)

    def gpu_behind_hook(self, fault: Fault) -> Said:
        """An engine whose NVIDIA hook answers in the words of the real one."""
        engine: SecondEngine = self._get("second_engine")(fault.arguments.get("hook", "gate"))
        made = self._get("image_of")(fault)
        engine.load(self._get("engine"), made)
        env = {**self._get("gpu_named"), "DOCKER_HOST": engine.address}
        return self._run(fault, image(fault.id, made, cuda="13.0"), env=env)


def set_up(place: str) -> Callable[[Places, Fault], Said]:
    """The method that sets a fault of this kind up."""
    method: Callable[[Places, Fault], Said] = getattr(Places, place)
    return method


def python_without_torch(folder: Path) -> str:
    """An interpreter of its own, in which there is nothing."""
    import venv

    venv.create(folder, with_pip=False, symlinks=True)
    python = folder / "bin" / "python"
    assert python.exists(), sys.executable
    return str(python)
