"""One function a table of the facts: a row of plain text in, its frozen type out. Raises RowError or ValueError."""

from __future__ import annotations

from collections.abc import Mapping

from packaging.version import InvalidVersion, Version

from validator.base.versions import Dotted
from validator.facts import rows
from validator.facts.reader import Origin, Reader, RowError, arch_entries, cuda_version, truth, words


def toolkit(version: str, row: Reader) -> rows.Toolkit:
    """One release of the CUDA toolkit."""
    cuda = row.parsed("cuda", cuda_version)
    return rows.Toolkit(version, cuda, row.optional("linux", Dotted), row.optional("windows", Dotted), row.origin())


def floor(major: str, row: Reader) -> rows.Floor:
    """The floor of a CUDA major."""
    exceptions = {cuda: Dotted(str(driver)) for cuda, driver in row.mapping("exceptions").items()}
    return rows.Floor(int(major), row.parsed("linux", Dotted), row.parsed("windows", Dotted), exceptions, row.origin())


def branch(number: str, row: Reader) -> rows.Branch:
    """One driver branch."""
    cuda = row.parsed("cuda", cuda_version)
    return rows.Branch(int(number), cuda, row.text("kind", ""), row.text("end_of_life", ""), row.origin())


def distribution(name: str, row: Reader) -> rows.Distribution:
    """The driver of a distribution's package."""
    return rows.Distribution(name, row.parsed("branch", int), row.origin())


def compat_lines(_: str, row: Reader) -> tuple[dict[str, frozenset[str]], Origin]:
    """Product lines by what forward compatibility says of them."""
    return {name: frozenset(row.words(name)) for name in ("allowed", "maybe", "refused")}, row.origin()


def compat_base(cuda: str, row: Reader) -> rows.CompatBase:
    """Branches that a compat library may stand on."""
    return rows.CompatBase(cuda_version(cuda), frozenset(int(branch) for branch in row.words("branches")), row.origin())


def gate(cuda: str, row: Reader, brands: Mapping[str, tuple[str, ...]]) -> rows.Gate:
    """The requirement written out as the image's variable has it."""
    alternatives = [f"cuda>={cuda}"]
    for clause in row.many("clauses"):
        if isinstance(clause, dict) and str(clause.get("from", "")).isdigit():
            alternatives.append(f"driver>={clause['from']}")
            continue
        if not isinstance(clause, dict) or str(clause.get("brands")) not in brands:
            raise RowError("clauses", f"each is {{brands: …, branches: […]}} with a set of brand_sets ({', '.join(brands)})")
        named = brands[str(clause["brands"])]
        for number in words(clause.get("branches", []), "clauses"):
            alternatives += [f"brand={brand},driver>={number},driver<{int(number) + 1}" for brand in named]
    return rows.Gate(cuda_version(cuda), " ".join(alternatives), row.origin())


def boundary(ident: str, row: Reader) -> rows.Boundary:
    """One boundary of torch."""
    since = row.parsed("since", Version)
    return rows.Boundary(ident, row.text("name"), since, row.optional("cc", Dotted), row.origin())


def tag_pattern(repository: str, row: Reader) -> rows.TagPattern:
    """How the tags of one family are read."""
    gate, compat = row.parsed("gate", truth), row.parsed("compat", truth)
    return rows.TagPattern(repository, row.text("tag"), gate, compat, row.origin())


def ngc_arch(month: str, row: Reader) -> rows.NgcArch:
    """Code of NGC's builds from a month on."""
    return rows.NgcArch(Dotted(month), arch_entries(list(row.words("arch")), "arch"), row.origin())


def tag(reference: str, row: Reader) -> rows.ImageTag:
    """One image."""
    return rows.ImageTag(reference, row.text("torch", ""), row.text("cuda", ""), row.origin())


def build(cuda: str, reader: Reader) -> rows.Build:
    """One build of a release."""
    arch = {}
    for platform, entries in reader.mapping("arch").items():
        if platform not in rows.PLATFORMS:
            raise RowError("arch", f"{platform!r} is not one of {', '.join(rows.PLATFORMS)}")
        arch[platform] = arch_entries(entries, "arch")
    return rows.Build(
        cuda=cuda_version(cuda),
        arch=arch,
        cudnn=reader.text("cudnn", ""),
        nccl=reader.text("nccl", ""),
        glibc=reader.optional("glibc", Dotted),
        origin=reader.origin(),
    )


def release(version: str, reader: Reader, sources: Mapping[str, tuple[str, str]]) -> rows.Release:
    """One release with its builds."""
    try:
        parsed = Version(version)
    except InvalidVersion:
        raise RowError("", f"{version!r} is not a torch version") from None
    builds = {}
    for cuda, row in reader.mapping("builds").items():
        try:
            builds[cuda] = build(cuda, Reader(row, sources))
        except RowError as error:
            raise RowError(f"builds/{cuda}/{error.field}", error.problem) from None
        except ValueError as error:
            raise RowError(f"builds/{cuda}", str(error)) from None
    return rows.Release(
        version=parsed,
        released=reader.text("released", ""),
        default=reader.text("default"),
        default_other={platform: str(cuda) for platform, cuda in reader.mapping("default_other").items()},
        python=reader.words("python"),
        python_other={name: words(tags, "python_other") for name, tags in reader.mapping("python_other").items()},
        glibc=reader.parsed("glibc", Dotted),
        triton=reader.text("triton", ""),
        unsure=reader.words("unsure"),
        builds=builds,
        origin=reader.origin(),
    )


def gpu(name: str, reader: Reader) -> rows.GpuRow:
    """One product."""
    return rows.GpuRow(
        name=name,
        cc=reader.parsed("cc", Dotted),
        memory_gb=reader.whole("memory_gb"),
        line=reader.choice("line", rows.LINES),
        first_driver=reader.optional("first_driver", Dotted),
        tensor_cores=reader.optional("tensor_cores", truth),
        defects=reader.words("defects"),
        host=reader.choice("host", ("", *rows.PLATFORMS), ""),
        **reader.origins("defect"),
    )


def capability(cc: str, reader: Reader) -> rows.Capability:
    """One compute capability."""
    return rows.Capability(
        cc=Dotted(cc),
        architecture=reader.text("architecture"),
        first_toolkit=reader.parsed("first_toolkit", cuda_version),
        last_toolkit=reader.optional("last_toolkit", cuda_version),
        first_branch=reader.optional("first_branch", int),
        last_branch=reader.optional("last_branch", int),
        last_cudnn=reader.whole("last_cudnn"),
        features=frozenset(reader.words("features")),
        open_modules=reader.choice("open_modules", ("no", "optional", "required")),
        jetson=reader.choice("jetson", ("true", "false"), "false") == "true",
        **reader.origins("branch", "cudnn", "feature"),
    )
