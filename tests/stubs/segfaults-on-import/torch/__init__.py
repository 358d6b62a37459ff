"""The process dies while torch is imported, as with a library built for another machine."""

import ctypes

ctypes.string_at(0)
