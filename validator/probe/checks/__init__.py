"""The checks by name. The host's registry (``data/checks.yaml``) says in which order and under which deadlines they run."""

from . import agreement, benefit, bf16, device, imports, repeat, training

CHECKS = {
    "import": imports.run,
    "device": device.run,
    "train_fp32": training.fp32,
    "train_amp_fp16": training.amp_fp16,
    "train_amp_bf16": training.amp_bf16,
    "amp_agreement": agreement.run,
    "checkpoint": repeat.checkpoint,
    "determinism": repeat.determinism,
    "bf16": bf16.run,
    "amp_benefit": benefit.run,
}
