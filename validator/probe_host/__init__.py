"""The host's half of the probe: packs it, writes its plan, and reads its events as hostile input."""

from validator.probe_host.events import READY, TOTAL_DEADLINE, CheckEvent, EventStream, ProbeReport
from validator.probe_host.pack import BOOTSTRAP, MODEL_FOLDER, PART_CHARS, command, pack
from validator.probe_host.probe_plan import PROTOCOL, ProbePlan, answer, environment, new_nonce

__all__ = [
    "BOOTSTRAP",
    "MODEL_FOLDER",
    "PART_CHARS",
    "PROTOCOL",
    "READY",
    "TOTAL_DEADLINE",
    "CheckEvent",
    "EventStream",
    "ProbePlan",
    "ProbeReport",
    "answer",
    "command",
    "environment",
    "new_nonce",
    "pack",
]
