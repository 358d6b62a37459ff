"""``matrix.yaml``: read, checked, and multiplied into environments and targets."""
