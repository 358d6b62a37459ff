"""``jit``: a scripted function and a kernel from text are run, and both must give the plain result."""

from types import SimpleNamespace

import pytest
from judging import verdict

from validator.probe.checks import jit


@pytest.fixture
def scripts(torch):
    """torch.jit.script that fuses in the third run: what it does then can be changed."""
    found = SimpleNamespace(runs=0, fused=lambda output: output)

    def script(function):
        def run(*values):
            found.runs += 1
            output = function(*values)
            return found.fused(output) if found.runs >= 3 else output

        return run

    torch.jit = SimpleNamespace(script=script)
    real = torch.randn
    torch.randn = lambda *shape: real(*[4] * len(shape))
    torch.cuda.jiterator = SimpleNamespace(_create_jit_fn=lambda text: lambda values: values**2 + 1.0)
    return found


def test_a_function_that_stays_what_it_was_passes(scripts, cpu):
    result = jit.run(cpu)
    assert verdict(result) == ("pass", None)
    assert result.metrics == {"script.error_ratio": 0.0}
    assert "NVRTC" not in result.message


def test_on_a_gpu_a_kernel_is_compiled_too(scripts, gpu):
    result = jit.run(gpu)
    assert verdict(result) == ("pass", None)
    assert result.metrics["nvrtc.error_ratio"] < 1e-6
    assert "NVRTC" in result.message


@pytest.mark.parametrize(("factor", "status"), [(1.00005, "pass"), (1.0005, "fail")])
def test_a_fused_function_with_other_results_is_caught(scripts, cpu, factor, status):
    scripts.fused = lambda output: output * factor
    result = jit.run(cpu)
    assert result.status == status
    assert result.metrics["script.error_ratio"] == pytest.approx(factor - 1, rel=0.01)
    if status == "fail":
        assert verdict(result) == ("fail", "wrong_results")
        assert "script is off by 0.0005" in result.message


def test_a_wrong_gradient_is_caught_where_the_output_is_right(scripts, cpu):
    def wrong_gradient(output):
        output.back = [
            (parent, lambda gradient, back=back: [2 * each for each in back(gradient)]) for parent, back in output.back
        ]
        return output

    scripts.fused = wrong_gradient
    assert verdict(jit.run(cpu)) == ("fail", "wrong_results")


def test_a_compiled_kernel_with_other_results_is_caught(scripts, gpu, torch):
    torch.cuda.jiterator._create_jit_fn = lambda text: lambda values: values**2
    result = jit.run(gpu)
    assert verdict(result) == ("fail", "wrong_results")
    assert result.message.startswith("nvrtc is off by")


def test_before_torch_1_12_a_special_function_stands_for_it(scripts, gpu, torch, monkeypatch):
    del torch.cuda.jiterator
    assert jit.run(gpu).metrics["nvrtc.error_ratio"] < 1e-6
    real = torch.Tensor.lgamma
    monkeypatch.setattr(torch.Tensor, "lgamma", lambda self: real(self) * (1.1 if self.device == "cuda" else 1))
    assert verdict(jit.run(gpu)) == ("fail", "wrong_results")


def test_an_error_while_it_runs_is_explained(scripts, cpu):
    def fused(_):
        raise RuntimeError("nvrtc: error: failed to open libnvrtc-builtins.so.12.4.\n  Make sure that it is installed")

    scripts.fused = fused
    result = jit.run(cpu)
    assert verdict(result) == ("fail", "missing_shared_library")
    assert result.message.endswith("nvrtc: error: failed to open libnvrtc-builtins.so.12.4.")


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("Error in dlopen: libnvrtc.so.12: cannot open shared object file: No such file", ("fail", "missing_shared_library")),
        ("failed to open nvrtc", ("fail", "missing_shared_library")),
        ("cannot open shared object file libfoo", ("fail", "missing_shared_library")),
        ("torch.jit.script is not supported in Python 3.14+", ("skip", None)),
        ("the operator is not supported", ("fail", None)),
        ("default_program(3): error", ("fail", None)),
    ],
)
def test_a_failure_is_told_by_its_words(said, expected):
    result = jit.explained(RuntimeError(said), {})
    assert verdict(result) == expected
    assert said in result.message
