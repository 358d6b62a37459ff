"""The shipped facts hold together: order, ranges, and every row that another row points to."""

from __future__ import annotations

import re
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest
import yaml

from validator.base.errors import InvalidInputError
from validator.base.versions import Dotted
from validator.facts import Facts, load
from validator.facts.loader import FOLDER, TABLES
from validator.facts.reader import CONFIDENCES
from validator.facts.rows import FEATURES, PLATFORMS
from validator.rules.code import parse

DATE = re.compile(r"20[0-9]{2}-[0-9]{2}(-[0-9]{2})?")


@pytest.fixture(scope="module")
def facts() -> Facts:
    return load()


def _rows(node: object) -> list[dict[str, object]]:
    """Every mapping that has a source, at any depth."""
    found = []
    if isinstance(node, dict):
        if "source" in node:
            found.append(node)
        for value in node.values():
            found += _rows(value)
    elif isinstance(node, list):
        for value in node:
            found += _rows(value)
    return found


def test_every_row_has_a_source_with_a_date_and_a_confidence(facts: Facts) -> None:
    rows = _rows(dict(facts.raw))
    assert len(rows) > 700
    assert all(row["confidence"] in CONFIDENCES for row in rows)
    for name in sorted(set(TABLES.values())):
        text = (FOLDER / f"{name}.yaml").read_text(encoding="utf-8")
        dates = re.findall(r"^  [a-z0-9.-]+: \{what: .*?, date: ([^,}]+)\}$", text, re.MULTILINE)
        assert dates, name
        assert all(DATE.fullmatch(date) for date in dates), (name, dates)


def test_the_sources_of_a_file_stand_at_its_top_where_they_are_read_without_its_tables(facts: Facts) -> None:
    dates = []
    for table, name in TABLES.items():
        whole = yaml.load((FOLDER / f"{name}.yaml").read_text(encoding="utf-8"), Loader=yaml.BaseLoader)["sources"]  # noqa: S506
        assert facts.raw.sources(table) == {key: (row["what"], row["date"]) for key, row in whole.items()}
        dates += [row["date"] for row in whole.values()]
    assert facts.as_of == max(dates)


def test_a_question_reads_only_the_files_it_touches() -> None:
    program = (
        "from validator.facts import load, loader\n"
        "asked, read = load(), loader._shipped\n"
        "asked.as_of, asked.gpus['Tesla T4'].cc\n"
        "print(read.cache_info().currsize)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "1"


def test_a_table_is_the_same_object_every_time_and_rows_are_found_by_their_own_key(facts: Facts) -> None:
    for table in ("toolkits", "floors", "branches", "capabilities", "gpus", "releases", "boundaries", "tags"):
        assert getattr(facts, table) is getattr(facts, table)
    assert all(row.major == key for key, row in facts.floors.items())
    assert all(row.number == key for key, row in facts.branches.items())
    assert all(row.version == key for key, row in facts.releases.items())
    assert facts.newest_torch == list(facts.releases)[-1]
    assert facts.newest_branch == sorted(facts.branches)[-1]
    months = [row.month for row in facts.ngc_arch]
    assert months == sorted(months)


def test_toolkit_drivers_rise_with_the_toolkit(facts: Facts) -> None:
    for platform in ("linux", "windows"):
        known = [row for row in facts.toolkits.values() if getattr(row, platform) is not None]
        ordered = sorted(known, key=lambda row: Dotted(row.version))
        for one, other in pairwise(ordered):
            assert getattr(one, platform) <= getattr(other, platform), (platform, one.version, other.version)
    assert all(row.version.startswith(row.cuda.text + ".") for row in facts.toolkits.values())


def test_a_floor_is_not_above_the_first_toolkit_of_its_major(facts: Facts) -> None:
    for major, floor in facts.floors.items():
        first = min(row.linux for row in facts.toolkits.values() if row.cuda.numbers[0] == major and row.linux is not None)
        lowest = min([floor.linux, *floor.exceptions.values()])
        assert lowest <= first, major
        assert floor.linux.numbers[0] in facts.branches


def test_branches_know_ever_newer_cuda(facts: Facts) -> None:
    ordered = sorted(facts.branches.values(), key=lambda row: row.number)
    for one, other in pairwise(ordered):
        assert one.cuda <= other.cuda, (one.number, other.number)
    assert all(re.fullmatch(r"(20[0-9]{2}-[01][0-9])?", row.end_of_life) for row in ordered)
    # R565 shows 12.7, of which there was no toolkit.
    cudas = {Dotted("12.7"), *(row.cuda for row in facts.toolkits.values())}
    assert all(row.cuda in cudas for row in ordered)


def test_every_cuda_that_another_table_names_is_a_toolkit(facts: Facts) -> None:
    cudas = {row.cuda for row in facts.toolkits.values()}
    for release in facts.releases.values():
        assert {build.cuda for build in release.builds.values()} <= cudas, release.version
    for table in (facts.compat_bases, facts.gates):
        assert {row.cuda for row in table.values()} <= cudas
    assert {Dotted(row.cuda) for row in facts.tags.values() if row.cuda} <= cudas


def test_every_branch_that_another_table_names_is_a_branch(facts: Facts) -> None:
    for base in facts.compat_bases.values():
        assert base.branches <= set(facts.branches), base.cuda
        for number in base.branches:  # a compat library makes sense only below the CUDA version it brings
            assert facts.branches[number].cuda < base.cuda, (base.cuda, number)
    for gate in facts.gates.values():
        assert {int(n) for n in re.findall(r"driver>=([0-9]+)", gate.requirement)} <= set(facts.branches), gate.cuda
    for capability in facts.capabilities.values():
        for number in (capability.first_branch, capability.last_branch):
            assert number is None or number in facts.branches, capability.cc
    assert all(row.branch in facts.branches for row in facts.distributions.values())


def test_every_gpu_has_a_capability_with_a_toolkit_range(facts: Facts) -> None:
    assert len(facts.gpus) >= 140
    for gpu in facts.gpus.values():
        capability = facts.capabilities[gpu.cc.text]
        assert capability.last_toolkit is None or capability.first_toolkit <= capability.last_toolkit
        assert gpu.memory_gb is None or 1 <= gpu.memory_gb <= 300, gpu.name
        assert not gpu.name.startswith("NVIDIA "), gpu.name
        assert (gpu.line == "jetson") == capability.jetson, gpu.name
        if gpu.first_driver and capability.first_branch:
            assert gpu.first_driver.numbers[0] >= capability.first_branch, gpu.name
    products = [name.casefold() for name in facts.gpus]
    assert len(products) == len(set(products))


def test_capabilities_are_in_order_and_only_gain_features(facts: Facts) -> None:
    ordered = list(facts.capabilities.values())
    assert ordered == sorted(ordered, key=lambda row: row.cc)
    for one, other in pairwise(ordered):
        assert one.features <= other.features or "tensor_cores" in one.features, other.cc
    assert all(row.features <= set(FEATURES) for row in ordered)
    for row in ordered:
        if row.first_branch and row.last_branch:
            assert row.first_branch <= row.last_branch


def test_releases(facts: Facts) -> None:
    versions = list(facts.releases)
    assert versions == sorted(versions)
    for release in facts.releases.values():
        assert release.default in release.builds, release.version
        assert all(platform in PLATFORMS for platform in (*release.default_other, *release.python_other))
        assert all(cuda == "cpu" or cuda in release.builds for cuda in release.default_other.values())
        assert all(re.fullmatch(r"[23]\.[0-9]{1,2}t?", tag) for tag in release.python), release.version
        assert not set(release.unsure) & set(release.builds)
        assert release.builds, release.version
        for build in release.builds.values():
            assert "linux_x86_64" in build.arch
    floors = [release.glibc for release in facts.releases.values()]
    assert floors == sorted(floors)


def test_code_of_a_build_is_code_its_toolkit_makes(facts: Facts) -> None:
    for release in facts.releases.values():
        for build in release.builds.values():
            for platform, entries in build.arch.items():
                for entry in entries:
                    code = parse(entry)
                    assert code is not None
                    capability = facts.capabilities[f"{code.major}.{code.minor}"]
                    where = (str(release.version), str(build.cuda), platform, entry)
                    assert capability.first_toolkit <= build.cuda, where
                    assert capability.last_toolkit is None or build.cuda <= capability.last_toolkit, where


def test_boundaries_and_images_point_to_what_there_is(facts: Facts) -> None:
    for boundary in facts.boundaries.values():
        assert boundary.since in facts.releases, boundary.ident
        assert boundary.cc is None or boundary.cc.text in facts.capabilities
    for row in facts.tags.values():
        if row.reference.startswith("pytorch/pytorch:") and row.cuda:
            release = next(value for version, value in facts.releases.items() if str(version) == row.torch)
            assert row.cuda in release.builds, row.reference


# Facts that a person can check against the sources named in the files; a slip in a conversion shows here.
@pytest.mark.parametrize(
    ("torch", "cuda", "arch"),
    [
        ("1.13.1", "11.7", "sm_37 sm_50 sm_60 sm_70 sm_75 sm_80 sm_86"),
        ("2.7.1", "12.8", "sm_75 sm_80 sm_86 sm_90 sm_100 sm_120 compute_120"),
        ("2.10.0", "12.8", "sm_70 sm_75 sm_80 sm_86 sm_90 sm_100 sm_120"),
        ("2.11.0", "12.8", "sm_75 sm_80 sm_86 sm_90 sm_100 sm_120"),
        ("2.14.1", "12.6", "sm_50 sm_60 sm_70 sm_75 sm_80 sm_86 sm_90"),
        ("2.15.0", "13.2", "sm_75 sm_80 sm_86 sm_90 sm_100 sm_120"),
    ],
)
def test_arch_lists_that_were_read_from_wheels(facts: Facts, torch: str, cuda: str, arch: str) -> None:
    release = next(value for version, value in facts.releases.items() if str(version) == torch)
    assert " ".join(release.builds[cuda].arch["linux_x86_64"]) == arch


# ---------------------------------------------------------------- a file of the user's own


def _overlay(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "facts.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_an_overlay_adds_and_changes_rows_field_by_field(tmp_path: Path) -> None:
    path = _overlay(
        tmp_path,
        "gpus:\n  Thing 9000: {cc: 12.0, line: workstation}\n  Tesla T4: {memory_gb: 15}\n"
        "releases:\n  2.16.0: {default: 13.2, python: [3.12], glibc: 2.28, builds: {13.2: {arch: {linux_x86_64: sm_90}}}}\n"
        "  2.15.0:\n    builds:\n      13.2: {cudnn: 9.99}\n",
    )
    facts = load(path)
    assert facts.gpus["Thing 9000"].cc == Dotted("12.0")
    assert facts.gpus["Thing 9000"].origin.confidence == "own"
    assert facts.gpus["Tesla T4"].memory_gb == 15
    assert facts.gpus["Tesla T4"].cc == Dotted("7.5")
    assert str(facts.newest_torch) == "2.16.0"
    changed = next(value for version, value in facts.releases.items() if str(version) == "2.15.0").builds["13.2"]
    assert changed.cudnn == "9.99"
    assert "sm_120" in changed.arch["linux_x86_64"]
    assert load().gpus["Tesla T4"].memory_gb == 16  # the shipped ones are as they were


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("gpuz:\n  A: {cc: 8.0}\n", 1, "no such table"),
        ("gpus:\n  Thing:\n    cc: eight\n    line: geforce\n", 3, "version of dotted numbers"),
        ("gpus:\n  Thing:\n    cc: 8.0\n    line: gaming\n", 4, "not one of"),
        ("gpus:\n  Thing: {cc: 8.0, line: geforce, colour: green}\n", 2, "not a field"),
        ("gpus:\n  Thing: {line: geforce}\n", 2, "is missing"),
        ("releases:\n  2.15.0:\n    builds:\n      13.2:\n        arch: {linux_x86_64: [gfx90a]}\n", 5, "not an architecture"),
        ("releases:\n  banana: {default: 13.2}\n", 2, "torch version"),
        ("- a list\n", 1, "mapping of tables"),
        ("gpus:\n  Thing: {cc: 8.0, line: geforce, memory_gb: big}\n", 2, "gpus.Thing.memory_gb: 'big' is not a whole number"),
        ("gates:\n  12.8: {clauses: none}\n", 2, "clauses: must be a list"),
        ("", 1, "docs/facts.md"),
        ("gpus: [1, 2]\n", 1, "mapping of rows"),
        ("gpus:\n  Thing: {cc: 8.0, line: geforce, source: nowhere}\n", 2, "not among the sources"),
        ("gates:\n  12.8: {clauses: [{brands: mine, branches: [535]}]}\n", 2, "brand_sets"),
        ("gates:\n  12.8: {clauses: [{brands: [mine], branches: [535]}]}\n", 2, "brand_sets"),
        ("brand_sets:\n  mine: {tesla: 1}\n", 2, "list of values"),
        ("os_glibc:\n  mine: new\n", 2, "version of dotted numbers"),
    ],
)
def test_a_wrong_overlay_says_where_and_what(tmp_path: Path, text: str, line: int, says: str) -> None:
    path = _overlay(tmp_path, text)
    with pytest.raises(InvalidInputError) as caught:
        load(path)
    assert f"facts.yaml:{line}:" in str(caught.value)
    assert says in f"{caught.value} {caught.value.hint}"


def test_an_overlay_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="no such file"):
        load(tmp_path / "none.yaml")


def test_the_overlay_of_the_docs_is_one(tmp_path: Path) -> None:
    page = (Path(__file__).parents[3] / "docs" / "facts.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
    facts = load(_overlay(tmp_path, example))
    assert facts.gates["12.8"].requirement == "cuda>=12.8"
    assert str(facts.newest_torch) == "2.16.0"
    assert all(f"`{table}`" in page for table in TABLES)


def test_every_source_is_the_source_of_something() -> None:
    for name in sorted(set(TABLES.values())):
        text = (FOLDER / f"{name}.yaml").read_text(encoding="utf-8")
        for source in re.findall(r"^  ([a-z0-9.-]+): \{what: ", text, re.MULTILINE):
            assert re.search(rf"source: {re.escape(source)}(?![a-z0-9.-])", text), (name, source)


def test_a_plain_value_of_an_overlay_takes_the_place_of_the_shipped_one(tmp_path: Path) -> None:
    facts = load(_overlay(tmp_path, "os_glibc: {ubuntu22.04: '9.9', ours1: '2.40'}\n"))
    assert (facts.os_glibc["ubuntu22.04"], facts.os_glibc["ours1"]) == (Dotted("9.9"), Dotted("2.40"))
    assert facts.os_glibc["ubuntu24.04"] == load().os_glibc["ubuntu24.04"]
