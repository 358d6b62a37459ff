"""What the supervisor says of the environment before torch is touched, and the environment it gives to a worker."""

import os
import platform
import re
from typing import Dict, Mapping

#: Variables that can bend a result: which libraries are loaded, which GPUs are seen, how torch and CUDA behave.
_BENDING = re.compile(
    r"LD_PRELOAD|LD_LIBRARY_PATH|PYTHONPATH|PYTHONHOME|OMP_NUM_THREADS|(NVIDIA|TORCH|PYTORCH|CUDA|CUBLAS|CUDNN|NCCL)_\w{1,80}",
    re.ASCII,
)
_SECRET = re.compile(r"TOKEN|KEY|PASSWORD|SECRET", re.IGNORECASE)
_MARKS = ("VALIDATOR_RUN", "VALIDATOR_CELL")
_VARIABLES = 64
_VALUE_CHARS = 500


def libc() -> str:
    """Name and version of the C library, such as ``glibc 2.31``; what is known of it where it does not say."""
    try:
        text = os.confstr("CS_GNU_LIBC_VERSION")
    except (ValueError, OSError):
        text = None  # musl does not know the name
    return text or " ".join(platform.libc_ver()).strip() or "not glibc"


def system() -> str:
    """Kernel, its release and the machine type."""
    name = os.uname()
    return " ".join((name.sysname, name.release, name.machine))


def bending(environ: Mapping[str, str]) -> Dict[str, str]:
    """The variables that can bend a result, cut to size; what looks like a secret is masked."""
    names = sorted(name for name in environ if _BENDING.fullmatch(name))[:_VARIABLES]
    return {name: "***" if _SECRET.search(name) else environ[name][:_VALUE_CHARS] for name in names}


def worker_environment(environ: Mapping[str, str], scratch: str) -> Dict[str, str]:
    """The image's own environment, with everything that writes pointed into the scratch folder and nothing of ours
    in it but the marks by which a run's processes are found."""
    result = {name: value for name, value in environ.items() if name in _MARKS or not name.startswith("VALIDATOR_")}
    if not result.get("PYTHONUSERBASE"):
        # HOME moves, but the packages installed with `pip install --user` are part of what is validated.
        home = environ.get("HOME") or os.path.expanduser("~")
        result["PYTHONUSERBASE"] = os.path.join(home, ".local")
    folders = {
        "HOME": "home",
        "TMPDIR": "tmp",
        "XDG_CACHE_HOME": "cache",
        "TRITON_CACHE_DIR": "cache/triton",
        "TORCHINDUCTOR_CACHE_DIR": "cache/inductor",
        "CUDA_CACHE_PATH": "cache/cuda",
        "PYTORCH_KERNEL_CACHE_PATH": "cache/kernels",
    }
    for name, folder in folders.items():
        result[name] = os.path.join(scratch, folder)
        os.makedirs(result[name], exist_ok=True)
    # Otherwise Python writes its byte code beside every module that has none yet, far outside the scratch folder.
    result["PYTHONDONTWRITEBYTECODE"] = "1"
    return result
