"""The user's own model: its file or module imported, its factory called, its inputs made.

Whatever goes wrong here is in the user's own code, and the message says so.
"""

import importlib
import importlib.util
import os
import sys
import tempfile
import traceback
import zipfile
from typing import Any, Callable, Dict, List, Optional

from . import layers, nets
from .context import Context, headline
from .loop import dtype_of

#: Where the file lies in the zipapp; the host's probe_host has the same name.
_FOLDER = "validator_model"


class Refused(Exception):
    """The model cannot be loaded; the text says why."""

    def __init__(self, said: str, stage: str, cause: str, **metrics: Any) -> None:
        super().__init__(said)
        self.stage = stage
        """``import`` or ``build``."""
        self.metrics: Dict[str, Any] = dict(metrics, cause=cause)


class Subject:
    """The model on its device, with what it is fed."""

    def __init__(self, model: Any, inputs: List[Any], loss: Callable[[Any], Any], batch: int) -> None:
        self.model = model
        self.inputs = inputs
        self.loss = loss
        self.batch = batch
        self.parameters = sum(weight.numel() for weight in model.parameters())
        self._initial = {name: value.detach().clone() for name, value in model.state_dict().items() if hasattr(value, "detach")}

    def reset(self, modes: bool = True) -> None:
        """The initial weights again, and every layer in training mode."""
        self.model.load_state_dict(self._initial, strict=False)
        if modes:
            self.model.train()


def load(context: Context) -> Subject:
    """Import, build and feed. Raises Refused."""
    torch, asked = context.torch, context.model
    module = _module(asked)
    factory = _attribute(module, asked["factory"], asked)
    torch.manual_seed(nets.SEED)
    try:
        model = factory()
        if isinstance(model, torch.nn.Module):
            model = model.to(context.place)
    except (Exception, SystemExit) as error:  # noqa: BLE001 - the user's code may raise anything
        said, cause = _why_not_built(context, error)
        said = "your factory {} raised {}{}".format(_name(asked), said, place(error, asked))
        raise Refused(said, "build", cause) from error
    if not isinstance(model, torch.nn.Module):
        said = "your factory {} returned a {}, not a torch.nn.Module".format(_name(asked), type(model).__name__)
        raise Refused(said, "build", "user_code_error")
    half = next((name for name, weight in model.named_parameters() if weight.dtype in (torch.float16, _bfloat16(torch))), None)
    if half is not None:
        said = "your model's weights are in half precision ({} is {}): leave out .half(); autocast wants weights in float32"
        dtype = dtype_of(dict(model.named_parameters())[half])
        raise Refused(said.format(half, dtype), "build", "amp_dtype_mismatch", layer=half)
    batch = int(asked.get("batch") or 2)
    inputs = _inputs(context, asked, 0 if asked.get("batch") == "0" else batch)
    loss = _loss(torch, module, asked)
    try:
        return Subject(model, inputs, loss, batch)
    except (RuntimeError, ValueError) as error:  # weights that get their shape from the first input, say
        said = "your model cannot be copied: {}; let the factory run it once on an input".format(headline(error))
        raise Refused(said, "build", "user_code_error") from error


def place(error: BaseException, asked: Dict[str, str]) -> str:
    """`` (net.py, line 12)``: the last line of the user's file that the exception went through; nothing without one."""
    wanted = asked.get("file") or (asked.get("module") or "").replace(".", "/") + ".py"
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename.endswith("/" + wanted)]
    return " ({}, line {})".format(os.path.basename(wanted), frames[-1].lineno) if frames else ""


def _name(asked: Dict[str, str]) -> str:
    return "{}:{}".format(asked.get("file") or asked.get("module"), asked["factory"])


def _module(asked: Dict[str, str]) -> Any:
    try:
        if not asked.get("file"):
            return importlib.import_module(asked["module"])
        folder = tempfile.mkdtemp(prefix="model-")
        path = os.path.join(folder, asked["file"])
        with zipfile.ZipFile(sys.argv[0]) as archive, open(path, "wb") as file:
            file.write(archive.read("{}/{}".format(_FOLDER, asked["file"])))
        if asked.get("folder"):
            sys.path.append(asked["folder"])  # what lies beside the file on this machine
        name = asked["file"].rsplit(".", 1)[0]
        spec = importlib.util.spec_from_file_location(name, path)
        module = importlib.util.module_from_spec(spec)
        sys.modules.setdefault(name, module)  # so that classes of the file can be pickled and found
        spec.loader.exec_module(module)
        return module
    except (Exception, SystemExit) as error:  # noqa: BLE001 - the user's code may raise anything
        what = asked.get("file") or asked.get("module")
        missing = getattr(error, "name", None) if isinstance(error, ImportError) else None
        if missing and isinstance(error, ModuleNotFoundError):
            said = "your {} cannot be imported: there is no module {} in this environment{}"
            said = said.format(what, missing, place(error, asked))
            if asked.get("file"):
                said += "; only the file itself is sent, what it imports must be installed"
            raise Refused(said, "import", "python_module_missing", missing_module=missing) from error
        said = "your {} cannot be imported: {}{}".format(what, headline(error), place(error, asked))
        raise Refused(said, "import", "user_code_error") from error


def _attribute(module: Any, name: str, asked: Dict[str, str]) -> Any:
    found = module
    for part in name.split("."):
        found = getattr(found, part, None)
    if not callable(found):
        others = [each for each in sorted(vars(module)) if callable(getattr(module, each)) and not each.startswith("_")]
        here = ", ".join(others[:8]) or "nothing"
        what = "no" if found is None else "something that cannot be called as"
        said = "there is {} {} in your {} (it has {})".format(what, name, asked.get("file") or asked.get("module"), here)
        raise Refused(said, "import", "user_code_error")
    return found


def _why_not_built(context: Context, error: BaseException) -> Any:
    text = str(error)
    if not context.on_gpu and ("CUDA" in text or "NVIDIA driver" in text):
        said = "{}: it asks for a GPU itself (.cuda()), and this runs on the CPU; leave the device to the caller"
        return said.format(headline(error)), "device_mismatch"
    if "out of memory" in text:
        return headline(error), "out_of_memory"
    return headline(error), "user_code_error"


def _bfloat16(torch: Any) -> Any:
    return getattr(torch, "bfloat16", torch.float16)


def _inputs(context: Context, asked: Dict[str, str], batch: int) -> List[Any]:
    """Tensors of the shapes asked for, a batch in front; integers from 0 to below the bound after the colon."""
    torch = context.torch
    shapes = [tuple(map(int, shape.split("x"))) for shape in asked["input"].split(",")]
    dtypes = (asked.get("dtype") or "float32").split(",")
    dtypes += dtypes[-1:] * (len(shapes) - len(dtypes))
    torch.manual_seed(nets.SEED)
    made = []
    for shape, dtype in zip(shapes, dtypes):
        name, _, bound = dtype.partition(":")
        size = (batch,) + shape if batch else shape
        kind = getattr(torch, {"long": "int64", "int": "int32", "float": "float32", "double": "float64"}.get(name, name))
        if name == "bool":
            tensor = torch.randint(0, 2, size).to(kind)
        elif name in ("long", "int", "int64", "int32", "uint8"):
            tensor = torch.randint(0, int(bound or 2), size, dtype=torch.long).to(kind)
        else:
            tensor = torch.rand(size).to(kind)  # 0 to 1, as images are
        made.append(tensor.to(context.place))
    return made


def _loss(torch: Any, module: Any, asked: Dict[str, str]) -> Callable[[Any], Any]:
    """What turns the model's result into a number to learn from."""
    name = asked.get("loss") or "auto"
    if name not in ("auto", "mean", "cross_entropy"):
        own = _attribute(module, name, asked)
        return lambda result: own(result)

    def floats(result: Any) -> List[Any]:
        found = [tensor for tensor in layers.tensors(torch, result) if tensor.is_floating_point() and tensor.numel()]
        if not found:
            raise TypeError("the model returns no floating-point tensor to make a loss of; name a function with --loss")
        return found

    def squares(result: Any) -> Any:
        return sum(tensor.float().pow(2).mean() for tensor in floats(result))

    def classes(result: Any) -> Any:
        logits = floats(result)[0]
        shape = logits.shape[:1] + logits.shape[2:]
        return torch.nn.functional.cross_entropy(logits, torch.zeros(shape, dtype=torch.long, device=logits.device))

    def auto(result: Any) -> Any:
        given = _own_loss(torch, result)
        return squares(result) if given is None else given

    return {"auto": auto, "mean": squares, "cross_entropy": classes}[name]


def _own_loss(torch: Any, result: Any) -> Optional[Any]:
    """The loss that a model returns itself: a scalar, ``loss`` of a mapping or object, the sum of a mapping of losses."""
    if isinstance(result, torch.Tensor):
        return result if result.dim() == 0 and result.is_floating_point() else None
    loss = result.get("loss") if isinstance(result, dict) else getattr(result, "loss", None)
    if isinstance(loss, torch.Tensor):
        return loss if loss.dim() == 0 else loss.mean()
    if isinstance(result, dict):
        parts = [value for value in result.values() if isinstance(value, torch.Tensor)]
        if parts and all(part.dim() == 0 for part in parts):
            return sum(parts)
    return None
