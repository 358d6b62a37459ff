"""What is installed for an interpreter, as one hash: equal only where a probe would find the same.

Read from what installers leave behind (``*.dist-info/RECORD``), never by importing anything. What was changed by hand inside an
installed package is not seen: that would take reading gigabytes.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

#: Beside what it describes: the hash of a virtual environment, and what tells cheaply that it still holds.
_KEPT = "validator-contents.json"
#: Lines of a RECORD about how and when it was installed, not what.
_NOT_CONTENT = re.compile(rb"[^,]*\.dist-info/(RECORD|INSTALLER|REQUESTED|direct_url\.json|uv_cache\.json),")
#: Variables that change what a process finds or how it computes; processes of this machine inherit them.
_BENDING = re.compile(
    r"CC|CXX|LD_PRELOAD|LD_LIBRARY_PATH|PYTHON\w+|(OMP|MKL|KMP|GOMP)_\w+|(NVIDIA|TORCH|PYTORCH|CUDA|CUBLAS|CUDNN|NCCL)_\w+"
)
#: Set by this program itself, for each cell.
_OURS = frozenset({"CUDA_VISIBLE_DEVICES"})
#: What torch.compile looks for on the PATH.
_TOOLS = ("cc", "gcc", "g++", "c++", "clang", "clang++", "nvcc", "ptxas", "ninja")
_ASK_SECONDS = 20.0
_ANSWER_BYTES = 64 * 1024
#: Where an interpreter looks for modules, and which files it and its C library are. Run as the probe's worker will be, so that
#: PYTHONPATH and the folder of the user count.
_ASK = """
import json, os, site, sys, sysconfig
library = sysconfig.get_config_var("LDLIBRARY") or ""
own = [os.path.realpath(sys.executable), os.path.join(sysconfig.get_config_var("LIBDIR") or "", library)]
standard = [sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib")]
standard += [os.path.join(path, "lib-dynload") for path in standard]
sites = [path for path in sys.path if os.path.basename(path) in ("site-packages", "dist-packages")]
print("\\n" + json.dumps({
    "version": sys.version, "own": own, "sites": sites,
    "rest": [path for path in sys.path if path and path not in sites and path not in standard and os.path.exists(path)],
}))
"""


def of_environment(folder: Path) -> str | None:
    """Of a virtual environment that was made here: reckoned once, kept in it, and held against what can be seen at a glance."""
    if os.environ.get("PYTHONPATH"):
        return None  # modules from anywhere come before those that are installed
    sites = sorted(folder.glob("lib/python*/site-packages"))
    with suppress(OSError):
        glance = _glance([folder / "pyvenv.cfg", (folder / "bin" / "python").resolve(strict=True)], sites)
        kept = _kept(folder)
        if kept is None or kept[0] != glance:
            base = (folder / "bin" / "python").resolve(strict=True)
            kept = glance, _hash([_settings(folder).encode(), base.read_bytes(), *_contents(sites)])
            with suppress(OSError):
                _keep(folder, *kept)
        return _with_variables(kept[1])
    return None


def of_interpreter(python: Path) -> str | None:
    """Of an interpreter of this machine; None where it also finds modules that no installer wrote down."""
    with suppress(OSError, ValueError, KeyError, TypeError, subprocess.SubprocessError):
        asked = subprocess.run(
            [str(python), "-B", "-c", _ASK],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=_ASK_SECONDS,
            check=True,
            cwd="/",
        )
        answer = json.loads(asked.stdout[-_ANSWER_BYTES:].splitlines()[-1])
        sites = [Path(site) for site in answer["sites"]]
        if answer["rest"] or any(map(_is_edited_in_place, _installed(sites))):
            return None
        own = [Path(path) for path in answer["own"] if Path(path).is_file()]
        return _with_variables(_hash([str(answer["version"]).encode(), _glance(own, sites).encode()]))
    return None


def _kept(folder: Path) -> tuple[str, str] | None:
    try:
        document = json.loads((folder / _KEPT).read_text(encoding="utf-8"))
        glance, contents = document["glance"], document["contents"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return (glance, contents) if isinstance(glance, str) and isinstance(contents, str) else None


def _keep(folder: Path, glance: str, contents: str) -> None:
    partial = folder / f"{_KEPT}.{os.getpid()}.partial"
    partial.write_text(json.dumps({"glance": glance, "contents": contents}), encoding="utf-8")
    partial.replace(folder / _KEPT)


def _glance(files: Iterable[Path], sites: Sequence[Path]) -> str:
    """What changes with any installation: the names in the folders of packages, and size and time of what installers write."""
    parts = [f"{path} {_size_and_time(path)}".encode() for path in files]
    for site in sites:
        if site.is_dir():
            # Byte code that Python itself puts beside a module is no content.
            parts.append("\0".join(sorted(name for name in os.listdir(site) if name != "__pycache__")).encode())
    parts += [f"{info.name} {_size_and_time(info)} {_size_and_time(info / 'RECORD')}".encode() for info in _installed(sites)]
    parts += [path.read_bytes() for site in sites for path in sorted(site.glob("*.pth"))]
    return _hash(parts)


def _size_and_time(path: Path) -> str:
    try:
        found = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return "absent"  # some installers write none
    return f"{found.st_size} {found.st_mtime_ns}"


def _installed(sites: Iterable[Path]) -> list[Path]:
    return sorted(info for site in sites for kind in ("dist-info", "egg-info") for info in site.glob(f"*.{kind}"))


def _contents(sites: Sequence[Path]) -> Iterator[bytes]:
    for info in _installed(sites):
        yield info.name.encode()
        with suppress(FileNotFoundError, NotADirectoryError):
            lines = (info / "RECORD").read_bytes().splitlines()
            yield b"\n".join(sorted(line for line in lines if not _NOT_CONTENT.match(line)))
    for site in sites:
        yield from (path.read_bytes() for path in sorted(site.glob("*.pth")))
        yield "\0".join(sorted(name for name in os.listdir(site) if name != "__pycache__")).encode()


def _is_edited_in_place(info: Path) -> bool:
    """Whether a package lies where somebody works on it, so that its version says little."""
    try:
        document = json.loads((info / "direct_url.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(document, dict) and bool((document.get("dir_info") or {}).get("editable"))


def _settings(folder: Path) -> str:
    """pyvenv.cfg without the folder's own name, which says nothing of what is in it."""
    lines = (folder / "pyvenv.cfg").read_text(encoding="utf-8").splitlines()
    return "\n".join(line for line in lines if not line.startswith(("prompt", "command")))


def _with_variables(contents: str) -> str:
    told = {name: value for name, value in os.environ.items() if _BENDING.fullmatch(name) and name not in _OURS}
    tools = [f"{tool} {_size_and_time(Path(found))}" for tool in _TOOLS if (found := shutil.which(tool))]
    return "sha256:" + _hash([contents.encode(), json.dumps([told, tools], sort_keys=True).encode()])


def _hash(parts: Iterable[bytes]) -> str:
    result = hashlib.sha256()
    for part in parts:
        result.update(f"{len(part)}:".encode())
        result.update(part)
    return result.hexdigest()
