"""GPU names as NVML prints them, as people shorten them, and words that name no GPU."""

from __future__ import annotations

import pytest
from rules_values import predict

from validator.facts import load
from validator.facts.gpu_names import closest, find, plain_name


def _names(text: str) -> list[str]:
    return [row.name for row in find(text, load()).rows]


def test_every_shipped_name_is_found_with_and_without_the_vendor_in_any_case() -> None:
    for name in load().gpus:
        for text in (name, f"NVIDIA {name}", name.upper(), name.lower()):
            assert name in _names(text), text


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("4090", "GeForce RTX 4090"),
        ("rtx4090", "GeForce RTX 4090"),
        ("T4", "Tesla T4"),
        ("RTX 3060", "GeForce RTX 3060"),
        ("3060ti", "GeForce RTX 3060 Ti"),
        ("RTX3060Ti", "GeForce RTX 3060 Ti"),
        ("1080 Ti", "GeForce GTX 1080 Ti"),
        ("K80", "Tesla K80"),
        ("A6000", "RTX A6000"),
        ("RTX 6000 Ada", "RTX 6000 Ada Generation"),
        ("GeForce GTX 1660 Super", "GeForce GTX 1660 SUPER"),
        ("NVIDIA GeForce RTX 5090 Laptop", "GeForce RTX 5090 Laptop GPU"),
        ("RTX 3090 (24GB)", "GeForce RTX 3090"),
        ("RTX 2070 8 GB", "GeForce RTX 2070"),
        ("4x RTX 4090", "GeForce RTX 4090"),
        ("4x P40", "Tesla P40"),
        ("2x A100-SXM4-80GB MIG 3g.40gb", "A100-SXM4-80GB"),
        ("NVIDIA GeForce RTX 3070 Lite Hash Rate", "GeForce RTX 3070"),
        ("GeForce RTX 2070 with Max-Q Design", "GeForce RTX 2070"),
        ("Jetson Thor", "Jetson AGX Thor"),
    ],
)
def test_short_names_mean_one_product(text: str, name: str) -> None:
    assert _names(text) == [name]


@pytest.mark.parametrize(
    "text",
    ["A100", "NVIDIA A100", "Tesla A100", "a100 80gb", "H100", "H100 SXM", "V100", "Jetson Xavier", "Jetson Orin", "Turing"],
)
def test_names_that_leave_the_variant_open_give_candidates_of_one_capability(text: str) -> None:
    rows = find(text, load()).rows
    assert len(rows) > 1
    assert len({row.cc for row in rows}) == 1


def test_an_architecture_of_several_capabilities_is_left_open() -> None:
    assert {row.cc.text for row in find("Ampere", load()).rows} == {"8.0", "8.6"}


def test_variants_are_told_apart() -> None:
    assert "GeForce RTX 3060 Ti" not in _names("RTX 3060")
    assert "GeForce RTX 3080 Ti" not in _names("3080")
    assert _names("A10") == ["A10"]
    assert _names("L40") == ["L40"]
    assert "A100 80GB PCIe" not in _names("A10")


@pytest.mark.parametrize("text", ["NVIDIA A100-SXM4-40GB MIG 1g.5gb", "A100-SXM4-40GB MIG 3g.20gb"])
def test_a_mig_device_is_its_gpu(text: str) -> None:
    assert _names(text) == ["A100-SXM4-40GB"]


@pytest.mark.parametrize(
    ("text", "model"), [("GRID A100D-10C", "A100"), ("NVIDIA A40-48Q", "A40"), ("GRID T4-16Q", "T4"), ("GRID V100D-8Q", "V100")]
)
def test_a_virtual_gpu_is_the_gpu_it_is_a_share_of(text: str, model: str) -> None:
    assert _names(text)
    assert all(model in name for name in _names(text))


@pytest.mark.parametrize("text", ["", "RTX", "GeForce", "Radeon RX 7900 XTX", "RTX 9999", "5 GB card", "banana", "NVIDIA", "GPU"])
def test_what_is_none_is_none(text: str) -> None:
    assert _names(text) == []


def test_a_misspelt_name_has_neighbours() -> None:
    assert "GeForce RTX 4090" in closest("GeForce RTX 4O90", load())


@pytest.mark.parametrize(
    ("text", "cc"),
    [
        ("GTX 10xx", "6.1"),
        ("RTX 30 series", "8.6"),
        ("RTX 4000 series", "8.9"),
        ("RTX 50-series", "12.0"),
        ("GTX 900 series", "5.2"),
        ("GTX 16xx", "7.5"),
    ],
)
def test_a_series_is_its_geforce_cards(text: str, cc: str) -> None:
    rows = find(text, load()).rows
    assert {row.cc.text for row in rows} == {cc}
    assert {row.line for row in rows} == {"geforce"}


def test_a_series_with_a_card_of_another_architecture_is_left_open() -> None:
    assert {row.cc.text for row in find("NVIDIA GeForce RTX 20xx", load()).rows} == {"7.5", "8.6"}  # the RTX 2050 is Ampere


def test_several_architectures_in_one_name() -> None:
    assert {row.cc.numbers[0] for row in find("Maxwell/Pascal/Volta card", load()).rows} == {5, 6, 7}
    assert not [row for row in find("Volta card", load()).rows if row.cc.text != "7.0"]


def test_a_name_that_leaves_the_capability_open_is_judged_where_that_plays_no_part() -> None:
    # CUDA 12.8 builds of torch have neither 6.0 nor 6.1; those for 12.6 have both.
    for cuda, status in (("12.8", "fail"), ("12.6", "degraded")):
        prediction = predict(torch="2.7.1", cuda=cuda, gpu="Pascal card")
        assert prediction.status.value == status
        assert any("open (6.0, 6.1)" in each.text for each in prediction.assumptions)
    # 8.0, 8.6 and 8.9 have bf16; fp8 only 8.9 has.
    assert predict(torch="2.7.1", cuda="12.8", gpu="Ampere").status.value == "pass"
    assert predict(torch="2.7.1", cuda="12.8", gpu="Ampere/Ada", needs=("fp8",)).status.value == "unknown"


def test_a_name_as_nvml_prints_it_takes_nothing_for_granted() -> None:
    for name in load().gpus:
        assert find(f"NVIDIA {name}", load()).assumption == ""
    assert find("4x RTX 4090", load()).assumption


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("NVIDIA GeForce RTX 4090", "RTX 4090", True),
        ("Tesla V100-SXM2-16GB", "nvidia v100-sxm2-16gb", True),
        ("RTX 3060 Ti", "RTX3060Ti", True),
        ("Tesla V100-SXM2-16GB", "Tesla V100-SXM2-32GB", False),
        ("RTX 3060", "RTX 3060 Ti", False),
        ("GeForce RTX 3060", "GeForce RTX 3060 Laptop GPU", False),
        ("Quadro RTX 4000", "RTX 4000", False),
    ],
)
def test_names_are_compared_without_vendor_and_brand(one: str, other: str, same: bool) -> None:
    assert (plain_name(one) == plain_name(other)) is same


@pytest.mark.parametrize(("name", "near"), [("RTX 4099", "GeForce RTX 4090"), ("NVIDIA Tesla T40", "Tesla T4")])
def test_names_that_look_like_one_that_is_not_there(name: str, near: str) -> None:
    assert near in closest(name, load())


@pytest.mark.parametrize(
    ("name", "rows", "said"),
    [
        ("3060", ["GeForce RTX 3060"], "'3060' is taken for GeForce RTX 3060"),
        ("RTX 4000", ["Quadro RTX 4000"], "'RTX 4000' is taken for Quadro RTX 4000"),  # neither the Ada nor the laptop's
        ("titan", ["TITAN RTX", "GeForce GTX TITAN"], "'titan' is taken for one of TITAN RTX, GeForce GTX TITAN"),
        (
            "P100",
            ["Tesla P100-PCIE-12GB", "Tesla P100-PCIE-16GB", "Tesla P100-SXM2-16GB"],
            "'P100' is taken for one of Tesla P100",
        ),
        ("NVIDIA A100-SXM4-40GB MIG 1g.5gb", ["A100-SXM4-40GB"], "a MIG device computes as the whole GPU does: A100-SXM4-40GB"),
        ("NVIDIA T4-16Q", ["Tesla T4"], "a virtual GPU computes as the GPU it is a share of: Tesla T4"),
        ("RTX 3080 Max-Q", ["GeForce RTX 3080"], "'RTX 3080 Max-Q' is taken to have the capability of GeForce RTX 3080"),
        ("Tesla T4 16GB", ["Tesla T4"], "'Tesla T4 16GB' is taken to have the capability of Tesla T4"),
        ("2x T4", ["Tesla T4"], "'2x T4' is taken for Tesla T4"),
        ("A40", ["A40"], ""),
        ("RTX", [], ""),  # which is half of them
        ("Foo", [], ""),
        ("", [], ""),
    ],
)
def test_what_a_name_is_taken_for_is_said(name: str, rows: list[str], said: str) -> None:
    match = find(name, load())
    assert [row.name for row in match.rows] == rows
    assert match.assumption.startswith(said) if said else match.assumption == ""
    assert match.asked == name


@pytest.mark.parametrize(
    "words",
    ["Laptop GPU", "mobile", "Mobile GPU", "notebook", "Max-Q", "with Max-Q Design", "LHR", "Lite Hash Rate"],
)
def test_words_for_a_laptop_or_a_slower_hash_leave_the_capability_as_it_is(words: str) -> None:
    match = find(f"GTX 1070 {words}", load())
    assert [row.name for row in match.rows] == ["GeForce GTX 1070"]
    assert match.assumption == f"'GTX 1070 {words}' is taken to have the capability of GeForce GTX 1070"


@pytest.mark.parametrize("words", ["card", "graphics card", "GPU", "series GPU", "NVIDIA Corporation", "cards", "GPUs"])
def test_words_that_say_nothing_of_the_product_are_passed_over(words: str) -> None:
    match = find(f"GTX 1070 {words}", load())
    assert [row.name for row in match.rows] == ["GeForce GTX 1070"]
    assert match.assumption == f"'GTX 1070 {words}' is taken for GeForce GTX 1070"


def test_an_architecture_is_said_to_be_one() -> None:
    match = find("Volta", load())
    assert {row.cc.text for row in match.rows} == {"7.0"}
    assert match.assumption == "'Volta' is taken for a GPU of that architecture"
    assert find("NVIDIA Volta architecture", load()).rows == match.rows
    assert all(row.line != "jetson" for row in find("Blackwell", load()).rows)
