"""``kernels``: each operation is compared in each mode that is trained in, and the worst decides."""

from types import SimpleNamespace

import pytest
from judging import verdict

from validator.probe import ops
from validator.probe.checks import kernels


@pytest.fixture(autouse=True)
def no_override(monkeypatch):
    monkeypatch.delenv("NVIDIA_TF32_OVERRIDE", raising=False)


@pytest.fixture
def measured(monkeypatch):
    """What ``compare`` finds, by mode."""
    found = {}
    asked = []

    def compare(torch, device, dtype):
        tf32 = torch.backends.cuda.matmul.allow_tf32
        asked.append((dtype, tf32))
        return found.get("tf32" if dtype == "float32" and tf32 else dtype, ([("matmul", 0.0)], []))

    monkeypatch.setattr(kernels, "compare", compare)
    return SimpleNamespace(found=found, asked=asked)


# ---------------------------------------------------------------- modes


def test_what_is_trained_in_is_what_is_compared(torch):
    assert kernels.modes(torch, "cuda") == ["float32", "tf32", "float16", "bfloat16"]
    assert kernels.modes(torch, "cpu") == ["float32", "float16", "bfloat16"]


def test_a_gpu_before_ampere_has_neither_tf32_nor_bfloat16(torch):
    torch.cuda.get_device_capability = lambda _: (7, 5)
    assert kernels.modes(torch, "cuda") == ["float32", "float16"]
    torch.cuda.get_device_capability = lambda _: (8, 0)
    assert kernels.modes(torch, "cuda") == ["float32", "tf32", "float16", "bfloat16"]


def test_an_old_torch_has_fewer(torch):
    del torch.autocast  # before 1.10: nothing trains in bfloat16 on a GPU
    assert kernels.modes(torch, "cuda") == ["float32", "tf32", "float16"]
    assert kernels.modes(torch, "cpu")[-1] == "bfloat16"
    del torch.bfloat16
    assert kernels.modes(torch, "cpu") == ["float32", "float16"]
    torch.backends = SimpleNamespace()
    assert kernels.modes(torch, "cuda") == ["float32", "float16"]


# ---------------------------------------------------------------- run


def test_results_that_agree_pass_with_the_worst_operation_of_each_mode(gpu, measured):
    measured.found["bfloat16"] = [("sum", 0.01), ("norm", 0.05), ("mean", 0.02)], ["bmm"]
    result = kernels.run(gpu)
    assert verdict(result) == ("pass", None)
    assert result.message.startswith("6 results agree")
    assert "bfloat16 5.0e-02 (norm)" in result.message
    metrics = result.metrics
    assert (metrics["bfloat16.ops"], metrics["bfloat16.worst_op"], metrics["bfloat16.worst_error_ratio"]) == (3, "norm", 0.05)
    assert metrics["bfloat16.ops_not_implemented"] == ["bmm"]
    assert "float32.ops_not_implemented" not in metrics
    assert metrics["float32.tolerance_ratio"] == 1e-4
    assert metrics["tf32.tolerance_ratio"] == metrics["float16.tolerance_ratio"] == 16 / 2048
    assert metrics["bfloat16.tolerance_ratio"] == 16 / 256


def test_tf32_is_float32_with_the_switch_on_and_everything_else_is_with_it_off(gpu, measured, torch):
    torch.backends.cuda.matmul.allow_tf32 = True  # as images bring it
    kernels.run(gpu)
    assert measured.asked == [("float32", False), ("float32", True), ("float16", False), ("bfloat16", False)]
    assert torch.backends.cuda.matmul.allow_tf32 is True


def test_a_mode_without_a_single_operation_counts_none(cpu, measured):
    measured.found["float16"] = [], ["matmul", "bmm"]
    result = kernels.run(cpu)
    assert verdict(result) == ("pass", None)
    assert result.metrics["float16.ops"] == 0
    assert "float16.worst_op" not in result.metrics
    assert result.message.startswith("2 results")


@pytest.mark.parametrize(
    ("where", "mode", "error", "expected"),
    [
        ("gpu", "float32", 1e-4, ("pass", None)),
        ("gpu", "float32", 1.1e-4, ("fail", "wrong_results")),
        ("gpu", "tf32", 16 / 2048, ("pass", None)),
        ("gpu", "tf32", 17 / 2048, ("fail", "wrong_results")),
        ("gpu", "bfloat16", 16 / 256, ("pass", None)),
        ("gpu", "bfloat16", 17 / 256, ("fail", "wrong_results")),
        ("gpu", "float16", float("inf"), ("fail", "wrong_results")),
        ("cpu", "float32", 1.1e-4, ("fail", "wrong_results")),
        ("cpu", "bfloat16", 17 / 256, ("warn", "wrong_results")),  # a stand-in there
        ("cpu", "float16", 17 / 2048, ("warn", "wrong_results")),
    ],
)
def test_each_mode_has_its_tolerance(request, measured, where, mode, error, expected):
    measured.found[mode] = [("norm", error)], []
    result = kernels.run(request.getfixturevalue(where))
    assert verdict(result) == expected
    if expected[1]:
        assert f"norm in {mode} is off by" in result.message


def test_the_worst_three_are_told_and_the_others_counted(gpu, measured):
    measured.found["float32"] = [("a", 0.1), ("b", 0.5), ("c", 0.0), ("d", 0.2), ("e", 0.3)], []
    allowed = "of the largest value, 0.0001 is allowed"
    assert kernels.run(gpu).message == (
        f"wrong numbers: b in float32 is off by 0.5 {allowed}; e in float32 is off by 0.3 {allowed}; "
        f"d in float32 is off by 0.2 {allowed}; and 1 more"
    )
    measured.found["float32"] = [("a", 0.1), ("b", 0.5), ("d", 0.2)], []
    assert "more" not in kernels.run(gpu).message


@pytest.mark.parametrize(("override", "status"), [(None, "fail"), ("0", "fail"), ("1", "pass")])
def test_float32_is_excused_for_tf32_only_where_nvidias_libraries_are_told_to_use_it(
    monkeypatch, gpu, cpu, measured, override, status
):
    if override:
        monkeypatch.setenv("NVIDIA_TF32_OVERRIDE", override)
    measured.found["float32"] = [("matmul", 3e-4)], []
    assert kernels.run(gpu).status == status
    assert kernels.run(cpu).status == "fail"  # NVIDIA's libraries have no part in it


# ---------------------------------------------------------------- compare


@pytest.fixture
def table(monkeypatch):
    """The operations that are compared; what they are made of is drawn by the probe's own maker."""
    found = []
    monkeypatch.setattr(ops, "table", lambda torch, dtype: found)
    return found


def test_an_operation_is_compared_with_itself_in_float64_on_the_same_numbers(torch, table):
    seen = []

    def product(_, make):
        left, right = make(2, 3), make(3, 2, gradient=True)
        seen.append((left.dtype.name, left.device, left.tolist(), right.requires_grad))
        return (left.matmul(right), make.integers(5, 4), make.like(torch.ones(2)))

    table.append(("matmul", product))
    compared, skipped = kernels.compare(torch, "cuda", "float16")
    assert skipped == []
    ((name, error),) = compared
    assert name == "matmul"
    assert 0 < error < 2**-10  # the rounding of the product, since what went in was the same
    (here, reference) = seen
    assert here[:2] == ("float16", "cuda")
    assert reference[:2] == ("float64", "cpu")
    assert here[2] == reference[2]
    assert here[3] is reference[3] is True


@pytest.mark.parametrize("where", [0, 1])
def test_a_wrong_number_in_any_result_of_an_operation_is_its_error(torch, table, where):
    def broken(_, make):
        results = [make(4), make(4)]
        if results[0].device == "cuda":
            results[where] = results[where] * 1.5
        return tuple(results)

    table.append(("broken", broken))
    ((_, error),), _ = kernels.compare(torch, "cuda", "float32")
    assert error == pytest.approx(0.5, rel=1e-6)


def test_an_operation_that_torch_does_not_have_is_left_out_and_one_that_raises_is_named(torch, table):
    def lacking(*_):
        raise RuntimeError("\"svd\" not implemented for 'Half'")

    def raising(*_):
        raise RuntimeError("CUDA error: no kernel image")

    table += [("svd", lacking), ("sum", lambda _, make: (make(3).sum(),))]
    compared, skipped = kernels.compare(torch, "cpu", "float32")
    assert [name for name, _ in compared] == ["sum"]
    assert skipped == ["svd"]
    table.append(("bmm", raising))
    with pytest.raises(RuntimeError, match="bmm in float32 raised RuntimeError: CUDA error: no kernel image"):
        kernels.compare(torch, "cpu", "float32")
