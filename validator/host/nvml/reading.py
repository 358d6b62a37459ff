"""The NVIDIA driver asked through NVML, in this process. The only module that imports pynvml."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from validator.base.text import one_line
from validator.host.nvml.problems import NOT_SHOWN, Problem, by_code, explain, no_devices, of_gpu, worst_kind
from validator.model import Gpu, GpuClocks, GpuProcess, NvmlInfo

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

#: What holds a clock down, by NVML's bits. Bit 0, an idle GPU, is left out: it is no limit.
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


class _Questions:
    """Puts questions to NVML and remembers what went wrong. Of a lost GPU it asks no more: the next call may hang."""

    def __init__(self, nvml: Any) -> None:
        self._nvml = nvml
        self.problem: Problem | None = None
        self.nothing_to_tell: tuple[str, ...] = _NOTHING_TO_TELL
        """Names of errors that are no problem."""

    def __call__(self, name: str, *arguments: Any, older: str | None = None) -> Any:
        """What the function answers, or the ``older`` one in its place; None when NVML has nothing to tell or it went wrong."""
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
                if error.value not in {getattr(self._nvml, name) for name in self.nothing_to_tell}:
                    problem = explain(self._nvml, error)
                    if self.problem is None or problem.kind == "gpu_lost":
                        self.problem = problem
                    return None
        return None


def read() -> NvmlInfo:
    """Ask NVML in this process. May hang or crash with the driver, so others call ``validator.host.nvml.query``."""
    import pynvml

    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError as error:
        problem = explain(pynvml, error)
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
        ask.problem = no_devices(driver)
    answers = [_read_gpu(nvml, index) for index in range(count or 0)]
    problems = [problem for problem in (ask.problem, *(found for _, found in answers)) if problem]
    return NvmlInfo(
        driver_version=driver,
        cuda_driver_version=f"{cuda // 1000}.{cuda % 1000 // 10}" if cuda else None,
        gpus=tuple(gpu for gpu, _ in answers),
        problem=" ".join(problem.sentence for problem in problems) or None,
        problem_kind=worst_kind(problems),
    )


def _read_gpu(nvml: Any, index: int) -> tuple[Gpu, Problem | None]:
    """One GPU with as much of it as could be read, and what went wrong with it."""
    ask = _Questions(nvml)
    handle = ask("nvmlDeviceGetHandleByIndex", index)
    if handle is None:
        missing = of_gpu(index, ask.problem or NOT_SHOWN)
        return Gpu(index=index, uuid=None, name=None, problem=missing.sentence), missing

    uuid = _text(ask("nvmlDeviceGetUUID", handle))
    name = _text(ask("nvmlDeviceGetName", handle))
    capability = ask("nvmlDeviceGetCudaComputeCapability", handle)
    mig = ask("nvmlDeviceGetMigMode", handle)
    mig_enabled = bool(mig[0]) if mig else None
    mig_devices = _mig_devices(ask, handle) if mig_enabled else {}
    if mig_enabled:  # what its MIG devices come to together is told to administrators alone
        ask.nothing_to_tell = (*_NOTHING_TO_TELL, "NVML_ERROR_NO_PERMISSION")
    memory = ask("nvmlDeviceGetMemoryInfo", handle)
    ecc = ask("nvmlDeviceGetEccMode", handle)
    mode = ask("nvmlDeviceGetComputeMode", handle)
    processes = _processes(nvml, ask, handle, mig_devices)
    clocks = None if ask.problem and ask.problem.kind == "gpu_lost" else _clocks(nvml, handle)
    problem = of_gpu(index, ask.problem) if ask.problem else None
    gpu = Gpu(
        index=index,
        uuid=uuid,
        name=name,
        compute_capability=f"{capability[0]}.{capability[1]}" if capability else None,
        memory_total_bytes=memory.total if memory else None,
        memory_free_bytes=memory.free if memory else None,
        mig_enabled=mig_enabled,
        mig_devices=tuple(mig_devices),
        ecc_enabled=bool(ecc[0]) if ecc else None,
        compute_mode=by_code(nvml, _COMPUTE_MODES).get(mode),
        processes=processes,
        clocks=clocks,
        problem=problem.sentence if problem else None,
    )
    return gpu, problem


def _clocks(nvml: Any, handle: Any) -> GpuClocks | None:
    """Clocks, power limits and what holds them down. Optional, so a refused question is not a problem of the GPU."""
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


def _mig_devices(ask: _Questions, handle: Any) -> dict[str, Any]:
    """Handles of the MIG devices of a GPU, by UUID."""
    slots = ask("nvmlDeviceGetMaxMigDeviceCount", handle) or 0
    devices = [ask("nvmlDeviceGetMigDeviceHandleByIndex", handle, slot) for slot in range(slots)]
    uuids = [(_text(ask("nvmlDeviceGetUUID", device)), device) for device in devices if device is not None]
    return {uuid: device for uuid, device in uuids if uuid}


def _processes(nvml: Any, ask: _Questions, handle: Any, mig_devices: Mapping[str, Any]) -> tuple[GpuProcess, ...]:
    """The processes on a GPU, by pid. One that computes and draws is in both lists, each time with all of its memory."""
    found: dict[int, GpuProcess] = {}
    # A MIG device first: the whole GPU lists what is on its MIG devices too, without a word on which.
    for mig_device, device in (*mig_devices.items(), (None, handle)):
        for what in ("Compute", "Graphics"):
            # The name without a version would be pynvml's alias, which no longer says NVMLError when the library is older.
            listed = f"nvmlDeviceGet{what}RunningProcesses"
            for process in ask(f"{listed}_v3", device, older=f"{listed}_v2") or ():
                known = found.get(process.pid) or GpuProcess(process.pid, None, None, mig_device=mig_device)
                sizes = [used for used in (known.memory_bytes, process.usedGpuMemory) if used is not None]
                computes = known.computes or what == "Compute"
                found[process.pid] = replace(known, memory_bytes=max(sizes, default=None), computes=computes)
    # A name is optional: the process may have ended, or live in another PID namespace.
    name = {pid: _text(_Questions(nvml)("nvmlSystemGetProcessName", pid)) for pid in found}
    return tuple(replace(found[pid], name=name[pid]) for pid in sorted(found))


def _text(value: str | bytes | None) -> str | None:
    if isinstance(value, bytes):  # pynvml's older releases, for some functions
        value = value.decode(errors="replace")
    return one_line(value) if value else None
