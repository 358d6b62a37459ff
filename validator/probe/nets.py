"""The nets and the data that the training checks use: small, learnable, the same on each device and in each run.

Everything is drawn on the CPU from a fixed seed by torch itself, then moved; no numpy, no download. Built from the parts that
every torch since 1.0 has: ``nn.TransformerEncoderLayer`` and ``scaled_dot_product_attention`` came later.
"""

import math
from typing import Any, List, Tuple

SEED = 20
STEPS = 24
#: Steps of the short answer (``--quick``).
QUICK_STEPS = 20
#: The batch norm fault of the GTX 16xx cards shows from batches of 8 on; half a batch, as in accumulated steps, has 16.
BATCH = 32
CLASSES = 8
CONV, BLOCK = "conv", "block"

#: Noise relative to the class patterns' own spread (1.0), and the share of tokens replaced by others: high enough that the
#: loss is still moving at the last step, so that a run that stopped learning halfway differs from its twin; low enough that
#: it always learns.
_NOISE = 1.0
_REPLACED = 0.2
_CHANNELS, _SIDE = 3, 16
_VOCABULARY, _LENGTH, _WIDTH, _HEADS = 64, 16, 32, 4

Batch = Tuple[Any, Any]


def build(torch: Any, kind: str, steps: int = STEPS, seed: int = SEED) -> Tuple[Any, List[Batch]]:
    """An untrained classifier and its batches of (inputs [BATCH, …], labels [BATCH]), on the CPU."""
    torch.manual_seed(seed)
    if kind == CONV:
        return conv_net(torch), _images(torch, steps)
    return transformer_block(torch), _texts(torch, steps)


def conv_net(torch: Any) -> Any:
    """Two convolutions with batch norm and two linear layers."""
    nn = torch.nn
    width = 16  # a multiple of 8, as tensor cores want it

    class ConvNet(nn.Module):
        """Images [N, 3, 16, 16] to logits [N, CLASSES]."""

        def __init__(self) -> None:
            super().__init__()
            self.features = nn.Sequential(
                nn.Conv2d(_CHANNELS, width, 3, padding=1),
                nn.BatchNorm2d(width),
                nn.ReLU(),
                nn.MaxPool2d(2),
                nn.Conv2d(width, 2 * width, 3, padding=1),
                nn.BatchNorm2d(2 * width),
                nn.ReLU(),
                nn.MaxPool2d(2),
            )
            self.classifier = nn.Sequential(
                nn.Linear(2 * width * (_SIDE // 4) ** 2, 64), nn.ReLU(), nn.Linear(64, CLASSES)
            )

        def forward(self, images: Any) -> Any:
            return self.classifier(self.features(images).reshape(images.shape[0], -1))

    return ConvNet()


def transformer_block(torch: Any) -> Any:
    """An embedding, one block of self-attention and a classifier."""
    nn, width, heads, length = torch.nn, _WIDTH, _HEADS, _LENGTH

    class Block(nn.Module):
        """Tokens [N, 16] to logits [N, CLASSES]; layer norm comes first, as in today's models."""

        def __init__(self) -> None:
            super().__init__()
            self.embedding = nn.Embedding(_VOCABULARY, width)
            self.position = nn.Parameter(0.1 * torch.randn(length, width))
            self.norm1, self.norm2, self.norm3 = nn.LayerNorm(width), nn.LayerNorm(width), nn.LayerNorm(width)
            self.qkv = nn.Linear(width, 3 * width)
            self.out = nn.Linear(width, width)
            self.mlp = nn.Sequential(nn.Linear(width, 4 * width), nn.ReLU(), nn.Linear(4 * width, width))
            self.classifier = nn.Linear(width, CLASSES)

        def forward(self, tokens: Any) -> Any:
            x = self.embedding(tokens) + self.position
            x = x + self.attend(self.norm1(x))
            x = x + self.mlp(self.norm2(x))
            return self.classifier(self.norm3(x).mean(1))

        def attend(self, x: Any) -> Any:
            count, size = x.shape[0], width // heads
            q, k, v = self.qkv(x).reshape(count, length, 3, heads, size).permute(2, 0, 3, 1, 4)
            weights = torch.softmax(torch.matmul(q, k.transpose(-2, -1)) / math.sqrt(size), -1)
            return self.out(torch.matmul(weights, v).transpose(1, 2).reshape(count, length, width))

    return Block()


def _images(torch: Any, steps: int) -> List[Batch]:
    patterns = torch.randn(CLASSES, _CHANNELS, _SIDE, _SIDE)
    batches = []
    for _ in range(steps):
        labels = _labels(torch)
        batches.append((patterns[labels] + _NOISE * torch.randn(BATCH, _CHANNELS, _SIDE, _SIDE), labels))
    return batches


def _texts(torch: Any, steps: int) -> List[Batch]:
    patterns = torch.randint(0, _VOCABULARY, (CLASSES, _LENGTH), dtype=torch.long)
    batches = []
    for _ in range(steps):
        labels = _labels(torch)
        others = torch.randint(0, _VOCABULARY, (BATCH, _LENGTH), dtype=torch.long)
        kept = (torch.rand(BATCH, _LENGTH) >= _REPLACED).long()
        batches.append((patterns[labels] * kept + others * (1 - kept), labels))
    return batches


def _labels(torch: Any) -> Any:
    return torch.randint(0, CLASSES, (BATCH,), dtype=torch.long)
