
__version__ = "1.5.1"  # the fault: everything of AMP below is gone
for _holder, _names in ((amp, dir(amp)), (cuda.amp, dir(cuda.amp)), (cpu.amp, dir(cpu.amp))):
    for _name in _names:
        if _name in ("autocast", "GradScaler"):
            delattr(_holder, _name)
del autocast
