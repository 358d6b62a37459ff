"""The user's own model, ``path.py:factory`` or ``module:factory``, and its input: checked, and its file read, for it travels."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from validator.base.text import one_line, quoted, suggestion
from validator.model import UserModel

#: The file of a model travels in environment variables, which hold about a megabyte together.
MAX_SOURCE_BYTES = 256 * 1024
_MAX_ELEMENTS = 1 << 28
_MAX_INPUTS = 8
_MAX_BATCH = 4096

_FILE_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,99}\.py", re.ASCII)
_DOTTED = re.compile(r"[A-Za-z_]\w{0,99}(?:\.[A-Za-z_]\w{0,99}){0,9}", re.ASCII)
_SHAPE = re.compile(r"[1-9]\d{0,8}(?:x[1-9]\d{0,8}){0,7}", re.ASCII)
_DTYPE = re.compile(r"(?P<name>[a-z0-9]+)(?::(?P<bound>[1-9]\d{0,8}))?", re.ASCII)
FLOATS = ("float32", "float", "float64", "double", "float16", "bfloat16")
INTEGERS = ("long", "int64", "int", "int32", "uint8")
DTYPES = (*FLOATS, *INTEGERS, "bool")
LOSSES = ("auto", "mean", "cross_entropy")
AMP_DTYPES = ("float16", "bfloat16")


def split(text: str) -> tuple[str, str]:
    """``net.py:build`` → (``net.py``, ``build``). Raises ValueError with a sentence."""
    where, _, factory = text.rpartition(":")
    if not where or not factory:
        raise ValueError(f"{quoted(text)} is not path.py:factory or module:factory, such as net.py:build")
    return where, dotted(factory, "the name of a function or class")


def is_file(where: str) -> bool:
    """Whether the part before the colon names a file rather than a module."""
    return where.endswith(".py") or "/" in where


def from_file(path: Path, factory: str, shape: str, **options: str | None) -> UserModel:
    """A model whose file travels with the probe. Raises ValueError with a sentence for anything wrong with it."""
    if not _FILE_NAME.fullmatch(path.name):
        raise ValueError(f"{quoted(path.name)} is not the name of a Python file: letters, digits and _, then .py")
    try:
        with path.open("rb") as file:
            content = file.read(MAX_SOURCE_BYTES + 1)
    except OSError as error:
        raise ValueError(f"the file {quoted(str(path))} cannot be read: {error.strerror}") from None
    if len(content) > MAX_SOURCE_BYTES:
        raise ValueError(
            f"the file {quoted(str(path))} has more than {MAX_SOURCE_BYTES // 1024} KiB; it travels with the probe, so keep it "
            "small and import the rest from what is installed in the environment (module:factory)"
        )
    _check_defined(content, path.name, factory)
    return UserModel(file=path.name, content=content, module=None, factory=factory, **_input(shape, **options))


def from_module(module: str, factory: str, shape: str, **options: str | None) -> UserModel:
    """A model that is installed inside the environment. Raises ValueError with a sentence."""
    name = dotted(module, "the name of a module")
    return UserModel(file=None, content=None, module=name, factory=factory, **_input(shape, **options))


def dotted(text: str, meant: str = "a name") -> str:
    """A dotted Python name. Raises ValueError."""
    if not _DOTTED.fullmatch(text):
        raise ValueError(f"{quoted(text)} is not {meant}: letters, digits and _, with dots between parts")
    return text


def shapes(text: str) -> str:
    """``1x640x640``, without the batch; several inputs with commas between. Raises ValueError."""
    parts = text.split(",")
    if not all(map(_SHAPE.fullmatch, parts)) or len(parts) > _MAX_INPUTS:
        raise ValueError(f"{quoted(text)} is not a shape such as 3x640x640 (without the batch; several inputs: 3x224x224,16)")
    for part in parts:
        elements = 1
        for size in part.split("x"):
            elements *= int(size)
        if elements > _MAX_ELEMENTS:
            raise ValueError(f"{quoted(part)} has more than {_MAX_ELEMENTS} elements")
    return text


def dtypes(text: str) -> str:
    """``float32``, ``long``, ``long:1000`` (integers below 1000), one for all inputs or one each. Raises ValueError."""
    for part in text.split(","):
        match = _DTYPE.fullmatch(part)
        if not match or match["name"] not in DTYPES:
            raise ValueError(f"{quoted(part)} is not a dtype{suggestion(part, DTYPES)} (the dtypes are {', '.join(DTYPES)})")
        if match["bound"] and match["name"] not in INTEGERS:
            raise ValueError(f"{quoted(part)}: only integers have a bound, such as long:1000")
    return text


def batch(text: str) -> str:
    """Samples in a batch; 0 leaves out the batch dimension. Raises ValueError."""
    if not (text.isascii() and text.isdecimal() and len(text) < 6 and int(text) <= _MAX_BATCH):
        raise ValueError(f"{quoted(text)} is not a number of samples from 0 (no batch dimension) to {_MAX_BATCH}")
    return str(int(text))


def amp_dtype(text: str) -> str:
    """What autocast casts to. Raises ValueError."""
    if text not in AMP_DTYPES:
        raise ValueError(f"{quoted(text)} is not float16 or bfloat16")
    return text


def _input(
    shape: str, dtype: str | None = None, loss: str | None = None, batch_size: str | None = None, amp: str | None = None
) -> dict[str, str | None]:
    checked = {
        "input": shapes(shape),
        "dtype": dtype and dtypes(dtype),
        "loss": loss and dotted(loss, f"{', '.join(LOSSES)}, or the name of a function"),
        "batch": batch_size and batch(batch_size),
        "amp": amp and amp_dtype(amp),
    }
    if dtype and dtype.count(",") > shape.count(","):
        raise ValueError(f"{quoted(dtype)} has more dtypes than {quoted(shape)} has inputs")
    return checked


def _check_defined(content: bytes, name: str, factory: str) -> None:
    """Find now what would otherwise fail in every container: a file that is not Python, or that does not define the factory."""
    try:
        tree = ast.parse(content)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:  # the last two: nested beyond what Python reads
        line = getattr(error, "lineno", None)
        where = f", line {line}" if line else ""
        said = str(getattr(error, "msg", error)) or "nested too deep"
        raise ValueError(f"{name}{where} is not Python: {one_line(said, 200)}") from None
    defined: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            defined.add(node.name)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            defined.add(node.id)
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            defined |= {(alias.asname or alias.name).partition(".")[0] for alias in node.names}
    if factory.partition(".")[0] not in defined and "*" not in defined:
        raise ValueError(f"{name} defines no {quoted(factory)}{suggestion(factory, defined)}")
