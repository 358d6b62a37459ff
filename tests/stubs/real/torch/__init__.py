"""The real torch of the interpreter, with the fault of ``torch_fault`` in it. Puts the real one in its own place."""

import os
import sys

_here = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path[:] = [path for path in sys.path if os.path.abspath(path) != _here]
del sys.modules["torch"]
import torch_fault  # noqa: E402

import torch  # noqa: E402 - the real one, now that this folder is off the path

torch_fault.apply(torch)
