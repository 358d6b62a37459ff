"""Models as their users break them. Each factory is a fault of the gallery; the comment says where."""

import torch
from torch import nn
from torch.nn import functional as F


class Detector(nn.Module):
    """A small detector that was changed to take grayscale images."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(1, 8, 3, stride=2, padding=1), nn.BatchNorm2d(8), nn.ReLU())  # one channel
        self.head = nn.Conv2d(8, 5, 1)

    def forward(self, images):
        return self.head(self.stem(images))


def grayscale():
    return Detector()


class HardHalf(nn.Module):
    """Made for float16 whatever the trainer decides."""

    def __init__(self):
        super().__init__()
        self.body = nn.Linear(16, 8)
        self.head = nn.Linear(8, 4)

    def forward(self, x):
        return self.head(self.body(x).half())  # the fault: the head's weights are float32


def hard_half():
    return HardHalf()


def classifier():
    return nn.Linear(16, 4)


def label_out_of_range(logits):
    """A loss over a data set whose label 7 was never among the 4 classes."""
    return F.cross_entropy(logits, torch.full((logits.shape[0],), 7, dtype=torch.long, device=logits.device))


class OwnScaler(nn.Module):
    """Steps with a scaler of its own and unscales twice, as when clipping was added to a loop that clips already."""

    def __init__(self):
        super().__init__()
        self.body = nn.Linear(16, 4)

    def forward(self, x):
        optimizer = torch.optim.SGD(self.body.parameters(), lr=0.1)
        scaler = torch.amp.GradScaler("cpu")
        scaler.scale(self.body(x).float().mean()).backward()
        scaler.unscale_(optimizer)
        scaler.unscale_(optimizer)  # the fault
        scaler.step(optimizer)
        scaler.update()
        return self.body(x)


def own_scaler():
    return OwnScaler()
