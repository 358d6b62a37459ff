"""The container of a cell as a value: its name, and the body of the engine's create call. No engine is asked."""

from __future__ import annotations

import hashlib
import posixpath
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from validator.model import EngineInfo, Gpu, Limits
from validator.runners.base import WHOLE, Share
from validator.runners.docker import engine as engines

#: The only writable place in a container besides /dev/shm and the image's own volumes.
SCRATCH = "/tmp"  # noqa: S108 - the container's, a tmpfs of its own
#: compress is named because an engine adds its own defaults to these, and refuses compression of a single file.
_LOG_OPTIONS = {"max-size": "32m", "max-file": "1", "compress": "false"}
#: The part of this machine's memory that a container may use where neither the matrix nor its share says. The rest is for the
#: engine, the page cache that images are read through, and whoever else is on the machine: without a limit it is the kernel
#: that picks a victim, which need not be the container.
_MEMORY_PART = 0.8
#: Where the size of this machine's memory is not known. No image with torch and CUDA runs in less.
_MEMORY_UNKNOWN = 8 << 30
#: Where an image's volume may lie. Others are the engine's to refuse, or hide what every container needs.
_NOT_FOR_VOLUMES = re.compile(r"/|/(?:proc|sys|dev)(?:/.*)?")


def container_name(run_id: str, cell_id: str, attempt: int = 1) -> str:
    """A valid, deterministic container name; the digest tells apart ids that look the same once cleaned."""
    slug = re.sub(r"[^A-Za-z0-9_.-]+", "-", cell_id)[:80]
    digest = hashlib.sha256(cell_id.encode()).hexdigest()[:8]
    return f"validator-{run_id}-{slug}-{digest}-{attempt}"


def gpu_request(gpus: Sequence[Gpu], engine: EngineInfo) -> list[dict[str, Any]]:
    """The engine's device request for GPUs, by UUID: indices change with the order of probing, UUIDs do not."""
    if not gpus:
        return []
    ids = [gpu.device_uuid for gpu in gpus]
    if engines.gpu_mechanism(engine) == "cdi":
        return [{"Driver": "cdi", "DeviceIDs": [f"nvidia.com/gpu={uuid}" for uuid in ids]}]
    return [{"Driver": "nvidia", "DeviceIDs": ids, "Capabilities": [["gpu", "compute", "utility"]]}]


def memory_limit(limits: Limits, share: Share, machine_bytes: int | None) -> int:
    """What a container may use: the matrix's limit, else its share, else a part of the machine. Never nothing at all."""
    return limits.memory_bytes or share.memory_bytes or int((machine_bytes or 0) * _MEMORY_PART) or _MEMORY_UNKNOWN


def container_body(
    *,
    image: str,
    entrypoint: tuple[str, ...] | None,
    command: tuple[str, ...],
    environment: Mapping[str, str],
    labels: Mapping[str, str],
    limits: Limits,
    devices: list[dict[str, Any]],
    memory_bytes: int,
    share: Share = WHOLE,
    volumes: Iterable[str] = (),
) -> dict[str, Any]:
    """The body of the engine's create call. ``entrypoint`` None leaves the image's own; ``volumes`` are those the image names."""
    bounded = f"rw,nosuid,nodev,exec,size={limits.scratch_bytes},mode=1777"
    host: dict[str, Any] = {
        "NetworkMode": "none",
        "CapDrop": ["ALL"],
        "SecurityOpt": ["no-new-privileges"],
        "ReadonlyRootfs": True,
        # exec: Triton and Inductor load the libraries they compile from here. A volume of the image would be a folder on the
        # engine's disk without a bound, which a container can fill.
        "Tmpfs": {SCRATCH: bounded, **dict.fromkeys(_volume_paths(volumes), bounded)},
        "ShmSize": limits.shm_bytes,
        "PidsLimit": limits.pids,
        "IpcMode": "private",
        # Named outright: the output is read again from the log, whatever the engine's default log driver is.
        "LogConfig": {"Type": "json-file", "Config": _LOG_OPTIONS},
        "RestartPolicy": {"Name": "no"},
        # Swap equal to memory means none beyond it: a limit that can be swapped past is not one. A tmpfs counts as memory.
        "Memory": memory_bytes,
        "MemorySwap": memory_bytes,
    }
    if share.cpus:
        host["CpusetCpus"] = ",".join(map(str, share.cpus))
    if devices:
        host["DeviceRequests"] = devices
    body: dict[str, Any] = {
        "Image": image,
        "Cmd": list(command),
        "Env": [f"{name}={value}" for name, value in environment.items()],
        "Labels": dict(labels),
        "AttachStdin": True,
        "AttachStdout": True,
        "AttachStderr": True,
        # What the probe is told arrives there. Not StdinOnce: that closes it with the first connection, and a connection may
        # have to be made again when the engine restarts.
        "OpenStdin": True,
        "StdinOnce": False,
        # The first process ignores SIGTERM, so an engine that restarts would wait ten seconds for each container.
        "StopSignal": "SIGKILL",
        "HostConfig": host,
    }
    if entrypoint is not None:
        # No entrypoint is a single empty text: an empty list is "as the image has it" to Podman.
        body["Entrypoint"] = list(entrypoint) or [""]
    return body


def _volume_paths(volumes: Iterable[str]) -> list[str]:
    """Absolute, plain paths, each once; the kernel's own file systems are not replaced."""
    paths = {posixpath.normpath("/" + volume.strip().lstrip("/")) for volume in volumes if volume.strip()}
    return sorted(path for path in paths if not _NOT_FOR_VOLUMES.fullmatch(path))
