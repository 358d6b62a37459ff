"""The gallery: every broken environment as data. What a fault is made of stands in its folder, with a comment at the fault."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

#: The checks that a fault is seen by, where nothing else is said: the cheap and decisive ones.
IMPORT = ("import",)
TRAIN = ("import", "device", "train_fp32")
MODEL = (*TRAIN, "model")


@dataclass(frozen=True)
class Fault:
    """One broken environment, and what the product must say of it."""

    id: str
    told: str
    """The fault in one line, for docs/faults.md."""
    cause: str
    status: str = "fail"
    place: str = "image"
    """How it is set up: the name of a function of ``places``."""
    image: str = ""
    """Folder of tests/faults/images or tests/images."""
    base: str = "plain"
    """What the image is built on: ``plain`` (Debian with Python), ``torch`` (2.13 for the CPU), ``old`` (1.13.1), ``cuda``."""
    checks: tuple[str, ...] = IMPORT
    limits: Mapping[str, Any] = field(default_factory=dict)
    entry: Mapping[str, Any] = field(default_factory=dict)
    """More keys of the environment in matrix.yaml."""
    model: Mapping[str, Any] = field(default_factory=dict)
    """``model:`` of matrix.yaml; its file is tests/faults/models.py."""
    arguments: Mapping[str, Any] = field(default_factory=dict)
    """For the function that sets it up."""
    says: tuple[str, ...] = ()
    """Words that must stand in the reason, the evidence or the remedy."""
    slow: bool = False
    """Costs more than the seconds of a container: marked ``heavy``."""

    @property
    def needs_engine(self) -> bool:
        return self.place not in ("local", "no_engine")


GALLERY = (
    # ------------------------------------------------------------ what is in the image
    Fault("no-python", "no Python in the image", "entrypoint_missing", image="no-python", says=("python3",)),
    Fault("no-torch", "no torch in the image", "python_module_missing", image="labelled", says=("torch",)),
    Fault(
        "torch-shadowed", "a folder named `torch` hides the real one", "module_shadowed",
        image="torch-shadowed", base="torch", says=("/workspace/torch",),
    ),
    Fault(
        "torch-truncated", "libtorch is cut off", "install_corrupt",
        image="torch-truncated", base="torch",
    ),
    Fault(
        "library-removed", "one of torch's own libraries is gone", "missing_shared_library",
        image="torch-missing-library", base="torch", says=("libc10.so",),
    ),
    Fault(
        "cuda-library-removed", "cuBLAS removed from a CUDA build", "missing_shared_library",
        image="cuda-library-removed", base="cuda", says=("libcublas",), slow=True,
    ),
    Fault(
        "numpy2-old-torch", "numpy 2 with a torch compiled for numpy 1", "numpy_abi", "degraded",
        place="built", image="numpy2-old-torch", base="old", says=("numpy<2",), slow=True,
        entry={"torch": "1.13.1", "requirements": ["numpy>=2,<2.3"]},
    ),
    Fault(
        "torch-without-amp", "torch from before AMP (1.5)", "torch_too_old_for_amp", "degraded",
        image="torch-without-amp", base="torch", checks=(*TRAIN, "train_amp_fp16"),
    ),
    Fault(
        "torchvision-old", "torchvision compiled for another torch", "torchvision_mismatch", "degraded",
        place="built", image="torchvision-old", base="torch", checks=("import", "versions"), says=("torchvision",),
        entry={"torch": "2.13.0"},
    ),
    Fault(
        "no-compiler", "no C compiler for torch.compile", "gcc_or_triton_missing", "degraded",
        image="labelled", base="torch", checks=("import", "device", "compile"), says=("compiler",),
    ),
    Fault(
        "autocast-does-nothing", "autocast can be entered and changes nothing", "autocast_inactive",
        image="autocast-does-nothing", base="torch", checks=(*TRAIN, "train_amp_bf16"),
    ),
    Fault(
        "nan-in-half", "float16 results are NaN (as on GTX 16xx)", "fp16_nan",
        image="nan-in-half", base="torch", checks=(*TRAIN, "train_amp_fp16"),
    ),
    Fault("import-hangs", "`import torch` never returns", "hang", "error", image="torch-hangs", limits={"timeout": "4s"}),
    Fault("import-segfaults", "`import torch` ends in a segmentation fault", "native_crash", image="torch-segfaults"),
    Fault("other-processor", "python3 is built for another processor", "image_arch_mismatch", image="other-processor"),
    Fault(
        "entrypoint-swallows", "the entrypoint does not run its command", "entrypoint_swallows_command", "error",
        image="swallows-command", says=("entrypoint: none",),
    ),
    # ------------------------------------------------------------ models of the user's own
    Fault(
        "grayscale-model", "a detector for grayscale images checked with three channels", "input_shape_mismatch",
        image="labelled", base="torch", checks=MODEL, model={"factory": "grayscale", "input": "3x64x64"}, says=("1 channel",),
    ),
    Fault(
        "hard-half-model", "a model with a hard-coded .half()", "amp_dtype_mismatch",
        image="labelled", base="torch", checks=MODEL, model={"factory": "hard_half", "input": "16"},
    ),
    Fault(
        "scaler-misused", "GradScaler: unscale_ called twice", "grad_scaler_misuse",
        image="labelled", base="torch", checks=MODEL, model={"factory": "own_scaler", "input": "16"}, says=("unscale_",),
    ),
    Fault(
        "label-out-of-range", "a label that is no class of the model", "index_out_of_bounds",
        image="labelled", base="torch", checks=MODEL,
        model={"factory": "classifier", "input": "16", "loss": "label_out_of_range"},
    ),
    # ------------------------------------------------------------ limits and permissions
    Fault(
        "memory-limit", "the memory limit is reached by `import torch`", "killed_by_oom_killer",
        image="labelled", base="torch", limits={"memory": "64m"}, says=("limits.memory",),
    ),
    Fault(
        "pids-limit", "the limit on processes is reached", "pids_limit", "degraded",
        image="labelled", base="torch", checks=("import", "device", "dataloader"), limits={"pids": 4},
    ),
    Fault(
        "shm-small", "/dev/shm is too small for the workers of a data loader", "shm_too_small", "degraded",
        image="labelled", base="torch", checks=("import", "device", "dataloader"), limits={"shm": "64m"}, says=("/dev/shm",),
    ),
    Fault(
        "scratch-full", "the scratch folder has no room for the probe", "disk_full", "error",
        image="labelled", limits={"scratch": "16k"},
    ),
    Fault(
        "home-read-only", "a cache in a home that cannot be written", "permission_denied_in_container",
        image="home-read-only", says=("Read-only file system",),
    ),
    # ------------------------------------------------------------ registries
    Fault(
        "tag-missing", "the registry has no such tag", "image_pull_not_found", "error", place="registry",
        says=("manifest unknown",),
    ),
    Fault(
        "registry-login", "the registry wants a login", "image_pull_auth", "error", place="registry_with_login",
        says=("docker login",),
    ),
    Fault(
        "registry-unreachable", "nothing listens where the registry should be", "network_proxy_tls", "error",
        place="registry_gone", says=("connection refused",),
    ),
    Fault(
        "rate-limited", "the registry's pull limit is reached", "image_pull_rate_limit", "error",
        place="registry_rate_limited", says=("toomanyrequests",),
    ),
    Fault(
        "image-for-arm", "the image exists for linux/arm64 alone", "image_arch_mismatch", "error", place="registry_for_arm",
    ),
    # ------------------------------------------------------------ engines
    Fault("engine-absent", "there is no engine socket", "docker_daemon_unreachable", "error", place="no_engine"),
    Fault(
        "engine-forbidden", "the engine's socket belongs to somebody else", "docker_permission_denied", "error",
        place="forbidden_engine",
    ),
    Fault(
        "engine-dies", "the engine is killed while the probe runs", "docker_daemon_unreachable", "error",
        place="dying_engine", image="torch-hangs", slow=True,
    ),
    # ------------------------------------------------------------ GPUs (of an NVML stand-in) that containers do not get
    Fault(
        "no-nvidia-runtime", "a GPU is asked of an engine without the NVIDIA runtime", "no_gpu_in_container", "error",
        place="gpu_without_runtime", image="labelled",
    ),
    Fault(
        "container-gate", "the image demands a newer CUDA driver version (NVIDIA_REQUIRE_CUDA)", "driver_too_old",
        place="gpu_behind_hook", image="needs-newer-driver", says=("cuda>=12.8",),
    ),
    Fault(
        "toolkit-broken", "NVIDIA's container hook itself fails", "nvidia_container_toolkit_broken", "error",
        place="gpu_behind_hook", image="labelled", arguments={"hook": "broken"}, says=("ldcache",),
    ),
    Fault(
        "cpu-build-on-gpu", "a CPU build of torch where a GPU is required", "cpu_only_torch",
        place="gpu_behind_hook", image="labelled", base="torch", checks=("import", "device"), arguments={"hook": "idle"},
        slow=True,
    ),
    Fault(
        "no-gpu-visible", "a CUDA build that sees no GPU although one was given", "no_gpu_in_container",
        place="gpu_behind_hook", image="labelled", base="cuda", checks=("import", "device"), arguments={"hook": "idle"},
        slow=True,
    ),
    # ------------------------------------------------------------ answers that prove nothing
    Fault(
        "flood", "`import torch` prints 100 MB before it fails", "missing_shared_library", image="floods",
        says=("libcudart.so.12",),
    ),
    Fault("forged-end", "a forged end of the probe, with the right nonce", "probe_answer_invalid", "error", image="forges"),
    Fault(
        "local-forged-line", "what calls itself torch prints passing results", "module_shadowed", "fail",
        place="local", arguments={"modules": "forged"},
    ),
    Fault("local-no-torch", "an interpreter of this machine without torch", "python_module_missing", place="local"),
    Fault(
        "local-shadowed", "a folder named `torch` in PYTHONPATH", "module_shadowed",
        place="local", arguments={"modules": "shadowed"},
    ),
    Fault(
        "local-segfault", "`import torch` ends in a segmentation fault", "native_crash",
        place="local", arguments={"modules": "segfaults"},
    ),
)
