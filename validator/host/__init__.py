"""This machine: its GPUs through NVML, its driver, its system."""
