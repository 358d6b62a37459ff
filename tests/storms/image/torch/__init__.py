"""A torch that imports, after what STORM names has happened for STORM_SECONDS seconds."""

import os
import types

from . import _storms

__version__ = "2.7.1"
#: A build for CUDA where the engine was asked for a GPU, which there is none of.
version = types.SimpleNamespace(cuda="12.6" if os.environ.get("NVIDIA_VISIBLE_DEVICES") else None, debug=False)


class Tensor(list):
    """As much of a tensor as the check of numpy's bridge asks for."""

    def __add__(self, number):
        return Tensor(each + number for each in self)

    def numpy(self):
        """The same as numpy's."""
        import numpy

        return numpy._Array(self)


def from_numpy(array):
    """The same as torch's."""
    return Tensor(array)


def get_num_threads():
    """As on two cores."""
    return 2


backends = types.SimpleNamespace()
getattr(_storms, os.environ["STORM"])(float(os.environ["STORM_SECONDS"]))
