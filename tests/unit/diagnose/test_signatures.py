"""Every example of every signature, against the whole engine: a new signature cannot steal another's cases."""

from __future__ import annotations

from itertools import pairwise

import pytest

from validator.catalogue.causes import catalogue
from validator.diagnose import Evidence, diagnose
from validator.diagnose.circumstances import CUDA_BUILD
from validator.diagnose.index import index
from validator.diagnose.patterns import normal, parse
from validator.diagnose.predicted import NO_WHEEL, PUBLISHED
from validator.diagnose.signatures import Signature, relations, signatures

NAMING = [signature for signature in signatures() if signature.cause]
_EXAMPLES = [(signature, log) for signature in NAMING for log in signature.examples]
_COUNTER = [(signature, log) for signature in NAMING for log in signature.counterexamples]


def cause_of(log: str) -> str:
    return diagnose(Evidence(log=log)).cause


@pytest.mark.parametrize(("signature", "log"), _EXAMPLES, ids=[f"{one.id}-{n}" for n, (one, _) in enumerate(_EXAMPLES)])
def test_its_example_is_put_down_to_its_cause(signature: Signature, log: str) -> None:
    assert cause_of(log) == signature.cause


@pytest.mark.parametrize(("signature", "log"), _COUNTER, ids=[f"{one.id}-{n}" for n, (one, _) in enumerate(_COUNTER)])
def test_what_looks_alike_is_not(signature: Signature, log: str) -> None:
    assert cause_of(log) != signature.cause


@pytest.mark.parametrize("signature", NAMING, ids=lambda one: one.id)
def test_it_has_both_kinds_of_example_and_matches_its_own(signature: Signature) -> None:
    assert signature.examples, "no example"
    assert signature.counterexamples, "no counterexample"
    assert 0 < signature.weight <= 100
    for log in signature.examples:
        lines = [normal(line) for line in log.splitlines()]
        joined = [f"{one} {other}" for one, other in pairwise(lines)]
        assert any(pattern.match(line) is not None for line in lines + joined for pattern in signature.patterns), log


def test_every_clue_that_a_condition_names_is_there() -> None:
    ids = {CUDA_BUILD, NO_WHEEL, PUBLISHED, *(signature.id for signature in signatures())}
    for signature in signatures():
        for case in signature.cases:
            for part in (part.strip().lstrip("!") for condition in case.when for part in condition.split("|")):
                if part.startswith(("hit:", "near:")):
                    assert part.partition(":")[2] in ids, f"{signature.id}: {part}"
                elif part.startswith("predicted:"):
                    assert part[10:] in catalogue(), f"{signature.id}: {part}"
                elif not part.startswith("has:") and not set(part) & set("<>=~"):
                    assert part in ids, f"{signature.id}: {part}"


def test_the_index_finds_every_pattern_by_one_word() -> None:
    found = {entry.pattern.text for entries in index().values() for entry in entries}
    assert found == {pattern.text for signature in signatures() for pattern in signature.patterns}


def test_a_root_is_never_the_aftermath_of_its_own_aftermath() -> None:
    for root, brought in relations().items():
        assert root not in brought
        for other in brought:
            assert root not in relations().get(other, ()) or root == "any", f"{root} and {other} explain each other"


def test_most_causes_of_the_catalogue_can_be_told_from_a_log() -> None:
    """The rest are known by construction only: predictions, and what checks of the probe measure."""
    named = {signature.cause for signature in NAMING} | {case.cause for one in signatures() for case in one.cases}
    by_construction = {
        "driver_drops_gpu", "driver_end_of_life", "open_kernel_module_unsupported", "ptx_jit", "build_not_published",
        "label_mismatch", "hang", "autocast_inactive", "training_broken", "wrong_results", "fp16_no_speedup", "bf16_emulated",
        "fp8_unsupported", "fp4_unsupported", "amp_no_benefit", "slow_device", "amp_disagrees", "entrypoint_swallows_command",
        "gpu_differs", "probe_answer_invalid", "module_shadowed", "install_corrupt", "other",
    }  # fmt: skip
    assert set(catalogue()) - named <= by_construction


@pytest.mark.parametrize(
    ("pattern", "line", "values"),
    [
        ("found version {v:version})", "(found version 11.2)", {"v": "11.2"}),
        ("cuda>={needed:version}", "cuda>=12.1, please", {"needed": "12.1"}),
        ("from * to {end:number}", "from here, by way of there, to 42", {"end": "42"}),
        ("^killed$", "killed", {}),
        ("^killed$", "2026-01-02t03:04:05.678z killed", {}),
        ("^killed$", "it was killed", None),
        ("no half", "no halftime", None),
        ("no half", "casino half", None),
    ],
)
def test_the_pattern_language(pattern: str, line: str, values: dict[str, str] | None) -> None:
    assert parse(pattern).match(line) == values


@pytest.mark.parametrize("pattern", ["{a} first", "* first", "Upper", 'with "quotes"', "two  spaces", "{a:nonsense} x"])
def test_a_pattern_out_of_form_is_refused(pattern: str) -> None:
    with pytest.raises(ValueError, match=r"\S"):
        parse(pattern)
