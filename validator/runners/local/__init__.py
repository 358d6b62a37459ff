"""The local runner: virtual environments and interpreters of this machine, where no engine is needed."""
