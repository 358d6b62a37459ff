"""NVML → NvmlInfo. The only module that imports pynvml.

A sick driver can hang a call in the kernel, where no signal reaches it, or crash the library. So ``query`` asks in a
child process (``python -m validator.host.nvml``, which prints one JSON document) and can give the child up. Whatever is
wrong with the driver is a stated fact in ``NvmlInfo.problem``, never an exception.
"""

from __future__ import annotations

import contextlib
import ctypes
import dataclasses
import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from typing import Any, NamedTuple, TypeVar

from validator.base.resources import PACKAGE
from validator.base.text import one_line
from validator.model import Gpu, GpuClocks, GpuProcess, NvmlInfo

_T = TypeVar("_T")

_OUTPUT_LIMIT = 4 << 20  # bytes; a thousand processes on sixteen GPUs stay far below
_KILL_GRACE_SECONDS = 2.0

#: Errors that only say that there is nothing to tell: a query this GPU does not have, a function that an old library
#: does not export, no libcuda.so.1 to ask for its version, an empty slot for a MIG device.
_NOTHING_TO_TELL = (
    "NVML_ERROR_NOT_SUPPORTED",
    "NVML_ERROR_FUNCTION_NOT_FOUND",
    "NVML_ERROR_LIBRARY_NOT_FOUND",
    "NVML_ERROR_NOT_FOUND",
)

_COMPUTE_MODES = {
    "NVML_COMPUTEMODE_DEFAULT": "default",
    "NVML_COMPUTEMODE_EXCLUSIVE_THREAD": "exclusive_thread",
    "NVML_COMPUTEMODE_PROHIBITED": "prohibited",
    "NVML_COMPUTEMODE_EXCLUSIVE_PROCESS": "exclusive_process",
}

#: What holds a clock down, by NVML's bits. That a GPU is idle (bit 0) holds nothing down.
_THROTTLE = {
    0x2: "applications_clocks",
    0x4: "power_cap",
    0x8: "hardware_slowdown",
    0x10: "sync_boost",
    0x20: "thermal",
    0x40: "hardware_thermal",
    0x80: "hardware_power_brake",
    0x100: "display_clocks",
}


class _Problem(NamedTuple):
    """A problem as it ends up in NvmlInfo; ``{words}`` in the sentence stands for what NVML itself said."""

    kind: str
    sentence: str


_PROBLEMS = {
    "NVML_ERROR_LIBRARY_NOT_FOUND": _Problem(
        "no_library",
        "NVML cannot be loaded ({words}). Either this machine has no NVIDIA driver, or this is a container without the "
        "driver's 'utility' capability. Install the driver; start a container with a GPU and "
        "NVIDIA_DRIVER_CAPABILITIES=compute,utility.",
    ),
    "NVML_ERROR_DRIVER_NOT_LOADED": _Problem(
        "no_driver",
        "The NVIDIA driver is installed but not loaded ({words}). Its module was not built for the running kernel, "
        "Secure Boot refuses it, or nouveau holds the GPU: `sudo modprobe nvidia` and `sudo dmesg` tell which.",
    ),
    "NVML_ERROR_LIB_RM_VERSION_MISMATCH": _Problem(
        "version_mismatch",
        "The loaded NVIDIA kernel module and the driver's library have different versions ({words}). The driver was "
        "updated under a loaded module, or a container brings its own library. Reboot, or stop what uses the GPU and "
        "reload the nvidia modules.",
    ),
    "NVML_ERROR_NO_PERMISSION": _Problem(
        "no_permission",
        "NVML refuses to answer this user ({words}). The device files are closed to it, or a container's device rules "
        "are. Look at `ls -l /dev/nvidia*` and join the group that owns them.",
    ),
    "NVML_ERROR_GPU_IS_LOST": _Problem(
        "gpu_lost",
        "The GPU dropped out while it was asked ({words}): it fell off the bus or needs a reset. Look for Xid lines in "
        "`sudo dmesg`, check its power and cooling, then reboot.",
    ),
    "NVML_ERROR_TIMEOUT": _Problem(
        "timeout",
        "NVML gave up waiting for the driver ({words}). Look for Xid lines in `sudo dmesg`, then reboot.",
    ),
}
_UNKNOWN = _Problem(
    "unknown",
    "NVML failed ({words}). See whether `nvidia-smi` says the same and what `sudo dmesg` has on NVRM. A container that "
    "lost its GPU needs a restart, a machine a reboot.",
)


class _Questions:
    """Puts questions to NVML and remembers what went wrong. Of a lost GPU it asks no more: the next call may hang."""

    def __init__(self, nvml: Any) -> None:
        self._nvml = nvml
        self.problem: _Problem | None = None

    def __call__(self, name: str, *arguments: Any, older: str | None = None) -> Any:
        """What the function answers, or else the ``older`` one; None when there is nothing to tell or it went wrong."""
        for candidate in (name, older):
            # An old pynvml lacks some of the names, as an old library does.
            function = getattr(self._nvml, candidate, None) if candidate else None
            if function is None or (self.problem and self.problem.kind == "gpu_lost"):
                continue
            try:
                return function(*arguments)
            except UnicodeDecodeError:  # pynvml insists on UTF-8; the name of a process can be anything
                return None
            except self._nvml.NVMLError as error:
                if error.value not in {getattr(self._nvml, name) for name in _NOTHING_TO_TELL}:
                    problem = _explain(self._nvml, error)
                    if self.problem is None or problem.kind == "gpu_lost":
                        self.problem = problem
                    return None
        return None


def read() -> NvmlInfo:
    """Ask NVML in this process. May hang or crash with the driver: see ``query``."""
    import pynvml

    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError as error:
        problem = _explain(pynvml, error)
        return NvmlInfo(problem=problem.sentence, problem_kind=problem.kind)
    try:
        return _read_system(pynvml)
    finally:
        # With a GPU lost the shutdown fails too, and what was read is no worse for it.
        with contextlib.suppress(pynvml.NVMLError):
            pynvml.nvmlShutdown()


def _read_system(nvml: Any) -> NvmlInfo:
    ask = _Questions(nvml)
    driver = _text(ask("nvmlSystemGetDriverVersion"))
    cuda = ask("nvmlSystemGetCudaDriverVersion_v2", older="nvmlSystemGetCudaDriverVersion")
    count = ask("nvmlDeviceGetCount")
    if count == 0 and ask.problem is None:
        ask.problem = _Problem(
            "no_devices",
            f"The NVIDIA driver {driver} answers but shows no GPU. A container was given none "
            "(NVIDIA_VISIBLE_DEVICES); on the machine itself, no GPU could be started: see `lspci -d 10de:` and the "
            "NVRM lines of `sudo dmesg`.",
        )
    answers = [_read_gpu(nvml, index) for index in range(count or 0)]
    problems = [problem for problem in (ask.problem, *(found for _, found in answers)) if problem]
    return NvmlInfo(
        driver_version=driver,
        cuda_driver_version=f"{cuda // 1000}.{cuda % 1000 // 10}" if cuda else None,
        gpus=tuple(gpu for gpu, _ in answers),
        problem=" ".join(problem.sentence for problem in problems) or None,
        # A lost GPU weighs more than a question that another one would not answer.
        problem_kind=min(problems, key=lambda problem: problem.kind != "gpu_lost").kind if problems else None,
    )


def _read_gpu(nvml: Any, index: int) -> tuple[Gpu, _Problem | None]:
    """One GPU with as much of it as could be read, and what went wrong with it."""
    ask = _Questions(nvml)
    handle = ask("nvmlDeviceGetHandleByIndex", index)
    if handle is None:
        missing = _at(index, ask.problem or _Problem("unknown", "NVML counts it but does not show it."))
        return Gpu(index=index, uuid=None, name=None, problem=missing.sentence), missing

    uuid = _text(ask("nvmlDeviceGetUUID", handle))
    name = _text(ask("nvmlDeviceGetName", handle))
    capability = ask("nvmlDeviceGetCudaComputeCapability", handle)
    memory = ask("nvmlDeviceGetMemoryInfo", handle)
    mig = ask("nvmlDeviceGetMigMode", handle)
    mig_enabled = bool(mig[0]) if mig else None
    mig_devices = _mig_devices(ask, handle) if mig_enabled else ()
    ecc = ask("nvmlDeviceGetEccMode", handle)
    mode = ask("nvmlDeviceGetComputeMode", handle)
    processes = _processes(nvml, ask, handle)
    clocks = None if ask.problem and ask.problem.kind == "gpu_lost" else _clocks(nvml, handle)
    problem = _at(index, ask.problem) if ask.problem else None
    gpu = Gpu(
        index=index,
        uuid=uuid,
        name=name,
        compute_capability=f"{capability[0]}.{capability[1]}" if capability else None,
        memory_total_bytes=memory.total if memory else None,
        memory_free_bytes=memory.free if memory else None,
        mig_enabled=mig_enabled,
        mig_devices=mig_devices,
        ecc_enabled=bool(ecc[0]) if ecc else None,
        compute_mode=_by_code(nvml, _COMPUTE_MODES).get(mode),
        processes=processes,
        clocks=clocks,
        problem=problem.sentence if problem else None,
    )
    return gpu, problem


def _clocks(nvml: Any, handle: Any) -> GpuClocks | None:
    """Clocks, power limits and what holds them down: a courtesy, so a question that is refused is no problem of the GPU."""
    ask = _Questions(nvml)
    clock = getattr(nvml, "NVML_CLOCK_SM", 1)
    now, highest = (ask(f"nvmlDeviceGet{what}ClockInfo", handle, clock) for what in ("", "Max"))
    limit, usual = (ask(f"nvmlDeviceGet{what}", handle) for what in ("EnforcedPowerLimit", "PowerManagementDefaultLimit"))
    reasons = ask("nvmlDeviceGetCurrentClocksThrottleReasons", handle) or 0
    found = GpuClocks(
        sm_hz=now * 1e6 if now else None,
        sm_max_hz=highest * 1e6 if highest else None,
        power_limit_watts=limit / 1000 if limit else None,
        power_default_watts=usual / 1000 if usual else None,
        throttle_reasons=tuple(name for bit, name in _THROTTLE.items() if reasons & bit),
    )
    return None if found == GpuClocks() else found


def _mig_devices(ask: _Questions, handle: Any) -> tuple[str, ...]:
    slots = ask("nvmlDeviceGetMaxMigDeviceCount", handle) or 0
    devices = [ask("nvmlDeviceGetMigDeviceHandleByIndex", handle, slot) for slot in range(slots)]
    uuids = [_text(ask("nvmlDeviceGetUUID", device)) for device in devices if device is not None]
    return tuple(uuid for uuid in uuids if uuid)


def _processes(nvml: Any, ask: _Questions, handle: Any) -> tuple[GpuProcess, ...]:
    """The processes on a GPU by pid. One that computes and draws is in both lists, each time with all of its memory."""
    memory: dict[int, int | None] = {}
    for what in ("Compute", "Graphics"):
        # The name without a version would be pynvml's alias, which no longer says NVMLError when the library is older.
        listed = f"nvmlDeviceGet{what}RunningProcesses"
        for process in ask(f"{listed}_v3", handle, older=f"{listed}_v2") or ():
            known = [used for used in (memory.get(process.pid), process.usedGpuMemory) if used is not None]
            memory[process.pid] = max(known, default=None)
    # A name is a courtesy: the process may have ended, or live in another PID namespace.
    name = {pid: _text(_Questions(nvml)("nvmlSystemGetProcessName", pid)) for pid in memory}
    return tuple(GpuProcess(pid=pid, name=name[pid], memory_bytes=memory[pid]) for pid in sorted(memory))


def _explain(nvml: Any, error: Any) -> _Problem:
    words = f"NVML: {one_line(str(error)).rstrip('.')}, code {error.value}"
    problem = _by_code(nvml, _PROBLEMS).get(error.value, _UNKNOWN)
    if problem.kind == "no_library":
        # pynvml drops the loader's own reason, which tells a library that is absent from one that is damaged.
        try:
            ctypes.CDLL("libnvidia-ml.so.1")
        except OSError as reason:
            words = one_line(str(reason))
    return _Problem(problem.kind, problem.sentence.format(words=words))


def _at(index: int, problem: _Problem) -> _Problem:
    return problem._replace(sentence=f"GPU {index}: {problem.sentence}")


def _by_code(nvml: Any, table: Mapping[str, _T]) -> dict[int, _T]:
    """A table by NVML's names of its constants as one by their numbers."""
    return {getattr(nvml, name): value for name, value in table.items()}


def _text(value: str | bytes | None) -> str | None:
    if isinstance(value, bytes):  # pynvml's older releases, for some functions
        value = value.decode(errors="replace")
    return one_line(value) if value else None


def to_json(info: NvmlInfo) -> str:
    """One JSON document of ASCII characters, read back by ``from_json``."""
    return json.dumps(dataclasses.asdict(info))


def from_json(text: str | bytes) -> NvmlInfo:
    """Read what ``to_json`` wrote. Raises ValueError when it is not that, down to the type of every field."""
    from pydantic import TypeAdapter

    return TypeAdapter(NvmlInfo).validate_json(text, strict=True)


def query(timeout_seconds: float = 20.0) -> NvmlInfo:
    """Ask NVML in a child process. Past the time limit it is killed, or left behind where even that does not end it."""
    try:
        # Files, not pipes: a process that the library leaves behind may hold a pipe open for ever.
        with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
            child = subprocess.Popen(
                [sys.executable, "-m", "validator.host.nvml"],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=errors,
                cwd=PACKAGE.parent,  # -m looks here first: nothing in the user's folder can take the place of a module
                start_new_session=True,
            )
            code = None
            try:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    code = child.wait(timeout_seconds)
            finally:  # an interrupt must not leave the child behind either
                ended = code is not None or _kill(child)
            output.seek(0)
            errors.seek(0)
            said = output.read(_OUTPUT_LIMIT), errors.read(_OUTPUT_LIMIT)
    except OSError as error:
        return NvmlInfo(problem=f"The query of NVML could not be started: {error}.", problem_kind="unknown")
    if code is not None:
        return _interpret(code, *said)
    stuck = "" if ended else f" Process {child.pid}, which asked, cannot be killed: it is stuck in the kernel."
    return NvmlInfo(
        problem=f"NVML did not answer within {timeout_seconds:g} s: the driver hangs.{stuck} Look for Xid lines in "
        "`sudo dmesg`, then reboot.",
        problem_kind="timeout",
    )


def _kill(child: subprocess.Popen[bytes]) -> bool:
    """Kill the child and what it started; False when it is still there after a moment, in uninterruptible sleep."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)
    try:
        child.wait(_KILL_GRACE_SECONDS)
    except subprocess.TimeoutExpired:
        return False
    return True


def _interpret(code: int, output: bytes, errors: bytes) -> NvmlInfo:
    if code < 0:
        name = next((known.name for known in signal.Signals if known == -code), "unknown")
        return NvmlInfo(
            problem=f"The driver's library crashed while it was asked: signal {-code} ({name}). If `nvidia-smi` "
            "crashes too, reinstall the driver, so that its library and its kernel module match.",
            problem_kind="crashed",
        )
    try:
        return from_json(output)
    except ValueError:
        said = one_line((errors.decode(errors="replace").strip().splitlines() or ["nothing"])[-1])
        return NvmlInfo(
            problem=f"The query of NVML gave no answer that can be read (exit code {code}; it said: {said}). "
            f"Run `{sys.executable} -m validator.host.nvml` to see all of it.",
            problem_kind="unknown",
        )


def main() -> None:
    """Print what NVML says as one JSON document, and nothing else on standard output."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with contextlib.suppress(ValueError):  # a lower limit is in force already
        resource.setrlimit(resource.RLIMIT_FSIZE, (_OUTPUT_LIMIT, _OUTPUT_LIMIT))
    answer = os.dup(1)
    os.dup2(2, 1)  # the library may print: the stand-in of the CUDA toolkit warns on standard output
    document = to_json(read())
    with os.fdopen(answer, "w", encoding="ascii") as stream:
        stream.write(document + "\n")


if __name__ == "__main__":
    main()
