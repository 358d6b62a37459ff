"""Broken: the import ends in a segmentation fault."""

import ctypes

ctypes.string_at(0)
