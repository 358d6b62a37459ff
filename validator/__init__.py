"""Which PyTorch/CUDA images really train with AMP on which GPU and driver; and where one does not, why, and what to do."""

__version__ = "0.1.0"
