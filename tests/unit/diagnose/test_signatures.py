"""Every example of every signature, against the whole engine: a new signature cannot steal another's cases."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest

from validator.base.data_files import DataFileError
from validator.catalogue.causes import catalogue
from validator.diagnose import Evidence, diagnose
from validator.diagnose.circumstances import CUDA_BUILD
from validator.diagnose.index import index
from validator.diagnose.patterns import normal, parse
from validator.diagnose.predicted import NO_WHEEL, PUBLISHED
from validator.diagnose.signatures import Case, Signature, relations, signatures

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
        "gpu_differs", "gpu_in_use", "probe_answer_invalid", "module_shadowed", "install_corrupt", "other",
    }  # fmt: skip
    assert set(catalogue()) - named <= by_construction


@pytest.mark.parametrize(
    ("pattern", "line", "values"),
    [
        ("found version {v:version})", "(found version 11.2)", {"v": "11.2"}),
        ("cuda>={needed:version}", "cuda>=12.1, please", {"needed": "12.1"}),
        ("from * to {end:number}", "from here, by way of there, to 42", {"end": "42"}),
        ("from {a} to {b}", "from here to there", {"a": "here", "b": "there"}),
        ("from {a} to {b}", "from 'here to there", None),
        ("takes *{n:number} kb", "takes it all, 4 kb", {"n": "4"}),
        ("takes *{n:number} kb", "takes 3 mb, 4 kb", None),
        ("takes * kb", "takes 3 mb, 4 kb", {}),
        ("in {file:path}.", "in /tmp/a.b: gone", None),
        ("in {file:path}", "in /tmp/a.b: gone", {"file": "/tmp/a.b"}),
        ("in {file:path}: gone", "in /tmp/a.b: gone", {"file": "/tmp/a.b"}),
        ("no half {n:number}", "no half of it, " * 11 + "no half 4", {"n": "4"}),
        ("no half {n:number}", "no half of it, " * 12 + "no half 4", None),
        ("'half'", "x'half'x", {}),
        ("^killed$", "killed", {}),
        ("^killed", "killed it", {}),
        ("^killed", "it killed it and killed", None),
        ("killed$", "it was killed", {}),
        ("killed$", "killed it", None),
        ("^killed$", "2026-01-02t03:04:05.678z killed", {}),
        ("^killed$", "it was killed", None),
        ("no half", "no halftime", None),
        ("no half", "casino half", None),
    ],
)
def test_the_pattern_language(pattern: str, line: str, values: dict[str, str] | None) -> None:
    assert parse(pattern).match(line) == values


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        ("word", "cuda:0, and", "cuda:0"),
        ("version", "2.1.0+cu118)", "2.1.0+cu118"),
        ("release", "2.1.0+cu118)", "2.1.0"),
        ("number", "1,024.", "1,024"),
        ("path", "/a,b(c).", "/a,b(c)"),
        ("size", "2.00 gib (gpu", "2.00 gib"),
        ("text", "tesla t4, 15 gib' x", "tesla t4, 15 gib"),
        ("list", "1.8, 2.0+cu118) x", "1.8, 2.0+cu118"),
        ("weights", "yolo11n.pt, ok", "yolo11n.pt"),
        ("weights", "model.tar.gz", "model.tar.gz"),
        ("weights", "yolo11n.txt", None),
        ("number", "none", None),
        ("size", "2 of", None),
    ],
)
def test_the_kinds_of_values(kind: str, text: str, value: str | None) -> None:
    assert parse(f"x {{a:{kind}}}").match(f"x {text}") == (None if value is None else {"a": value})


@pytest.mark.parametrize("pattern", ["{a} first", "* first", "", "Upper", 'with "quotes"', "two  spaces", "x {a:nonsense}"])
def test_a_pattern_out_of_form_is_refused(pattern: str) -> None:
    with pytest.raises(ValueError, match=r"\S"):
        parse(pattern)


WELL_FORMED = """
- id: one
  cause: hang
  weight: 60
  any: "it hangs"
  unless: ["not"]
  also: disk_full
  cases:
    - {when: wsl, cause: wsl_config, weight: 70}
    - {when: [mig, "!wsl"], cause: null}
  example: "it hangs"
- {id: two, any: ["a clue"]}
"""


@pytest.fixture(name="folder")
def folder_of_signatures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    catalogue()  # the real causes are read before the data is exchanged
    folder = tmp_path / "signatures"
    folder.mkdir()
    monkeypatch.setattr("validator.base.data_files.DATA", tmp_path)
    monkeypatch.setattr("validator.diagnose.signatures.FOLDER", folder)
    (folder / "a.yaml").write_text(WELL_FORMED, encoding="utf-8")
    (folder / "relations.yaml").write_text("hang: [timeout]\nany: [timeout]\n", encoding="utf-8")
    return folder


def test_signatures_are_read_file_by_file(folder: Path) -> None:
    (folder / "b.yaml").write_text('[{id: three, cause: hang, weight: 10, any: "it waits"}]', encoding="utf-8")
    one, two, three = signatures.__wrapped__()
    assert (one.id, one.cause, one.weight, one.unless, one.also) == ("one", "hang", 60, ("not",), ("disk_full",))
    assert [pattern.text for pattern in one.patterns] == ["it hangs"]
    assert one.cases == (Case(("wsl",), "wsl_config", 70), Case(("mig", "!wsl"), None, 0))
    assert (one.examples, one.counterexamples) == (("it hangs",), ())
    assert (two.id, two.cause, two.weight, two.cases, three.id) == ("two", None, 0, (), "three")
    assert relations.__wrapped__() == {"hang": ("timeout",), "any": ("timeout",)}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("weight: 60", "wieght: 60"),
        ("id: two", "id: one"),
        ("cause: hang", "cause: glorp"),
        ("also: disk_full", "also: glorp"),
        ("cause: wsl_config", "cause: glorp"),
        ('["not"]', '["Not"]'),
        ('["not"]', '["not *"]'),
        ("{when: wsl, cause: wsl_config, weight: 70}", "wsl"),
        ('any: "it hangs"', 'any: "It hangs"'),
    ],
)
def test_a_broken_signature_is_refused(folder: Path, old: str, new: str) -> None:
    (folder / "a.yaml").write_text(WELL_FORMED.replace(old, new), encoding="utf-8")
    with pytest.raises((ValueError, DataFileError), match=r"one|glorp|It hangs|wieght"):
        signatures.__wrapped__()


@pytest.mark.parametrize("text", ["glorp: [timeout]", "hang: [glorp]"])
def test_a_relation_of_what_is_not_a_cause_is_refused(folder: Path, text: str) -> None:
    (folder / "relations.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match="glorp"):
        relations.__wrapped__()
