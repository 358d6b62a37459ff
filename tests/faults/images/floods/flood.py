import ctypes
import sys

for stream in (sys.stdout, sys.stderr):
    for _ in range(50):
        stream.write("flood \x1b[31m" * 100_000)
        stream.write("\n")
ctypes.CDLL("libcudart.so.12")
