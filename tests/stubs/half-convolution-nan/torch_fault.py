"""Convolutions in float16 give NaN, all else is right: what cuDNN did on cards of the GTX 16 line."""


def apply(torch):
    """Spoil what conv2d gives where it is float16."""
    convolve = torch.nn.functional.conv2d

    def conv2d(*args, **kwargs):
        result = convolve(*args, **kwargs)
        return result * float("nan") if result.dtype == torch.float16 else result

    torch.nn.functional.conv2d = conv2d
