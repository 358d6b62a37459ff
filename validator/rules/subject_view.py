"""A subject as the rules see it: names resolved, versions parsed, what was left open filled in and said so."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cached_property

from packaging.version import Version

from validator.base.text import quoted
from validator.base.versions import Dotted, cuda_of, cuda_of_channel, torch_version
from validator.facts import Facts
from validator.facts.image_names import ImageFacts, gate_of, read_image
from validator.facts.rows import PLATFORMS, Build, Release
from validator.model import Assumption, AssumptionKind, Basis, Missing, MissingKind
from validator.rules.subject import Inspected, Subject

_PYTHON = re.compile(r"(?:python ?)?([0-9]+\.[0-9]+)(?:\.[0-9]+(?:(?:a|b|rc)[0-9]+)?\+?)?(t?)", re.ASCII | re.IGNORECASE)
_PYTHON_TAG = re.compile(r"cp([0-9])([0-9]{1,2})(t?)", re.ASCII)
_NUMBERS = re.compile(r"[0-9]+(?:\.[0-9]+)+", re.ASCII)
_OTHER_ACCELERATOR = re.compile(r"rocm|xpu", re.IGNORECASE)
_ACCELERATORS = {"rocm": "ROCm", "xpu": "XPU"}
_NOTHING_INSIDE = Inspected()


@dataclass
class SubjectView:
    """An environment, resolved against the facts. ``view_subject`` fills it; nothing changes it after that."""

    platform: str
    torch: Version | None = None
    level: Version | None = None
    """What torch can do is that of this version: for anything before a release, the release it leads to (2.7.0.dev… is 2.7.0)."""
    release: Release | None = None
    """The row of the facts; None for a torch they do not have."""
    cuda: Dotted | None = None
    is_cpu: bool = False
    accelerator: str = ""
    """``ROCm`` or ``XPU`` for a build for other GPUs than NVIDIA's; ``is_cpu`` is true of it too, as it has no CUDA."""
    build: Build | None = None
    arch: tuple[str, ...] | None = None
    """What torch has code for; None where nobody knows."""
    arch_from: str = ""
    python: str | None = None
    libc: Dotted | None = None
    numpy: Version | None = None
    image: ImageFacts = field(default_factory=ImageFacts)
    requirement: str | None = None
    """The container gate; None where no gate is known of."""
    requirement_from: str = ""
    requirement_in_part: bool = False
    """Whether the gate may have alternatives that the facts do not have."""
    requirement_assumed: bool = False
    """Whether the gate is only assumed, because a CUDA version alone is taken for an image of nvidia/cuda."""
    has_compat: bool | None = None
    compat_driver: Dotted | None = None
    """The driver its compat library is of, where that was read."""
    compat_on_path: bool = False
    needs: frozenset[str] = frozenset()
    from_source: bool = False
    """A torch that was compiled by somebody else than PyTorch (NGC, a nightly, a local version)."""
    basis: Basis = Basis.PREDICTED
    assumptions: tuple[Assumption, ...] = ()
    missing: tuple[Missing, ...] = ()

    def assume(self, kind: AssumptionKind, text: str) -> None:
        """Notes what is taken for granted, while the view is made."""
        self.assumptions += (Assumption(kind, text),)

    def lack(self, kind: MissingKind, text: str) -> None:
        """Notes what would have to be known, while the view is made."""
        self.missing += (Missing(kind, text),)

    @cached_property
    def precision(self) -> tuple[object, ...]:
        """All that the rules of precision (fp16, bf16 …) go by: subjects that are alike in it get the same answer."""
        return str(self.torch), self.cuda, self.is_cpu, self.needs

    @cached_property
    def label(self) -> str:
        """``torch 2.7.1 for CUDA 12.8``."""
        torch = f"torch {self.torch}" if self.torch else "torch"
        if self.accelerator:
            return f"{torch} built for {self.accelerator}"
        if self.is_cpu:
            return f"{torch} built without CUDA"
        return f"{torch} for CUDA {self.cuda}" if self.cuda else torch


def view_subject(subject: Subject, facts: Facts) -> SubjectView:
    """Raises ValueError where a value cannot be read (``torch banana``)."""
    if subject.platform not in PLATFORMS:
        raise ValueError(f"{quoted(subject.platform)} is not a platform: {', '.join(PLATFORMS)}")
    inside = subject.inspected or _NOTHING_INSIDE
    view = SubjectView(platform=subject.platform, needs=frozenset(subject.needs))
    if subject.inspected is not None:
        view.basis = Basis.INSPECTED
    if subject.image:
        view.image = read_image(subject.image, facts)
        for said in view.image.assumptions:
            view.assume(AssumptionKind.IMAGE_NAME, said)
    _torch(view, inside.torch or subject.torch or view.image.torch, facts)
    _cuda(view, inside, subject)
    _code(view, inside)
    _python_and_libraries(view, inside, subject)
    _container(view, inside)
    if view.torch is None and not view.is_cpu:
        _without_torch(view, subject, facts)
    return view


def _without_torch(view: SubjectView, subject: Subject, facts: Facts) -> None:
    """An image whose name does not tell what is inside, or a CUDA version alone, by which people mean an image of nvidia/cuda."""
    if view.cuda is None:
        if subject.image is not None and subject.inspected is None:
            view.lack(
                MissingKind.IMAGE, f"what torch and CUDA are in {subject.image}: open it (--inspect), or say --torch and --cuda"
            )
        return
    if subject.image is None and subject.inspected is None and view.platform != "windows":
        gate = gate_of(view.cuda.major_minor, facts)
        view.requirement, view.requirement_in_part = _gate_on(view.platform, gate.requirement), gate.in_part
        view.requirement_from = str(gate.origin) if gate.origin else ""
        view.requirement_assumed = view.has_compat = True
        view.assume(
            AssumptionKind.DEFAULT,
            f"no torch is given: CUDA {view.cuda} is taken for an image of nvidia/cuda, with its gate; a compat library in it is "
            "not counted on (--image names the image)",
        )


def _torch(view: SubjectView, text: str | None, facts: Facts) -> None:
    if text is None:
        return
    view.torch = torch_version(text)
    public = Version(view.torch.public)
    view.level = Version(public.base_version)
    in_part = len(public.release) < 3
    view.release = facts.releases.get(public) if not in_part else None
    if view.release is not None:
        return
    if public.is_prerelease:
        _not_a_release(view, public, facts)
        return
    same_minor = [row for version, row in facts.releases.items() if version.release[:2] == public.release[:2]]
    if same_minor:
        nearest = min(same_minor, key=lambda row: abs(row.version.micro - public.micro))
        view.release = same_minor[-1] if in_part else nearest
        view.assume(
            AssumptionKind.NEAREST, f"torch {public} is judged as {view.release.version}, the nearest release in the facts"
        )


def _not_a_release(view: SubjectView, public: Version, facts: Facts) -> None:
    """A nightly is near its release; a build of NGC is known by its commit; anything else is not known before it is opened."""
    base = facts.releases.get(Version(public.base_version))
    if base is not None and (public.is_devrelease or (public.pre or ("",))[0] == "rc"):
        view.release = base
        return
    view.from_source = True
    row = next((row for row in facts.tags.values() if row.torch == str(view.torch)), None) if public != view.torch else None
    if row is not None and view.image == ImageFacts():
        view.image = read_image(row.reference, facts)
        view.assume(AssumptionKind.NEAREST, f"torch {view.torch} is the one of {row.reference}")


def _cuda(view: SubjectView, inside: Inspected, subject: Subject) -> None:
    local = view.torch.local if view.torch is not None else None
    stated = inside.cuda or _of_local(local) or subject.cuda or view.image.cuda
    if stated is None and view.release is not None and not view.from_source:
        stated = view.release.default_on(view.platform)
        what = "the CPU build" if stated == "cpu" else f"the build for CUDA {stated}"
        view.assume(
            AssumptionKind.DEFAULT,
            f"no CUDA build is given: {what} is judged, which `pip install torch` gives on {view.platform}",
        )
    if stated is None:
        return
    if other := _OTHER_ACCELERATOR.match(stated):
        view.accelerator = _ACCELERATORS[other[0].casefold()]
    if stated.casefold() in ("cpu", "none") or other:
        view.is_cpu = True
        return
    view.cuda = cuda_of(_whole(view, stated))
    if view.release is not None:
        view.build = view.release.builds.get(view.cuda.major_minor)
    if view.build is None and view.torch is not None and view.torch.is_prerelease:
        view.from_source, view.release = True, None  # nightlies come for other CUDA versions than the release
    elif view.build is not None and view.torch is not None and view.torch.is_prerelease:
        view.assume(AssumptionKind.NEAREST, f"torch {view.torch} is taken to be built like its release, {view.level}")


def _whole(view: SubjectView, stated: str) -> str:
    """The build that a CUDA major alone (``12``) means: pip's default where it is of that major, else the newest."""
    if not (stated.isdigit() and len(stated) <= 2) or view.release is None:
        return stated
    builds = [build for build in view.release.builds.values() if build.cuda.numbers[0] == int(stated)]
    default = next((build for build in builds if build.cuda.text == view.release.default), None)
    chosen = default or max(builds, key=lambda build: build.cuda, default=None)
    if chosen is None:
        return stated
    view.assume(
        AssumptionKind.DEFAULT, f"CUDA {stated} is taken for {chosen.cuda}, of the builds of torch {view.release.version}"
    )
    return chosen.cuda.text


def _of_local(local: str | None) -> str | None:
    """``cu121``, ``cpu`` and ``rocm6.0`` of 2.1.0+cu121, 2.13.0+cpu and 2.3.0+rocm6.0."""
    if local is None:
        return None
    if local.startswith("cpu"):
        return "cpu"
    if _OTHER_ACCELERATOR.match(local):
        return local
    return cuda_of_channel(local)


def _code(view: SubjectView, inside: Inspected) -> None:
    """What torch has code for: as read inside, as the image's family is built, or as the facts have it for the wheel."""
    if view.is_cpu:
        return
    if inside.arch_list:
        view.arch, view.arch_from = inside.arch_list, "read inside the environment"
    elif view.image.arch is not None:
        view.arch, view.arch_from = view.image.arch, view.image.arch_from
        view.from_source = True
    elif view.build is not None:
        view.arch = view.build.arch.get(view.platform)
        view.arch_from = str(view.build.origin)
        if view.arch is None and view.platform == "windows" and "linux_x86_64" in view.build.arch:
            view.arch = view.build.arch["linux_x86_64"]
            view.assume(AssumptionKind.NEAREST, f"the Windows wheel of {view.label} is taken to have the code of the Linux wheel")


def _python_and_libraries(view: SubjectView, inside: Inspected, subject: Subject) -> None:
    python = inside.python or subject.python
    if python is not None:
        view.python = python_of(python)
    libc = inside.libc or subject.libc
    if libc is not None and "musl" not in libc.casefold() and (found_libc := _NUMBERS.search(libc)):
        view.libc = Dotted(found_libc[0])
    elif libc is None:
        view.libc = view.image.libc
    numpy = inside.numpy or subject.numpy
    if numpy is not None:
        view.numpy = torch_version(numpy)


def python_of(text: str) -> str:
    """``3.12``, ``3.13t`` from what people write (``3.12.4``, ``cp312``). Raises ValueError."""
    if tag := _PYTHON_TAG.fullmatch(text.strip()):
        return f"{tag[1]}.{tag[2]}{tag[3]}"
    found = _PYTHON.fullmatch(text.strip())
    if found is None:
        raise ValueError(f"{quoted(text)} is not a Python version such as 3.12")
    return found[1] + found[2].casefold()


def _container(view: SubjectView, inside: Inspected) -> None:
    view.compat_on_path = inside.compat_on_path
    view.has_compat = inside.has_compat_libs if inside.has_compat_libs is not None else view.image.compat
    view.compat_driver = _read_version(inside.compat_driver)
    if inside.disable_require:
        view.assume(AssumptionKind.CONTAINER, "the image sets NVIDIA_DISABLE_REQUIRE: its container gate is off")
    elif inside.require_cuda is not None:
        view.requirement, view.requirement_from = inside.require_cuda or None, "NVIDIA_REQUIRE_CUDA of the image"
    elif view.image.requirement is not None:
        view.requirement, view.requirement_from = _gate_on(view.platform, view.image.requirement), view.image.requirement_from
        view.requirement_in_part = view.image.requirement_in_part


def _read_version(text: str | None) -> Dotted | None:
    """A version as it was found in a file's name; None where that does not name one."""
    try:
        return Dotted(text) if text is not None else None
    except ValueError:
        return None


def _gate_on(platform: str, requirement: str) -> str:
    """Images for ARM have the plain condition on CUDA, no alternatives."""
    return requirement.split(" ")[0] if platform == "linux_aarch64" else requirement
