"""Whether there is such a build, and what its wheel wants of Python and the C library."""

from __future__ import annotations

from packaging.version import Version

from validator.base.versions import channel_of
from validator.facts import Facts
from validator.model import MissingKind
from validator.rules.answer import NOTHING, Answer, fail, found, lacking
from validator.rules.builds import either
from validator.rules.subject_view import SubjectView


def known(view: SubjectView, facts: Facts) -> Answer:
    """A torch outside the facts is judged by what does not depend on its row, and that is not enough for a pass."""
    if view.torch is None or view.release is not None or view.arch is not None or view.is_cpu:
        return NOTHING
    if Version(view.torch.public) > facts.newest_torch:
        return lacking(
            MissingKind.FACTS,
            f"torch {view.torch} is newer than the facts (up to {facts.newest_torch}): what it is built for is not known; "
            "the rules of driver and toolkit still hold",
        )
    if view.from_source:
        text = f"torch {view.torch} is no release of PyTorch: what it has code for is not known before it is opened"
        return lacking(MissingKind.IMAGE, text)
    return lacking(MissingKind.FACTS, f"torch {view.torch} is not in the facts")


def build(view: SubjectView, facts: Facts) -> Answer:
    """A CUDA build that PyTorch never published for a release. Source: PyTorch's channels (the facts' ``releases``)."""
    release, cuda = view.release, view.cuda
    if release is None or cuda is None or view.build is not None or view.from_source or view.arch is not None:
        return NOTHING
    have = ", ".join(release.builds) + ", cpu"
    if cuda.text in release.unsure:
        return lacking(MissingKind.FACTS, f"no source says whether torch {release.version} was published for CUDA {cuda}")
    others = [str(row.version) for row in facts.releases.values() if cuda.text in row.builds]
    remedy = [f"use {', '.join(channel_of(name) for name in release.builds)} with torch {release.version}"]
    if others:
        nearest = min(others, key=lambda version: _distance(Version(version), release.version, facts))
        remedy.append(f"use torch {nearest}, which has {channel_of(cuda.text)}")
    remedy.append(f"where CUDA {cuda} is what nvidia-smi shows, it is the driver's: give it as the driver (CUDA {cuda})")
    return found(
        fail(
            "build_not_published",
            f"torch {release.version} was never published for CUDA {cuda}",
            f"asked for: {channel_of(cuda.text)}; published: {have}",
            remedy="; or ".join(remedy),
            source=release.origin,
        )
    )


def _distance(one: Version, other: Version, facts: Facts) -> int:
    order = list(facts.releases)
    return abs(order.index(one) - order.index(other))


def python(view: SubjectView, facts: Facts, *, wheel: bool) -> Answer:
    """A wheel exists for some Pythons only. What is installed already has shown that it does. Source: the package index."""
    release, wanted = view.release, view.python
    if not wheel or wanted is None or view.torch is None or view.from_source:
        return NOTHING
    if release is None:
        return NOTHING
    tags = release.python_on(view.platform)
    if wanted in tags:
        return NOTHING
    order = list(facts.releases.values())
    here = order.index(release)
    fitting = [row for row in order if wanted in row.python_on(view.platform)]
    near = min(fitting, key=lambda row: abs(order.index(row) - here), default=None)
    return found(
        fail(
            "python_version_unsupported",
            f"torch {release.version} has no wheel for Python {wanted} on {view.platform}",
            f"asked for: Python {wanted}; wheels: {', '.join(tags) or 'none'}",
            remedy=either(
                f"use Python {nearest}" if (nearest := _nearest_python(wanted, tags)) else None,
                f"use torch {near.version}, which has one" if near else None,
            ),
            source=release.origin,
        )
    )


def _nearest_python(wanted: str, tags: tuple[str, ...]) -> str | None:
    def minor(tag: str) -> int:
        return int(tag.rstrip("t").split(".")[1]) + 100 * (int(tag.split(".")[0]) - 3)

    return min((tag for tag in tags if not tag.endswith("t")), key=lambda tag: abs(minor(tag) - minor(wanted)), default=None)


def libc(view: SubjectView, *, wheel: bool) -> Answer:
    """The wheels need a glibc; that of the image counts, not the host's. Source: the wheels' manylinux tags."""
    if view.libc is None or view.release is None or not wheel:
        return NOTHING
    need = view.build.glibc if view.build is not None and view.build.glibc is not None else view.release.glibc
    if view.libc >= need:
        return NOTHING
    return found(
        fail(
            "glibc_too_old",
            f"the wheels of torch {view.release.version} need a newer C library than the image has",
            f"glibc {view.libc} < {need}",
            remedy=f"use an image with glibc {need} or newer (Debian 11, Ubuntu 20.04, RHEL 8), or an older torch",
            source=view.release.origin,
        )
    )
