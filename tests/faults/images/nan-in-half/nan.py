import math


def _spoilt(function):
    def spoilt(*args, **keywords):
        result = function(*args, **keywords)
        return result * math.nan if result.dtype == float16 else result  # the fault

    return spoilt


for _name in ("conv2d", "linear"):
    setattr(nn.functional, _name, _spoilt(getattr(nn.functional, _name)))
