"""The host's half of the probe: packs it, words its plan, and reads its events as hostile input."""
