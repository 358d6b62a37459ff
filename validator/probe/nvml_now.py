"""What NVML says of the GPU while it is busy, where the container has the library (the driver's capability ``utility``).

Called through ctypes, so no package is needed. Whatever it does not answer is left out, since it only explains a measurement.
"""

from typing import Any, Dict, List, Optional

try:
    import ctypes
except ImportError:  # a Python without it
    ctypes = None  # type: ignore

_CLOCK_OF_MULTIPROCESSORS = 1
_TEMPERATURE_OF_GPU = 0
#: NVML's bits of what holds a clock down; being idle (bit 0) does not count. The host's nvml.py has the same words.
_REASONS = (
    (0x2, "applications_clocks"),
    (0x4, "power_cap"),
    (0x8, "hardware_slowdown"),
    (0x10, "sync_boost"),
    (0x20, "thermal"),
    (0x40, "hardware_thermal"),
    (0x80, "hardware_power_brake"),
    (0x100, "display_clocks"),
)


class Gpu:
    """One GPU as NVML knows it; answers nothing where there is no NVML."""

    def __init__(self, uuid: Optional[str]) -> None:
        self._library: Any = None
        self._handle: Any = None
        if ctypes is None:
            return
        try:
            library = ctypes.CDLL("libnvidia-ml.so.1")
            handle = ctypes.c_void_p()
            if library.nvmlInit_v2() != 0:
                return
            if uuid and library.nvmlDeviceGetHandleByUUID(uuid.encode("ascii"), ctypes.byref(handle)) == 0:
                self._library, self._handle = library, handle
            elif library.nvmlDeviceGetHandleByIndex_v2(0, ctypes.byref(handle)) == 0:
                self._library, self._handle = library, handle
        except (OSError, AttributeError, UnicodeError):
            pass  # no library, or one that lacks a function

    def now(self) -> Dict[str, Any]:
        """``busy_clock_hz``, ``busy_power_watts``, ``busy_temperature_celsius``, ``busy_throttle_reasons``: what is known."""
        found: Dict[str, Any] = {}
        clock = self._ask("nvmlDeviceGetClockInfo", ctypes and ctypes.c_uint, _CLOCK_OF_MULTIPROCESSORS)
        power = self._ask("nvmlDeviceGetPowerUsage", ctypes and ctypes.c_uint)
        heat = self._ask("nvmlDeviceGetTemperature", ctypes and ctypes.c_uint, _TEMPERATURE_OF_GPU)
        bits = self._ask("nvmlDeviceGetCurrentClocksThrottleReasons", ctypes and ctypes.c_ulonglong)
        if clock is not None:
            found["busy_clock_hz"] = clock * 1e6
        if power is not None:
            found["busy_power_watts"] = power / 1000.0
        if heat is not None:
            found["busy_temperature_celsius"] = heat
        if bits is not None:
            found["busy_throttle_reasons"] = reasons(bits)
        return found

    def _ask(self, name: str, kind: Any, *arguments: int) -> Optional[int]:
        function = getattr(self._library, name, None) if self._library is not None else None
        if function is None:
            return None
        value = kind()
        return int(value.value) if function(self._handle, *(arguments + (ctypes.byref(value),))) == 0 else None


def reasons(bits: int) -> List[str]:
    """What holds the clock down, by its bits."""
    return [name for bit, name in _REASONS if bits & bit]
