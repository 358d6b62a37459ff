"""What the CPU is, as /proc/cpuinfo tells it."""

import re
from typing import List, Optional, Tuple

#: Instruction sets that decide how fast, and in which dtypes, a CPU trains; as /proc/cpuinfo spells them.
FLAGS = ("avx2", "avx512f", "avx512_bf16", "avx512_fp16", "amx_bf16", "amx_fp16", "asimd", "sve", "bf16")
_BF16 = {"avx512_bf16", "amx_bf16", "bf16"}


def describe() -> Tuple[Optional[str], List[str]]:
    """The CPU's name, and which of FLAGS it has."""
    try:
        with open("/proc/cpuinfo", errors="replace") as file:
            text = file.read(16384)  # the first CPU is enough, and there can be hundreds
    except OSError:
        return None, []
    name = re.search(r"^model name\s*:\s*(.+)$", text, re.MULTILINE)
    flags = re.search(r"^(?:flags|Features)\s*:\s*(.+)$", text, re.MULTILINE)
    present = set(flags.group(1).split()) if flags else set()
    return name.group(1).strip() if name else None, [flag for flag in FLAGS if flag in present]


def has_bf16_units() -> bool:
    """Whether the CPU multiplies bfloat16 in hardware."""
    return bool(_BF16.intersection(describe()[1]))
