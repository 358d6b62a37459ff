"""The docker runner: one container a cell, on Docker or Podman."""
