"""torch 1.0 as far as it is asked before AMP is: no autocast, no scaler, no torch.cuda.amp, a CUDA of three numbers."""

import types

__version__ = "1.0.0"
version = types.SimpleNamespace(cuda="9.0.176", debug=False)


class Tensor:
    """There has always been one."""


def get_num_threads():
    """As on two cores."""
    return 2


def empty(*_, **__):
    """A tensor of nothing."""
    return Tensor()


cuda = types.SimpleNamespace(
    is_available=lambda: True,
    device_count=lambda: 1,
    # 1.0's properties have no uuid, and there is no mem_get_info.
    get_device_properties=lambda _: types.SimpleNamespace(name="Tesla T4", major=7, minor=5, total_memory=15655829504),
    get_device_capability=lambda *_: (7, 5),
    synchronize=lambda: None,
    max_memory_allocated=lambda: 0,
)
backends = types.SimpleNamespace(cudnn=types.SimpleNamespace(version=lambda: 7401))
