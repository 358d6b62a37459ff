"""What must hold for every cell: more driver and more code never harm, and order plays no part."""

from __future__ import annotations

from dataclasses import replace
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from validator.facts import load
from validator.model import Outlook, Severity
from validator.rules import Inspected, Judge, Place, Subject, judge

FACTS = load()
GOOD = (Outlook.PASS, Outlook.DEGRADED)
BUILDS = [(str(release.version), cuda) for release in FACTS.releases.values() for cuda in release.builds]
LISTS = [build.arch["linux_x86_64"] for release in FACTS.releases.values() for build in release.builds.values()]
ARCHES = sorted({entry for entries in LISTS for entry in entries})
Words = tuple[tuple[str, str], str, str | None, str | None]

drivers = st.builds(
    lambda branch, minor, patch: f"{branch}.{minor:02}.{patch:02}",
    st.sampled_from([*sorted(FACTS.branches), 640, 700]),
    st.integers(0, 199),
    st.integers(0, 20),
)
gpus = st.sampled_from(sorted(FACTS.gpus))
builds = st.sampled_from(BUILDS)
pythons = st.sampled_from([None, "3.8", "3.10", "3.12", "3.14"])


def _numbers(driver: str) -> list[int]:
    return [int(part) for part in driver.split(".")]


@settings(max_examples=400, deadline=None)
@given(build=builds, gpu=gpus, one=drivers, other=drivers)
def test_a_newer_driver_breaks_only_what_its_branch_dropped(build: tuple[str, str], gpu: str, one: str, other: str) -> None:
    older, newer = sorted((one, other), key=_numbers)
    subject = Subject(torch=build[0], cuda=build[1])
    before, after = judge(subject, Place(gpu=gpu, driver=older), FACTS), judge(subject, Place(gpu=gpu, driver=newer), FACTS)
    if before.status in GOOD and after.status not in GOOD:
        fails = {row.cause for row in after.findings if row.severity is Severity.FAIL}
        assert fails == {"driver_drops_gpu"}, (older, newer, after)


@settings(max_examples=300, deadline=None)
@given(
    gpu=gpus,
    driver=st.none() | drivers,
    arch=st.lists(st.sampled_from(ARCHES), min_size=1, max_size=6, unique=True),
    added=st.sampled_from(ARCHES),
)
def test_more_code_never_turns_a_pass_into_a_fail(gpu: str, driver: str | None, arch: list[str], added: str) -> None:
    place = Place(gpu=gpu, driver=driver)
    inside = Inspected(torch="2.7.1", cuda="12.8", arch_list=tuple(arch))
    before = judge(Subject(inspected=inside), place, FACTS)
    after = judge(Subject(inspected=replace(inside, arch_list=(*arch, added))), place, FACTS)
    if before.status in GOOD:
        assert after.status in GOOD
    if before.status is Outlook.PASS:
        assert after.status is Outlook.PASS


@settings(max_examples=100, deadline=None)
@given(arch=st.permutations(["sm_70", "sm_80", "sm_90", "compute_90"]), gpu=gpus)
def test_the_order_of_the_code_plays_no_part(arch: list[str], gpu: str) -> None:
    def status(entries: list[str]) -> Outlook:
        inside = Inspected(torch="2.7.1", cuda="12.8", arch_list=tuple(entries))
        return judge(Subject(inspected=inside), Place(gpu=gpu, driver="570.26"), FACTS).status

    assert status(arch) is status(sorted(arch))


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(builds, gpus, st.none() | drivers, pythons), min_size=2, max_size=12), st.randoms())
def test_the_order_of_the_questions_plays_no_part(cells: list[Words], random: Random) -> None:
    def ask(cell: Words) -> object:
        (torch, cuda), gpu, driver, python = cell
        return one_judge(Subject(torch=torch, cuda=cuda, python=python), Place(gpu=gpu, driver=driver))

    one_judge = Judge(FACTS)
    first = {cell: ask(cell) for cell in cells}
    one_judge = Judge(FACTS)
    shuffled = list(first)
    random.shuffle(shuffled)
    assert all(ask(cell) == first[cell] for cell in shuffled)


@settings(max_examples=200, deadline=None)
@given(build=builds, gpu=gpus, driver=drivers)
def test_a_fail_that_another_build_would_cure_names_one_that_does(build: tuple[str, str], gpu: str, driver: str) -> None:
    place = Place(gpu=gpu, driver=driver)
    prediction = judge(Subject(torch=build[0], cuda=build[1]), place, FACTS)
    for row in prediction.findings:
        if row.cause == "arch_not_supported" and "pip install torch==" in (row.remedy or ""):
            words = (row.remedy or "").split("pip install torch==")[1].split()
            channel = words[2].rstrip(")").rsplit("/cu", 1)[1]
            cure = judge(Subject(torch=words[0], cuda=f"{channel[:-1]}.{channel[-1]}"), place, FACTS)
            assert not {"arch_not_supported", "build_not_published"} & set(cure.causes)


@settings(max_examples=300, deadline=None)
@given(
    torch=st.none() | st.from_regex(r"[0-9]\.[0-9]{1,2}(\.[0-9])?(\+cu1[0-9]{2}|\+cpu|a0\+abc|\.dev20250101)?", fullmatch=True),
    cuda=st.none() | st.from_regex(r"[0-9]{1,2}\.[0-9]", fullmatch=True),
    gpu=st.none() | st.text(max_size=30),
    cc=st.none() | st.from_regex(r"[0-9]{1,2}\.[0-9]", fullmatch=True),
    driver=st.none() | drivers,
    image=st.none() | st.text(max_size=30),
)
def test_every_value_that_is_one_gets_an_answer(
    torch: str | None, cuda: str | None, gpu: str | None, cc: str | None, driver: str | None, image: str | None
) -> None:
    prediction = judge(Subject(torch=torch, cuda=cuda, image=image), Place(gpu=gpu, compute_capability=cc, driver=driver), FACTS)
    assert prediction.status is not Outlook.UNKNOWN or prediction.missing
    assert prediction.status is not Outlook.FAIL or prediction.findings[0].severity is Severity.FAIL
    assert all(row.message and row.family for row in prediction.findings)
