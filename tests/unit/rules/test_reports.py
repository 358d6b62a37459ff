"""Reports by people who ran it: what they stated, what happened, and where it is written."""

from __future__ import annotations

from typing import Any

import pytest
from rules_values import predict

from validator.model import Outlook

WORKS = (Outlook.PASS, Outlook.DEGRADED)
RTX = "NVIDIA GeForce RTX 3090"
REFUSED = "forward_compat_unsupported"
NO_CODE = "arch_not_supported"


@pytest.mark.parametrize(
    ("stated", "works", "cause"),
    [
        # AIR-DISCOVER/ICRA2024-Sim2Real-AXS#5: error 804 in a CUDA 12.1 image on R525.
        ({"image": "nvidia/cuda:12.1.1-runtime-ubuntu22.04", "gpu": RTX, "driver": "525.147.05"}, False, REFUSED),
        # NVIDIA/nvidia-docker#1515: error 804 in nvidia/cuda 11.3.1 on 460.80.
        ({"image": "nvidia/cuda:11.3.1-cudnn8-devel-ubuntu20.04", "gpu": RTX, "driver": "460.80"}, False, REFUSED),
        # NVIDIA/nvidia-docker#753: a CUDA 9.2 image on 390.48.
        ({"image": "nvidia/cuda:9.2-base-ubuntu18.04", "gpu": "GTX 1080", "driver": "390.48"}, False, "driver_too_old"),
        # lightgbm-org/LightGBM#6539: images of CUDA 12.5 are refused on 525.147.05 and start on R535.
        ({"image": "nvidia/cuda:12.5.1-devel-ubuntu22.04", "gpu": "Tesla T4", "driver": "525.147.05"}, False, "driver_too_old"),
        ({"image": "nvidia/cuda:12.5.1-devel-ubuntu22.04", "gpu": "Tesla T4", "driver": "535.183.01"}, True, None),
        # CHTC/recipes#28: the CUDA 13 image of NGC not on a 2080 with the older driver; the CUDA 12.8 one once it is new enough.
        ({"image": "nvcr.io/nvidia/pytorch:25.10-py3", "gpu": "RTX 2080 Ti", "driver": "570.133.20"}, False, "driver_too_old"),
        ({"image": "nvcr.io/nvidia/pytorch:25.10-py3", "gpu": "NVIDIA A100-SXM4-40GB", "driver": "570.133.20"}, True, None),
        ({"image": "nvcr.io/nvidia/pytorch:25.02-py3", "gpu": "RTX 2080 Ti", "driver": "570.133.20"}, True, None),
        # dstackai/dstack#4007: nvidia/cuda 13.0.3 works through its compat library from R535 on, on data-centre GPUs.
        ({"image": "nvidia/cuda:13.0.3-base-ubuntu24.04", "gpu": "NVIDIA H100 80GB HBM3", "driver": "535.183.01"}, True, None),
        # NVIDIA-NeMo/labs-molt#44: forcing a compat library of 580 on a 595 host is error 803.
        (
            {
                "inside": {"torch": "2.9.0", "cuda": "13.0", "has_compat_libs": True, "compat_on_path": True},
                "gpu": "NVIDIA H100 80GB HBM3",
                "driver": "595.58.03",
            },
            False,
            REFUSED,
        ),
        # lllyasviel/Fooocus#1313: found version 11040 with the default torch 2.1.
        ({"torch": "2.1.0", "gpu": "NVIDIA GeForce RTX 3050 Laptop GPU", "driver": "470.86"}, False, "driver_too_old"),
        # pytorch/pytorch#112553: 470.182.03 runs 2.0.1 and refuses 2.1.0.
        ({"torch": "2.0.1", "driver": "470.182.03"}, True, None),
        ({"torch": "2.1.0", "driver": "470.182.03"}, False, "driver_too_old"),
        # Kaggle/kaggle-cli#1151: a P100 with a cu128 build; a T4 works.
        ({"torch": "2.10.0+cu128", "gpu": "Tesla P100-PCIE-16GB"}, False, NO_CODE),
        ({"torch": "2.10.0+cu128", "gpu": "Tesla T4"}, True, None),
        # meizhong986/WhisperJAV#333: V100 with 2.11.0+cu128.
        ({"torch": "2.11.0+cu128", "gpu": "Tesla V100"}, False, NO_CODE),
        # pytorch/pytorch#144071: a maintainer shows that 2.6.0+cu124 has code for V100.
        ({"torch": "2.6.0+cu124", "gpu": "Tesla V100", "driver": "560.35.03"}, True, None),
        # vllm-project/vllm#3785: torch 2.1.2+cu121 itself runs on P100.
        ({"torch": "2.1.2+cu121", "gpu": "Tesla P100-PCIE-16GB", "driver": "530.30.02", "python": "3.10.14"}, True, None),
        # coendevente/SlicerNNInteractive#58: a Windows build with compute_37 as its only PTX on an RTX 5070.
        ({"torch": "2.7.1+cu118", "gpu": "NVIDIA GeForce RTX 5070 Laptop GPU", "platform": "windows"}, False, NO_CODE),
        # Hellod035/LeggedLab#26: a nightly for CUDA 12.8 made the 5090 run.
        ({"torch": "2.8.0.dev20250606+cu128", "gpu": "NVIDIA GeForce RTX 5090"}, True, None),
        # pytorch/pytorch#160162: pip on an ARM machine with a GH200 installs the CPU build of 2.8.
        ({"torch": "2.8.0", "gpu": "NVIDIA GH200 480GB", "driver": "570.133.20"}, False, "cpu_only_torch"),
        ({"torch": "2.8.0+cu129", "gpu": "NVIDIA GH200 480GB", "driver": "575.57.08"}, True, None),
        # niuchuangnn/SPICE#26: 1.7 for CUDA 11.0 runs on an RTX 3090 by its code for 8.0.
        ({"torch": "1.7.1+cu110", "gpu": RTX, "driver": "455.45.01"}, True, None),
        # NVIDIA/TensorRT#1160: an NGC image of CUDA 11.0 on 440.33.01, compatibility mode unavailable (804).
        ({"image": "nvcr.io/nvidia/pytorch:20.07-py3", "gpu": "GTX 1080 Ti", "driver": "440.33.01"}, False, REFUSED),
    ],
)
def test_reports(stated: dict[str, Any], works: bool, cause: str | None) -> None:
    prediction = predict(**stated)
    assert prediction.status is not Outlook.UNKNOWN, prediction.missing
    assert (prediction.status in WORKS) is works, prediction
    assert cause is None or cause in prediction.causes
