"""What the NVIDIA driver says of this machine's GPUs, through NVML.

A sick driver can hang a call in the kernel, where no signal reaches it, or crash the library. So ``query`` asks in a child
process (``python -m validator.host.nvml``, which prints one JSON document) and can abandon it. Whatever is wrong with the
driver is a stated fact in ``NvmlInfo.problem``, never an exception.
"""

from validator.host.nvml.child import query

__all__ = ["query"]
