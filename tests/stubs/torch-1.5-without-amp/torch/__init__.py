"""torch 1.5 as far as it is asked before AMP is: torch.cuda.amp has a scaler, and no autocast."""

import types

__version__ = "1.5.1"
version = types.SimpleNamespace(cuda="10.2", debug=False)


class Tensor:
    """There has always been one."""


def get_num_threads():
    """As on two cores."""
    return 2


def empty(*_, **__):
    """A tensor of nothing."""
    return Tensor()


cuda = types.SimpleNamespace(
    amp=types.SimpleNamespace(GradScaler=object),
    is_available=lambda: True,
    device_count=lambda: 1,
    get_device_properties=lambda _: types.SimpleNamespace(name="Tesla T4", major=7, minor=5, total_memory=15655829504),
    get_device_capability=lambda *_: (7, 5),
    synchronize=lambda: None,
    reset_peak_memory_stats=lambda: None,
    max_memory_allocated=lambda: 0,
)
backends = types.SimpleNamespace(cudnn=types.SimpleNamespace(version=lambda: 7605))
