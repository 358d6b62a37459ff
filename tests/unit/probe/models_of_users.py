"""Models as users bring them, sound and broken: each factory is one test of tests/unit/probe/test_own_model.py."""

from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional


class Detector(nn.Module):
    """A one-stage detector with three outputs. It was changed to take grayscale images: one channel."""

    def __init__(self, channels=1):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(channels, 8, 3, stride=2, padding=1), nn.BatchNorm2d(8), nn.ReLU())
        self.stages = nn.ModuleList(
            nn.Sequential(nn.Conv2d(8 * 2**i, 16 * 2**i, 3, stride=2, padding=1), nn.BatchNorm2d(16 * 2**i), nn.ReLU())
            for i in range(3)
        )
        self.heads = nn.ModuleList(nn.Conv2d(16 * 2**i, 85, 1) for i in range(3))

    def forward(self, x):
        x = self.stem(x)
        found = []
        for stage, head in zip(self.stages, self.heads):  # noqa: B905 - runs in old Pythons too
            x = stage(x)
            found.append(head(x))
        return found


def grayscale_detector():
    return Detector()


class Lambda(nn.Module):
    """A layer, and what forward does with it."""

    def __init__(self, forward, **layers):
        super().__init__()
        for name, layer in layers.items():
            self.add_module(name, layer)
        self._forward = forward

    def forward(self, *inputs):
        return self._forward(self, *inputs)


def linear_of_another_size():
    return nn.Sequential(nn.Linear(16, 8), nn.ReLU(), nn.Linear(9, 4))


def mapping_of_outputs():
    return Lambda(lambda self, x: {"boxes": self.fc(x), "rest": (x, [self.fc(x) * 2, "text", 3])}, fc=nn.Linear(16, 4))


def own_loss_in_a_mapping():
    return Lambda(lambda self, x: {"loss": self.fc(x).pow(2).mean(), "logits": self.fc(x).detach() / 0}, fc=nn.Linear(16, 4))


def no_parameters():
    return nn.Sequential(nn.ReLU(), nn.Flatten())


def embedding():
    return Lambda(lambda self, tokens: self.head(self.table(tokens)), table=nn.Embedding(100, 8), head=nn.Linear(8, 4))


def wants_targets():
    class Wants(nn.Module):
        def forward(self, images, targets):
            return images.mean() + targets.mean()

    return Wants()


def raises():
    raise FileNotFoundError("no weights at yolo.pt")


def leaves_python():
    raise SystemExit("usage: train.py [options]")


def no_module():
    return lambda x: x


def hard_half():
    return nn.Linear(16, 4).half()


def hard_cuda():
    return nn.Linear(16, 4).cuda()


def half_in_forward():
    return Lambda(lambda self, x: self.fc(x.half()), fc=nn.Linear(16, 4))


def scatters_float32_into_autocast():
    def forward(self, x):
        half = self.fc(x)
        out = torch.zeros(len(x), 4)
        out[torch.arange(len(x))] = half  # an indexed assignment wants both in one dtype
        return out

    return Lambda(forward, fc=nn.Linear(16, 4))


def no_kernel_for_half():
    return Lambda(lambda self, x: torch.special.bessel_j0(self.fc(x)).float() + self.fc(x), fc=nn.Linear(16, 4))


def overflows_in_half():
    def forward(self, x):
        large = self.fc(x) * 0 + 300.0
        return torch.log((large * large).float()) + self.fc(x)

    return Lambda(forward, fc=nn.Linear(16, 4))


def cancels():
    """Differences of large numbers: nothing is left of them in eight bits."""

    class Far(nn.Linear):
        def forward(self, x):
            return super().forward(x + 1000.0) - super().forward(torch.full_like(x, 1000.0))

    return nn.Sequential(Far(16, 16), nn.Linear(16, 4))


def dropped_out():
    return nn.Sequential(nn.Linear(16, 64), nn.Dropout(0.5), nn.Linear(64, 4))


def diverges():
    return Lambda(lambda self, x: self.fc(x) / 0 * 0, fc=nn.Linear(16, 4))


def half_loss(result):
    return result.sum() / 2


def two_inputs():
    return Lambda(lambda self, x, tokens: self.fc(x) + self.table(tokens).mean(1), fc=nn.Linear(16, 4), table=nn.Embedding(9, 4))


def sets_a_default():
    """Leaves torch changed: no convolution works in this process any more."""
    torch.nn.Linear.forward = lambda self, x: functional.linear(x, self.weight, self.bias) * 1.0
    torch.nn.Conv2d.forward = None
    return nn.Linear(16, 4)


def lazy():
    return nn.LazyLinear(4)


@dataclass
class Found:
    boxes: torch.Tensor
    scores: torch.Tensor


def data_class_of_outputs():
    return Lambda(lambda self, x: Found(self.fc(x), self.fc(x).sigmoid()), fc=nn.Linear(16, 4))


def label_loss(result):
    """Labels 0 to 9 for four classes."""
    return functional.cross_entropy(result, torch.tensor([1, 9]))


def classifier():
    return nn.Linear(16, 4)
