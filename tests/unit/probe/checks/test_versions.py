"""``versions``: what torch was asked to be, was compiled against and demands, against what is there."""

import platform
from types import SimpleNamespace

import pytest
from judging import verdict

from validator.probe import companions, distributions
from validator.probe.checks import versions
from validator.probe.companions import Fault
from validator.probe.context import Context


@pytest.fixture
def installed(monkeypatch):
    """Distributions: name → (version, what it demands)."""
    found = {}

    class Metadata:
        @staticmethod
        def version(name):
            return found[name][0]

        @staticmethod
        def requires(name):
            return found[name][1]

    monkeypatch.setattr(distributions, "metadata", Metadata)
    return found


@pytest.fixture
def looked(monkeypatch):
    """What a look at torchvision and torchaudio finds, and the places where they were tried."""
    found = SimpleNamespace(faults={}, places=[])

    def look(torch, name, place, metrics):
        found.places.append((name, place))
        return found.faults.get(name, [])

    monkeypatch.setattr(companions, "look", look)
    return found


def with_cudnn(torch, compiled=(9, 5, 1), loaded=(9, 5, 1)):
    cudnn = SimpleNamespace(getCompileVersion=lambda: compiled, getRuntimeVersion=lambda: loaded)
    torch._C = SimpleNamespace(_cudnn=cudnn)
    return torch


# ---------------------------------------------------------------- run


def test_what_fits_together_passes_and_is_told(torch, cpu, installed, looked):
    with_cudnn(torch)
    torch.cuda.nccl = SimpleNamespace(version=lambda: (2, 26, 2))
    installed.update(
        torch=("2.7.1", ["nvidia-cudnn-cu12==9.5.1.17; platform_system == 'Linux'", "triton==3.3.1", "sympy>=1.13", "absent==1"]),
        triton=("3.3.1", []),
        **{"nvidia-cudnn-cu12": ("9.5.1.17", [])},
    )
    result = versions.run(cpu)
    assert verdict(result) == ("pass", None)
    assert result.message == "fit together: cudnn 9.5.1, nccl 2.26.2, triton 3.3.1"
    assert result.metrics == {
        "cudnn_compiled_version": "9.5.1",
        "cudnn_version": "9.5.1",
        "nccl_version": "2.26.2",
        "pins_compared": 2,
        "triton_version": "3.3.1",
    }


def test_a_torch_that_stands_alone_passes(torch, cpu, installed, looked):
    result = versions.run(cpu)
    assert verdict(result) == ("pass", None)
    assert result.message == "nothing beside torch that would have to fit it"
    assert (result.metrics["nccl_version"], result.metrics["triton_version"], result.metrics["pins_compared"]) == (None, None, 0)


def test_another_version_than_torch_demands_is_a_warning_with_both(torch, cpu, installed, looked):
    installed.update(torch=("2.7.1", ["nvidia-nccl-cu12==2.26.2", "triton==3.3.1"]), triton=("3.3.1", []))
    installed["nvidia-nccl-cu12"] = ("2.21.5", [])
    result = versions.run(cpu)
    assert verdict(result) == ("warn", None)
    assert result.message == "torch was built with nvidia-nccl-cu12 2.26.2, installed is 2.21.5"
    assert result.metrics["pins_compared"] == 2


def test_another_cudnn_than_torch_was_compiled_against_is_a_warning_with_its_cause(torch, cpu, installed, looked):
    with_cudnn(torch, loaded=(9, 1, 0))
    result = versions.run(cpu)
    assert verdict(result) == ("warn", "cudnn_mismatch")
    assert result.message == "cuDNN 9.1.0 is loaded, torch is compiled against 9.5.1"
    assert (result.metrics["cudnn_compiled_version"], result.metrics["cudnn_version"]) == ("9.5.1", "9.1.0")


def test_what_was_asked_for_is_compared(torch, installed, looked):
    result = versions.run(Context("cpu", None, {"torch": "2.6.0", "cuda": "12.6.3", "python": platform.python_version()}))
    assert verdict(result) == ("warn", "label_mismatch")
    assert result.message == "not as the matrix says: torch"
    assert (result.metrics["asked_torch"], result.metrics["asked_cuda"]) == ("2.6.0", "12.6.3")


def test_a_companion_that_does_not_work_fails(torch, cpu, installed, looked):
    looked.faults["torchaudio"] = [Fault("torchaudio 2.0 is built for torch 2.0, and torch is 2.7", True)]
    assert verdict(versions.run(cpu)) == ("fail", "torchvision_mismatch")


@pytest.mark.parametrize(("where", "available", "place"), [("cuda", True, "cuda"), ("cuda", False, "cpu"), ("cpu", True, "cpu")])
def test_companions_are_tried_where_torch_computes(torch, installed, looked, where, available, place):
    torch.cuda.is_available = lambda: available
    versions.run(Context(where, None))
    assert looked.places == [("torchvision", place), ("torchaudio", place)]


# ---------------------------------------------------------------- what was asked for


@pytest.mark.parametrize(
    ("asked", "differs"),
    [
        ({"torch": "2.7.1", "cuda": "12.6"}, []),
        ({"torch": "2.7.1+cu126"}, []),
        ({"torch": "2.7.1.0"}, []),
        ({"torch": None, "cuda": None, "python": None}, []),
        ({"torch": "2.7.0"}, ["torch"]),
        ({"torch": "2.7.1+cu128"}, ["torch"]),
        ({"torch": "2.7"}, ["torch"]),
        ({"cuda": "12.6.3"}, []),
        ({"cuda": "12.8"}, ["cuda"]),
        ({"cuda": "12.60"}, ["cuda"]),
        ({"cuda": "cpu"}, ["cuda"]),
        ({"python": ".".join(platform.python_version_tuple()[:2])}, []),
        ({"python": "2.7"}, ["python"]),
        ({"torch": "2.6", "cuda": "11.8", "python": "2.7"}, ["torch", "cuda", "python"]),
    ],
    ids=str,
)
def test_what_was_asked_for_is_compared_with_what_is_inside(torch, asked, differs):
    metrics = {}
    assert versions.not_as_asked(torch, asked, metrics) == differs
    assert metrics == {f"asked_{name}": wanted for name, wanted in asked.items() if wanted is not None}


def test_an_old_releases_long_cuda_version_is_the_one_asked_for(torch):
    torch.__version__, torch.version.cuda = "1.2.0", "10.0.130"
    assert versions.not_as_asked(torch, {"torch": "1.2", "cuda": "10.0"}, {}) == []


def test_a_cpu_build_is_what_was_asked_for_as_cpu(torch):
    torch.version.cuda = None
    assert versions.not_as_asked(torch, {"cuda": "cpu"}, {}) == []
    assert versions.not_as_asked(torch, {"cuda": "12.6"}, {}) == ["cuda"]
    del torch.version.cuda
    assert versions.not_as_asked(torch, {"cuda": "cpu"}, {}) == []


# ---------------------------------------------------------------- libraries


@pytest.mark.parametrize(
    ("compiled_against", "loaded", "fits"),
    [
        ((9, 5, 1), (9, 5, 1), True),
        ((9, 5, 1), (9, 5, 0), True),
        ((9, 1, 0), (9, 10, 2), True),
        ((9, 5, 1), (9, 1, 0), False),
        ((8, 9, 2), (9, 1, 0), False),
        ((9, 1, 0), (8, 9, 7), False),
        (8902, 7605, True),  # the oldest releases have compared these numbers themselves
        ((9, 5, 1), 90501, True),
    ],
)
def test_a_later_minor_version_of_cudnn_serves_and_no_other(torch, compiled_against, loaded, fits):
    assert (versions.cudnn(with_cudnn(torch, compiled_against, loaded), {}) is None) is fits


def test_a_cudnn_that_does_not_say_its_version_is_a_fault_and_none_at_all_is_not(torch):
    def refuses():
        raise RuntimeError("cuDNN version incompatibility: PyTorch was compiled against (9, 1, 0)")

    assert versions.cudnn(torch, {}) is None
    with_cudnn(torch)._C._cudnn.getRuntimeVersion = refuses
    assert versions.cudnn(torch, {}) == (
        "cuDNN does not say its version: RuntimeError: cuDNN version incompatibility: PyTorch was compiled against (9, 1, 0)"
    )
    del torch._C._cudnn.getCompileVersion
    assert versions.cudnn(torch, {}) is None


@pytest.mark.parametrize(("version", "told"), [(2708, "2.7.8"), (2400, "2.4.0"), ((2, 26, 2), "2.26.2"), ((2, 7), "2.7")])
def test_the_version_of_nccl_of_old_and_new_releases(torch, version, told):
    torch.cuda.nccl = SimpleNamespace(version=lambda: version)
    assert versions.nccl(torch) == told


def test_a_build_without_nccl_has_no_version_of_it(torch):
    def refuses():
        raise AttributeError("module 'torch._C' has no attribute '_nccl_version'")

    assert versions.nccl(torch) is None
    torch.cuda.nccl = SimpleNamespace(version=refuses)
    assert versions.nccl(torch) is None


# ---------------------------------------------------------------- the verdict


NCCL = {"nvidia-nccl-cu12": "torch was built with nvidia-nccl-cu12 2.1, installed is 2.2"}
CUDNN = {"nvidia-cudnn-cu12": "torch was built with nvidia-cudnn-cu12 9.1, installed is 9.2"}
OTHER, BROKEN = Fault("torchvision is of another torch", True), Fault("torchvision does not find PIL", False)


@pytest.mark.parametrize(
    ("differing", "cudnn", "packages", "apart", "expected"),
    [
        ([], None, {}, [], ("pass", None)),
        (["torch"], None, {}, [], ("warn", "label_mismatch")),
        (["torch"], None, NCCL, [], ("warn", None)),
        (["torch"], "cuDNN 8 is loaded", {}, [], ("warn", "cudnn_mismatch")),
        ([], "cuDNN 8 is loaded", {}, [], ("warn", "cudnn_mismatch")),
        ([], None, NCCL, [], ("warn", None)),
        ([], None, {**NCCL, **CUDNN}, [], ("warn", "cudnn_mismatch")),
        (["torch"], None, {}, [OTHER], ("fail", "torchvision_mismatch")),
        ([], "cuDNN 8 is loaded", {}, [BROKEN, OTHER], ("fail", "torchvision_mismatch")),
        ([], None, {}, [BROKEN], ("fail", None)),
    ],
)
def test_the_worst_that_does_not_fit_decides(differing, cudnn, packages, apart, expected):
    result = versions.judged({}, differing, cudnn, packages, apart)
    assert verdict(result) == expected
    assert all(said in result.message for said in (*[fault.said for fault in apart], *packages.values(), cudnn or ""))
    assert ("not as the matrix says: torch" in result.message) == bool(differing)


def test_no_more_than_four_faults_are_told_those_of_companions_first():
    result = versions.judged({}, ["torch"], "cuDNN", {"a": "A", "b": "B"}, [Fault("vision", False), Fault("audio", False)])
    assert result.message == "vision; audio; cuDNN; A"
