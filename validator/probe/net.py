"""The net and the data that every training check uses: small, learnable, the same on each device and in each run.

Everything is drawn on the CPU from a fixed seed by torch itself, then moved; no numpy, no download.
"""

from typing import Any, List, Tuple

SEED = 20
STEPS = 30
BATCH = 32
CLASSES = 8
#: Noise relative to the class patterns' own spread (1.0): high enough that the loss is still moving at the last step, so a
#: run that stopped learning halfway differs from its twin; low enough that it always learns.
NOISE = 0.7
_CHANNELS, _SIDE = 3, 16

Batch = Tuple[Any, Any]


def build(torch: Any, seed: int = SEED) -> Tuple[Any, List[Batch]]:
    """An untrained classifier and its STEPS batches of (images [BATCH, 3, 16, 16], labels [BATCH]), on the CPU."""
    torch.manual_seed(seed)
    nn = torch.nn

    class Net(nn.Module):
        """Two convolutions and two linear layers; widths are multiples of 8, as tensor cores want them."""

        def __init__(self) -> None:
            super().__init__()
            self.features = nn.Sequential(
                nn.Conv2d(_CHANNELS, 16, 3, padding=1),
                nn.ReLU(),
                nn.MaxPool2d(2),
                nn.Conv2d(16, 32, 3, padding=1),
                nn.ReLU(),
                nn.MaxPool2d(2),
            )
            self.classifier = nn.Sequential(nn.Linear(32 * (_SIDE // 4) ** 2, 64), nn.ReLU(), nn.Linear(64, CLASSES))

        def forward(self, images: Any) -> Any:
            return self.classifier(self.features(images).reshape(images.shape[0], -1))

    net = Net()
    patterns = torch.randn(CLASSES, _CHANNELS, _SIDE, _SIDE)
    batches = []
    for _ in range(STEPS):
        labels = torch.randint(0, CLASSES, (BATCH,), dtype=torch.long)
        batches.append((patterns[labels] + NOISE * torch.randn(BATCH, _CHANNELS, _SIDE, _SIDE), labels))
    return net, batches
