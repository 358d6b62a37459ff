"""``python -m validator.host.nvml``: the child process that asks NVML."""

from __future__ import annotations

import contextlib
import os
import resource

from validator.host.nvml.child import OUTPUT_LIMIT_BYTES, to_json
from validator.host.nvml.reading import read


def main() -> None:
    """Print what NVML says as one JSON document, and nothing else on standard output."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with contextlib.suppress(ValueError):  # a lower limit is already in force
        resource.setrlimit(resource.RLIMIT_FSIZE, (OUTPUT_LIMIT_BYTES, OUTPUT_LIMIT_BYTES))
    answer = os.dup(1)
    os.dup2(2, 1)  # the library may print: the CUDA toolkit's stub library warns on standard output
    document = to_json(read())
    with os.fdopen(answer, "w", encoding="ascii") as stream:
        stream.write(document + "\n")


if __name__ == "__main__":
    main()
