"""/proc/cpuinfo of several machines."""

import builtins
import io

import pytest

from validator.probe import cpu

INTEL = "processor\t: 0\nmodel name\t: Intel(R) Xeon(R) 8488C\nflags\t\t: fpu avx2 avx512f avx512_bf16 amx_bf16 amx_fp16\n"
AMD = "processor\t: 0\nmodel name\t: AMD EPYC 7742\nflags\t\t: fpu avx avx2 sse\n\nprocessor\t: 1\nflags\t\t: amx_bf16\n"
ARM = "processor\t: 0\nBogoMIPS\t: 50.00\nFeatures\t: fp asimd sve bf16\n"


@pytest.fixture
def cpuinfo(monkeypatch):
    def put(text):
        def opened(path, **_):
            assert path == "/proc/cpuinfo"
            if text is None:
                raise FileNotFoundError(path)
            return io.StringIO(text)

        monkeypatch.setattr(builtins, "open", opened)

    return put


@pytest.mark.parametrize(
    ("text", "name", "flags", "units"),
    [
        (INTEL, "Intel(R) Xeon(R) 8488C", ["avx2", "avx512f", "avx512_bf16", "amx_bf16", "amx_fp16"], True),
        (AMD, "AMD EPYC 7742", ["avx2"], False),  # of the first processor
        (ARM, None, ["asimd", "sve", "bf16"], True),
        ("flags : avx512_bf16\n", None, ["avx512_bf16"], True),
        ("flags : avx512_fp16 avx512f\n", None, ["avx512f", "avx512_fp16"], False),
        ("", None, [], False),
        (None, None, [], False),
    ],
)
def test_a_cpu_is_what_its_first_processor_is(cpuinfo, text, name, flags, units):
    cpuinfo(text)
    assert cpu.describe() == (name, flags)
    cpuinfo(text)
    assert cpu.has_bf16_units() is units
