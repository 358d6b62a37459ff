"""torchvision and torchaudio, as modules that are found, refuse to be imported, or do not work."""

import importlib
import sys
import warnings
from types import ModuleType, SimpleNamespace

import pytest

from validator.probe import companions, distributions


@pytest.fixture
def packages(monkeypatch):
    """Puts a module in place of torchvision or torchaudio; what its metadata says can be given."""
    described = {}
    monkeypatch.setattr(distributions, "version", lambda name: described.get(name, (None, {}))[0])
    monkeypatch.setattr(distributions, "pins", lambda name: described.get(name, (None, {}))[1])

    def put(name, described_as=None, pins=(), cuda=None, **parts):
        module = ModuleType(name)
        vars(module).update(parts, version=SimpleNamespace(cuda=cuda))
        described[name] = (described_as, dict(pins))
        monkeypatch.setitem(sys.modules, name, module)

    return put


@pytest.fixture
def refusing(monkeypatch, packages):
    """A package whose import raises, or warns."""

    def put(name, error=None, warning=None, **more):
        packages(name, **more)

        def import_module(asked):
            if warning:
                warnings.warn(warning, stacklevel=1)
            if error:
                raise error
            return importlib.import_module(asked)

        monkeypatch.setattr(companions, "importlib", SimpleNamespace(import_module=import_module))

    return put


def told(torch, name, device="cpu", metrics=None):
    """The sentences about a companion."""
    return [fault.said for fault in companions.look(torch, name, device, {} if metrics is None else metrics)]


def ops_of(torch, kept=(0, 2)):
    def nms(boxes, scores, threshold):
        assert boxes.device == scores.device
        assert threshold == 0.5
        return torch.tensor(list(kept)).to(boxes.device)

    return SimpleNamespace(nms=nms)


def test_one_that_is_not_installed_is_no_fault(torch, refusing):
    refusing("torchvision", ModuleNotFoundError("No module named 'torchvision'", name="torchvision"))
    metrics = {}
    assert told(torch, "torchvision", "cpu", metrics) == []
    assert metrics == {"torchvision_version": None}


def test_one_that_fits_has_no_fault_and_is_described(torch, packages):
    packages(
        "torchvision",
        pins={"torch": "2.7.1"},
        __version__="0.22.1+cu126",
        cuda="12.6",
        ops=ops_of(torch),
    )
    metrics = {}
    assert told(torch, "torchvision", "cuda", metrics) == []
    assert metrics == {"torchvision_version": "0.22.1+cu126", "torchvision_cuda": "12.6"}


def test_its_version_is_its_own_else_that_of_its_metadata(torch, packages):
    metrics = {}
    packages("torchaudio", described_as="2.7.1")
    told(torch, "torchaudio", "cpu", metrics)
    assert metrics == {"torchaudio_version": "2.7.1", "torchaudio_cuda": None}
    packages("torchaudio")
    told(torch, "torchaudio", "cpu", metrics)
    assert metrics["torchaudio_version"] == "of unknown version"


@pytest.mark.parametrize(
    ("pin", "version", "fault"),
    [
        ("2.7.1", "2.7.1+cu126", None),
        ("2.7.1+cu126", "2.7.1+cu118", None),  # the local part of the pin is not torch's matter
        ("2.6.0", "2.7.1+cu126", "torchaudio 2.6.0 is built for torch 2.6.0, and torch is 2.7.1+cu126"),
    ],
)
def test_a_pin_on_another_torch_is_a_fault(torch, packages, pin, version, fault):
    torch.__version__ = version
    packages("torchaudio", pins={"torch": pin}, __version__="2.6.0")
    assert told(torch, "torchaudio", "cpu", {}) == ([fault] if fault else [])


@pytest.mark.parametrize(
    ("theirs", "ours", "fault"),
    [
        ("12.1", "12.6", False),
        ("11.8", "12.6", True),
        (None, "12.6", False),
        ("12.6", None, False),
    ],
)
def test_cuda_of_another_major_version_is_a_fault(torch, packages, theirs, ours, fault):
    torch.version.cuda = ours
    packages("torchaudio", cuda=theirs, __version__="2")
    found = told(torch, "torchaudio", "cpu", {})
    assert found == (["torchaudio is built for CUDA 11.8, torch for 12.6"] if fault else [])


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (RuntimeError("operator torchvision::nms does not exist"), "RuntimeError: operator torchvision::nms does not exist"),
        (ImportError("No module named 'PIL'", name="PIL"), "ImportError: No module named 'PIL'"),
        (OSError("libtorch_cuda.so: undefined symbol"), "OSError: libtorch_cuda.so: undefined symbol"),
    ],
)
def test_one_that_cannot_be_imported_says_why_and_for_which_torch_it_is(torch, refusing, error, said):
    refusing("torchvision", error, described_as="0.18", pins={"torch": "2.3.0"})
    metrics = {}
    assert told(torch, "torchvision", "cpu", metrics) == [
        f"torchvision 0.18 cannot be imported: {said}",
        "torchvision 0.18 is built for torch 2.3.0, and torch is 2.7.1+cu126",
    ]
    assert metrics == {"torchvision_version": "0.18"}


def test_the_first_reason_of_a_chain_is_told(torch, refusing):
    first = OSError("libcudart.so.11: cannot open shared object file")
    second = RuntimeError("no operators")
    second.__cause__ = first
    last = ImportError("torchaudio is broken")
    last.__cause__ = second
    refusing("torchaudio", last)
    (fault,) = told(torch, "torchaudio", "cpu", {})
    assert fault == "torchaudio of unknown version cannot be imported: OSError: libcudart.so.11: cannot open shared object file"


def test_an_operator_of_torchvision_that_keeps_other_boxes_or_raises_is_a_fault(torch, packages):
    packages("torchvision", __version__="0.22", ops=ops_of(torch, (0, 1, 2)))
    assert told(torch, "torchvision", "cuda", {}) == ["torchvision.ops.nms keeps boxes [0, 1, 2], not [0, 2]"]
    packages("torchvision", __version__="0.22", ops=SimpleNamespace())
    (fault,) = told(torch, "torchvision", "cuda", {})
    assert fault.startswith("torchvision.ops.nms does not run: AttributeError")
    packages("torchaudio", __version__="2", ops=SimpleNamespace())
    assert told(torch, "torchaudio", "cuda", {}) == []


def test_nms_runs_on_the_device_on_boxes_of_which_the_weaker_of_an_overlapping_pair_goes(torch, packages):
    seen = []

    def nms(boxes, scores, threshold):
        seen.append((boxes.device, scores.device))

        def overlap(a, b):
            width, height = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
            inside = max(width, 0) * max(height, 0)
            return inside / (sum((box[2] - box[0]) * (box[3] - box[1]) for box in (a, b)) - inside)

        kept = []
        for index in sorted(range(len(scores)), key=lambda index: -scores.tolist()[index]):
            if all(overlap(boxes.tolist()[index], boxes.tolist()[other]) <= threshold for other in kept):
                kept.append(index)
        return torch.tensor(kept)

    packages("torchvision", __version__="0.22", ops=SimpleNamespace(nms=nms))
    assert told(torch, "torchvision", "cuda", {}) == []
    assert seen == [("cuda", "cuda")]


def test_images_that_torchvision_cannot_read_are_told_once(torch, refusing):
    refusing("torchvision", warning="Failed to load image Python extension: libjpeg", __version__="0.22", ops=ops_of(torch))
    assert told(torch, "torchvision", "cpu", {}) == ["UserWarning: Failed to load image Python extension: libjpeg"]
    refusing("torchvision", warning="something else", __version__="0.22", ops=ops_of(torch))
    assert told(torch, "torchvision", "cpu", {}) == []


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (RuntimeError("operator torchvision::nms does not exist"), True),
        (RuntimeError("Couldn't load custom C++ ops."), True),
        (NotImplementedError("Could not run 'torchvision::nms' with arguments from the 'CUDA' backend"), True),
        (OSError("libtorchaudio.so: undefined symbol: _ZNK3c10"), True),
        (AttributeError("module 'torch' has no attribute 'x': 'Module' object has no attribute 'x'"), True),
        (ImportError("No module named 'PIL'", name="PIL"), False),
    ],
    ids=str,
)
def test_a_package_of_another_torch_is_told_from_one_that_lacks_something_else(torch, packages, refusing, error, expected):
    def nms(*_):
        raise error

    packages("torchvision", __version__="0.22", ops=SimpleNamespace(nms=nms))
    ((_, other),) = companions.look(torch, "torchvision", "cpu", {})
    assert other is expected
    refusing("torchvision", error, described_as="0.22")
    ((said, other),) = companions.look(torch, "torchvision", "cpu", {})
    assert other is expected
    assert said.startswith("torchvision 0.22 cannot be imported: ")


def test_a_pin_and_a_cuda_of_its_own_show_another_torch_and_other_boxes_do_not(torch, packages):
    packages("torchvision", pins={"torch": "2.6.0"}, cuda="11.8", __version__="0.21", ops=ops_of(torch, (0,)))
    assert [fault.other_torch for fault in companions.look(torch, "torchvision", "cpu", {})] == [True, True, False]
