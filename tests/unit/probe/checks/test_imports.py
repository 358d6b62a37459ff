"""``import``: why torch cannot be imported, what it was built for, and what does not work with it."""

import platform
import sys
from types import ModuleType, SimpleNamespace

import pytest
from judging import verdict

from validator.probe.checks import imports
from validator.probe.context import Context


class Array(list):
    """What numpy gives and takes."""


class FromNumpy:
    def __init__(self, values):
        self.values = values

    def __add__(self, other):
        return FromNumpy([value + other for value in self.values])

    def numpy(self):
        return SimpleNamespace(tolist=lambda: self.values)


@pytest.fixture
def numpy(monkeypatch, torch):
    """numpy 2 and a torch that was built for it."""
    found = ModuleType("numpy")
    found.__version__ = "2.1.3"
    found.arange = lambda count, dtype: [float(value) for value in range(count)] if dtype == "float32" else None
    torch.from_numpy = FromNumpy
    monkeypatch.setitem(sys.modules, "numpy", found)
    return found


@pytest.fixture
def refused(monkeypatch):
    """A torch whose import raises."""

    def put(error):
        def torch(_):
            raise error

        monkeypatch.setattr(Context, "torch", property(torch))
        return imports.run(Context("none", None))

    return put


@pytest.fixture(autouse=True)
def no_compat(monkeypatch, tmp_path):
    monkeypatch.setattr(imports, "COMPAT", str(tmp_path))


# ---------------------------------------------------------------- an import that fails


@pytest.mark.parametrize(
    ("error", "said", "cause"),
    [
        (ModuleNotFoundError("No module named 'torch'", name="torch"), "no module named torch: it is", "python_module_missing"),
        (ModuleNotFoundError("No module named 'yaml'", name="yaml"), "import torch failed: ModuleNotFoundError: No module", None),
        (
            ImportError("libcudart.so.12: cannot open shared object file: No such"),
            "is missing: ImportError",
            "missing_shared_library",
        ),
        (OSError("libcublas.so.11: cannot open shared object file"), "is missing: OSError: libcublas", "missing_shared_library"),
        (ImportError("libtorch.so: undefined symbol: iJIT"), "import torch failed: ImportError", "extension_abi_mismatch"),
        (ImportError("version `GLIBC_2.28' not found"), "import torch failed", "glibc_too_old"),
        (ImportError("version `GLIBCXX_3.4.29' not found (required by"), "import torch failed", "glibc_too_old"),
        (ImportError("version 'CXXABI_1.3.8' not found"), "import torch failed", "glibc_too_old"),
        (OSError("libtorch.so: file too short"), "import torch failed", "install_corrupt"),
        (OSError("invalid ELF header"), "import torch failed", "install_corrupt"),
        (OSError("ELF load command address/offset past end of file"), "import torch failed", "install_corrupt"),
        (OSError("libtorch.so: cannot read file data"), "import torch failed", "install_corrupt"),
        (OSError("wrong ELF class: ELFCLASS32"), "import torch failed", "image_arch_mismatch"),
        (OSError("unexpected reloc type 0x03"), "import torch failed", "image_arch_mismatch"),
    ],
)
def test_why_torch_cannot_be_imported(refused, error, said, cause):
    result = refused(error)
    assert verdict(result) == ("fail", cause)
    assert said in result.message
    assert result.metrics["python_version"] == platform.python_version()
    assert result.metrics["libc"] == imports.libc()


def test_other_errors_of_an_import_are_the_workers_to_tell(refused):
    with pytest.raises(RuntimeError, match="sick"):
        refused(RuntimeError("sick"))


@pytest.mark.parametrize(
    ("parts", "place"),
    [
        ({"__file__": "/app/torch.py", "Tensor": object}, "/app/torch.py"),
        ({"__file__": "/app/torch.py", "__version__": "2.7.1"}, "/app/torch.py"),
        ({"__path__": ["/app/torch"]}, "/app/torch"),
        ({"__file__": None, "__path__": ["/app/torch"]}, "/app/torch"),
        ({}, "an unknown place"),
    ],
)
def test_what_is_not_pytorch_is_told_with_its_place(monkeypatch, parts, place):
    monkeypatch.setattr(Context, "torch", SimpleNamespace(**parts))
    result = imports.run(Context("none", None))
    assert verdict(result) == ("fail", "module_shadowed")
    assert f"at {place} is not PyTorch" in result.message
    assert result.metrics["torch_file"] == place


# ---------------------------------------------------------------- what it was built for


def test_a_torch_that_works_passes_with_what_it_was_built_for(torch, numpy, tmp_path):
    torch.__file__ = "/lib/torch/__init__.py"
    torch.version.debug = False
    torch._C = SimpleNamespace(_GLIBCXX_USE_CXX11_ABI=True, _cuda_getArchFlags=lambda: "sm_80 sm_90 compute_90")
    torch.backends.cudnn.version = lambda: 90501
    (tmp_path / "libcuda.so.550.54.15").touch()
    result = imports.run(Context("none", None))
    assert verdict(result) == ("pass", None)
    assert result.message == f"torch 2.7.1+cu126 (CUDA 12.6), Python {platform.python_version()}"
    assert result.metrics == {
        "torch_version": "2.7.1+cu126",
        "torch_file": "/lib/torch/__init__.py",
        "cuda_runtime": "12.6",
        "debug": False,
        "arch_list": ["sm_80", "sm_90", "compute_90"],
        "cxx11_abi": True,
        "python_version": platform.python_version(),
        "libc": imports.libc(),
        "cudnn_version": 90501,
        "numpy_version": "2.1.3",
        "numpy_bridge": True,
        "compat_driver": "550.54.15",
        "cause": None,
    }


def test_the_oldest_torch_says_less(torch, numpy):
    del torch.backends, torch.version
    result = imports.run(Context("none", None))
    assert verdict(result) == ("pass", None)
    assert "(no CUDA)" in result.message
    for name in ("cuda_runtime", "debug", "arch_list", "cxx11_abi", "cudnn_version", "compat_driver"):
        assert result.metrics[name] is None, name


def sick():
    raise RuntimeError("CUDA driver initialization failed")


@pytest.mark.parametrize(
    ("private", "public", "found"),
    [
        (lambda: "sm_70 sm_75", lambda: ["sm_90"], ["sm_70", "sm_75"]),
        (lambda: "", None, []),
        (lambda: None, None, []),
        (None, lambda: ["sm_90"], ["sm_90"]),
        (None, lambda: [], None),  # without a GPU it does not say
        (None, sick, None),
        (None, None, None),
    ],
)
def test_the_architectures_that_were_compiled_in(torch, private, public, found):
    if private:
        torch._C = SimpleNamespace(_cuda_getArchFlags=private)
    if public:
        torch.cuda.get_arch_list = public
    assert imports._arch_list(torch) == found
    if private is public is None:
        del torch.cuda
        assert imports._arch_list(torch) is None


@pytest.mark.parametrize(
    ("names", "version"),
    [
        ([], None),
        (["libcuda.so.1", "libcuda.so", "libnvidia-ptxjitcompiler.so.550.54.15", "libcuda.so.550.54.15.bak"], None),
        (["libcuda.so.535.161.08", "libcuda.so.1"], "535.161.08"),
        (["libcuda.so.99.2", "libcuda.so.550.54", "libcuda.so.550.7"], "550.54"),
    ],
)
def test_the_newest_driver_of_the_compatibility_libraries(tmp_path, names, version):
    for name in names:
        (tmp_path / name).touch()
    assert imports.compat_driver(str(tmp_path)) == version
    assert imports.compat_driver(str(tmp_path / "absent")) is None


# ---------------------------------------------------------------- what does not work with it


def test_a_cudnn_that_cannot_be_used_is_a_warning_with_its_cause(torch, numpy):
    def version():
        raise RuntimeError("cuDNN version incompatibility")

    torch.backends.cudnn.version = version
    result = imports.run(Context("none", None))
    assert verdict(result) == ("warn", "cudnn_mismatch")
    assert "cuDNN cannot be used: RuntimeError: cuDNN version incompatibility" in result.message
    assert result.metrics["cudnn_version"] is None


@pytest.mark.parametrize(
    ("missing", "said", "cause"),
    [
        ("numpy", "numpy is not installed: Tensor", "python_module_missing"),
        ("numpy.core", "numpy cannot be imported: Import", None),
    ],
)
def test_without_numpy_torch_works_and_that_is_told(torch, numpy, monkeypatch, missing, said, cause):
    real = __import__

    def refuses(name, *more):
        if name == "numpy":
            raise ImportError("no numpy", name=missing)
        return real(name, *more)

    torch.backends.cudnn.version = lambda: 1
    monkeypatch.setattr("builtins.__import__", refuses)
    result = imports.run(Context("none", None))
    monkeypatch.undo()
    assert verdict(result) == ("warn", cause)
    assert said in result.message
    assert (result.metrics["numpy_version"], result.metrics["numpy_bridge"]) == (None, False)


def bridge(error):
    def from_numpy(_):
        raise error

    return from_numpy


@pytest.mark.parametrize(
    ("version", "broken", "said", "cause"),
    [
        ("2.1.3", bridge(RuntimeError("Numpy is not available")), "(RuntimeError: Numpy is not available); a torch", "numpy_abi"),
        ("1.26.4", bridge(RuntimeError("Numpy is not available")), "(RuntimeError: Numpy is not available)", None),
        ("0.9", bridge(TypeError("expected np.ndarray")), "(TypeError: expected np.ndarray)", None),
        ("2.1.3", lambda values: FromNumpy([9.0]), "(values changed on the way); a torch", "numpy_abi"),
    ],
)
def test_a_bridge_to_numpy_that_does_not_hold_is_a_warning(torch, numpy, version, broken, said, cause):
    numpy.__version__, torch.from_numpy = version, broken
    torch.backends.cudnn.version = lambda: 1
    result = imports.run(Context("none", None))
    assert verdict(result) == ("warn", cause)
    assert f"torch 2.7.1+cu126 and numpy {version} do not work together {said}" in result.message
    assert ("needs numpy<2" in result.message) == (cause == "numpy_abi")
    assert (result.metrics["numpy_version"], result.metrics["numpy_bridge"]) == (version, False)


def test_the_first_cause_that_is_known_counts_and_everything_is_told(torch, numpy):
    torch.from_numpy = bridge(RuntimeError("Numpy is not available"))
    torch.backends.cudnn.version = sick
    result = imports.run(Context("none", None))
    assert verdict(result) == ("warn", "cudnn_mismatch")
    assert "cuDNN cannot be used" in result.message
    assert "numpy 2.1.3 do not work" in result.message
    numpy.__version__ = "1.26"
    torch.backends.cudnn.version = lambda: 1
    del numpy.__version__
    assert "numpy of unknown version" in imports.run(Context("none", None)).message
