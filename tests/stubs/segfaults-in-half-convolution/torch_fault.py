"""A convolution in float16 kills the process; float32 and bfloat16 work."""

import ctypes


def apply(torch):
    """Read from address 0 where conv2d runs in float16."""
    convolve = torch.nn.functional.conv2d

    def conv2d(*args, **kwargs):
        result = convolve(*args, **kwargs)
        if result.dtype == torch.float16:
            ctypes.string_at(0)
        return result

    torch.nn.functional.conv2d = conv2d
