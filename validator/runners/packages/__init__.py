"""Where wheels come from: the package sources of pip and uv, and PyTorch's channels."""
