"""Models whose faults only a GPU shows; see tests/gpu/test_gpu_model.py."""

import torch
from torch import nn
from torch.nn import functional


class Model(nn.Module):
    """A layer, and what forward does with its output."""

    def __init__(self, after):
        super().__init__()
        self.fc = nn.Linear(16, 4)
        self._after = after

    def forward(self, x):
        return self._after(x, self.fc(x))


def unsafe_loss():
    return Model(lambda x, y: functional.binary_cross_entropy(torch.sigmoid(y), x[:, :4]))


def too_large():
    return Model(lambda x, y: y.sum() + torch.ones(1 << 45, dtype=torch.uint8, device=x.device).float().sum())
