"""A place as the rules see it: its GPU found in the facts, its driver parsed, what was left open said."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property

from validator.base.text import did_you_mean, one_line, quoted
from validator.base.versions import Dotted
from validator.facts import Facts
from validator.facts.driver_names import Driver, parse
from validator.facts.gpu_names import closest, find
from validator.facts.rows import Capability, GpuRow
from validator.model import Assumption, AssumptionKind, Missing, MissingKind
from validator.rules.subject import Place

_OTHER_VENDORS = re.compile(
    r"\b(?:radeon|instinct|firepro|amd|ati|mi[0-9]{2,3}[ax]?|gfx[0-9a-f]+|intel|arc|iris|xe|uhd|apple|adreno|mali)\b",
    re.IGNORECASE | re.ASCII,
)


@dataclass
class PlaceView:
    """A place, resolved against the facts. ``view_place`` fills it; nothing changes it after that."""

    gpus: tuple[GpuRow, ...] = ()
    asked: str = ""
    """What the GPU was called."""
    cc: Dotted | None = None
    capability: Capability | None = None
    line: str | None = None
    """Product line, where all candidates share it."""
    platform: str = ""
    """The platform of the only machines that have this GPU; empty where any."""
    vendor: str = ""
    """Whose GPU it is, where it is not NVIDIA's."""
    driver: Driver | None = None
    container: bool | None = None
    open_modules: bool | None = None
    has_gpu: bool = True
    candidates: tuple[Dotted, ...] = ()
    """The capabilities of what the name can mean, where they differ."""
    assumptions: tuple[Assumption, ...] = ()
    missing: tuple[Missing, ...] = ()

    @property
    def no_gpu_given(self) -> bool:
        """Whether neither a name nor a compute capability was given."""
        return not self.asked and self.cc is None

    def assume(self, kind: AssumptionKind, text: str) -> None:
        """Notes what is taken for granted, while the view is made."""
        self.assumptions += (Assumption(kind, text),)

    def lack(self, kind: MissingKind, text: str) -> None:
        """Notes what would have to be known, while the view is made."""
        self.missing += (Missing(kind, text),)

    @cached_property
    def precision(self) -> tuple[object, ...]:
        """All that the rules of precision (fp16, bf16 …) go by: places that are alike in it get the same answer."""
        return self.has_gpu, self.label, self.cc, tuple(row.name for row in self.gpus)

    @cached_property
    def label(self) -> str:
        """``Tesla V100-SXM2-16GB (compute capability 7.0)``."""
        if self.gpus:
            name = self.gpus[0].name if len(self.gpus) == 1 else self.asked
            return f"{name} (compute capability {self.cc})" if self.cc else name
        return f"compute capability {self.cc}" if self.cc else "the GPU"


def view_place(place: Place, facts: Facts) -> PlaceView:
    """Raises ValueError where a value cannot be read (``cc: eight``)."""
    view = PlaceView(container=place.is_container, open_modules=place.open_kernel_modules, has_gpu=place.has_gpu)
    if place.driver is not None:
        view.driver = parse(place.driver, facts)
        if view.driver.assumption:
            view.assume(AssumptionKind.DRIVER_NAME, view.driver.assumption)
    if place.compute_capability is not None:
        view.cc = _capability_of(place.compute_capability)
    if place.gpu is not None:
        _gpu(view, place.gpu, facts)
    if view.cc is not None:
        view.capability = facts.capabilities.get(view.cc.major_minor)
        if view.capability is None:
            view.lack(MissingKind.FACTS, f"compute capability {view.cc} is not in the facts")
    _too_early_for_product(view)
    return view


def _capability_of(text: str) -> Dotted:
    plain = text.strip().casefold().removeprefix("sm_").removeprefix("compute_")
    if plain == text.strip() and plain in ("10", "11", "12", "13"):  # a major: what had 1.0 to 1.3 is long gone
        plain = f"{plain}.0"
    if plain.isdigit() and len(plain) >= 2:
        plain = f"{plain[:-1]}.{plain[-1]}"
    try:
        cc = Dotted(plain)
    except ValueError:
        cc = None
    if cc is None or len(cc.numbers) > 2:
        raise ValueError(f"{quoted(text)} is not a compute capability such as 8.6")
    return cc


def _gpu(view: PlaceView, name: str, facts: Facts) -> None:
    match = find(name, facts)
    shown = view.asked = one_line(name, 80)
    if not match.rows and (other := _OTHER_VENDORS.search(name)):
        view.vendor = other[0]
        return
    if not match.rows:
        if view.cc is not None:
            view.assume(
                AssumptionKind.GPU_NAME, f"GPU {shown!r} is not in the facts: it is judged by its compute capability {view.cc}"
            )
            return
        question = did_you_mean(closest(name, facts))
        otherwise = f"{question} If not, " if question else ""
        view.lack(
            MissingKind.FACTS,
            f"GPU {shown!r} is not in the facts; {otherwise}give its compute capability: --cc X.Y, "
            "which `nvidia-smi --query-gpu=compute_cap --format=csv` shows",
        )
        return
    capabilities = {row.cc for row in match.rows}
    if view.cc is not None and view.cc not in capabilities:
        view.assume(
            AssumptionKind.GPU_NAME,
            f"the compute capability given ({view.cc}) is judged, though the facts have {_list(capabilities)} for {shown!r}",
        )
        return
    view.gpus = match.rows if view.cc is None else tuple(row for row in match.rows if row.cc == view.cc)
    if match.assumption:
        view.assume(AssumptionKind.GPU_NAME, match.assumption)
    if len(capabilities) > 1 and view.cc is None:
        view.candidates = tuple(sorted(capabilities))
        names = ", ".join(f"{row.name} ({row.cc})" for row in match.rows[:8])
        view.lack(
            MissingKind.INPUT,
            f"GPU {shown!r} can be any of {names}, which differ in compute capability; give the whole name or --cc",
        )
        return
    view.cc = view.gpus[0].cc
    lines = {row.line for row in view.gpus}
    view.line = lines.pop() if len(lines) == 1 else None
    hosts = {row.host for row in view.gpus}
    view.platform = hosts.pop() if len(hosts) == 1 else ""


def _too_early_for_product(view: PlaceView) -> None:
    """A product can be newer than its architecture; what the facts know of it is an upper bound, so no fault is made of it."""
    driver, capability = view.driver, view.capability
    firsts = [row.first_driver for row in view.gpus if row.first_driver is not None]
    if driver is None or not firsts or any(driver.reaches(first) for first in firsts):
        return
    if capability is None or capability.first_branch is None or driver.branch >= capability.first_branch:
        view.assume(
            AssumptionKind.NEAREST, f"driver {driver.text} is taken to know {view.label}; the first known to is {min(firsts)}"
        )


def _list(versions: set[Dotted]) -> str:
    return " or ".join(str(version) for version in sorted(versions))
