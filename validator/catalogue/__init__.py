"""What can be named: the causes, and the checks of the probe."""
