"""A torch whose torch.cuda raises at every touch, as where the driver's state is broken."""

import types

__version__ = "2.1.0"
version = types.SimpleNamespace(cuda="12.1", debug=False)


class Tensor:
    """There has always been one."""


class _Raising:
    def __getattr__(self, name):
        raise RuntimeError("CUDA unknown error - this may be due to an incorrectly set up environment")


def get_num_threads():
    """As on two cores."""
    return 2


cuda = _Raising()
backends = types.SimpleNamespace(cudnn=types.SimpleNamespace(version=lambda: 8902))
