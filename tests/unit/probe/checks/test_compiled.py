"""``compile``: the toolchain is looked up, a step is compiled and compared, and a failure is explained."""

import functools
import os
import sys
from types import ModuleType, SimpleNamespace

import pytest
from judging import verdict

from validator.probe.checks import compiled


@pytest.fixture
def compiler(torch, monkeypatch):
    """torch.compile that gives the net back, changed by ``found.change``; a toolchain that has everything."""
    found = SimpleNamespace(change=lambda output: output, wrapped=0, tf32=set(), dtypes=[])

    def compile(net):
        found.wrapped += 1

        def forward(inputs):
            found.tf32.add(torch.backends.cuda.matmul.allow_tf32)
            output = net(inputs)
            found.dtypes.append(output.dtype.name)
            return found.change(output)

        return forward

    torch.compile = compile
    real = torch.randn
    torch.randn = lambda *shape: real(4, 32)
    randint = torch.randint
    torch.randint = lambda low, high, shape: randint(low, high, (4,))
    there = {"c_compiler": "/usr/bin/cc", "cxx_compiler": "/usr/bin/g++", "python_headers": True, "triton_version": "3.5.0"}
    monkeypatch.setattr(compiled, "toolchain", lambda device: dict(there))
    monkeypatch.setattr(compiled, "restrain", lambda: False)
    return found


# ---------------------------------------------------------------- run


def test_a_step_that_gives_the_same_losses_passes(compiler, cpu):
    result = compiled.run(cpu)
    assert verdict(result) == ("pass", None)
    assert result.metrics["float32.error_ratio"] == 0.0
    assert "float16.error_ratio" not in result.metrics
    assert result.message.endswith("made with /usr/bin/g++")
    assert compiler.wrapped == 1
    assert len(compiler.dtypes) == 3


def test_on_a_gpu_it_is_compiled_under_autocast_too_with_tf32_off(compiler, gpu, torch):
    torch.backends.cuda.matmul.allow_tf32 = True
    result = compiled.run(gpu)
    assert verdict(result) == ("pass", None)
    assert result.metrics["float16.error_ratio"] == 0.0
    assert result.message.endswith("made with triton 3.5.0")
    assert compiler.dtypes == ["float32"] * 3 + ["float16"] * 3
    assert compiler.tf32 == {False}


def test_other_losses_are_wrong_results_in_the_dtype_that_has_them(compiler, gpu):
    compiler.change = lambda output: output * 1.5 if output.dtype.name == "float16" else output
    result = compiled.run(gpu)
    assert verdict(result) == ("fail", "wrong_results")
    assert "compiled, the losses in float16 are off by" in result.message


@pytest.mark.parametrize(
    ("errors", "expected"),
    [
        ({"float32": 1e-4, "float16": 16 / 2048}, ("pass", None)),
        ({"float32": 1.1e-4, "float16": 0.0}, ("fail", "wrong_results")),
        ({"float32": 0.0, "float16": 17 / 2048}, ("fail", "wrong_results")),
        ({"float32": float("nan"), "float16": 0.0}, ("fail", "wrong_results")),
    ],
)
def test_each_dtype_has_its_tolerance(compiler, gpu, monkeypatch, errors, expected):
    monkeypatch.setattr(compiled, "measured", lambda torch, device, dtype: errors[dtype])
    assert verdict(compiled.run(gpu)) == expected


def test_a_net_that_does_not_learn_when_it_is_compiled_differs_from_the_second_step_on(compiler, cpu):
    compiler.change = lambda output: output.detach().requires_grad_()
    assert verdict(compiled.run(cpu)) == ("fail", "wrong_results")


def test_a_torch_without_a_compiler_is_skipped(torch, cpu):
    result = compiled.run(cpu)
    assert (result.status, "has no torch.compile" in result.message) == ("skip", True)


def test_a_failure_to_compile_is_explained(compiler, cpu):
    def change(_):
        raise RuntimeError("backend='inductor' raised")

    compiler.change = change
    result = compiled.run(cpu)
    assert verdict(result) == ("fail", None)
    assert result.message.startswith("torch.compile failed: backend='inductor' raised")


def test_where_compiling_with_the_kernels_word_fails_it_is_done_again_as_torch_does_it(compiler, cpu, monkeypatch):
    trusted = []
    monkeypatch.setattr(compiled, "restrain", lambda: True)
    monkeypatch.setattr(compiled, "trust_instruction_sets", lambda torch, trusting: trusted.append(trusting))

    def change(output):
        if trusted == [True]:
            raise RuntimeError("unrecognized command line option '-mamx-tile'")
        return output

    compiler.change = change
    assert verdict(compiled.run(cpu)) == ("pass", None)
    assert trusted == [True, False]
    trusted.clear()
    compiler.change = lambda output: output
    compiled.run(cpu)
    assert trusted == [True]  # once is enough where it works


# ---------------------------------------------------------------- inductor's settings


@pytest.fixture
def inductor(monkeypatch, torch):
    """torch._inductor.config, and what caches the instruction sets."""
    config = ModuleType("torch._inductor.config")
    config.compile_threads, config.cpp_cache_precompile_headers = 32, True
    config.cpp = SimpleNamespace(vec_isa_ok=None)
    monkeypatch.setitem(sys.modules, "torch._inductor", SimpleNamespace(config=config))
    monkeypatch.setitem(sys.modules, "torch._inductor.config", config)
    torch._dynamo = SimpleNamespace(resets=0)
    torch._dynamo.reset = lambda: setattr(torch._dynamo, "resets", torch._dynamo.resets + 1)
    return config


def test_inductor_compiles_in_this_process_without_precompiled_headers(inductor):
    assert compiled.restrain() is True
    assert (inductor.compile_threads, inductor.cpp_cache_precompile_headers) == (1, False)


def test_what_an_older_inductor_does_not_have_is_not_set(inductor):
    del inductor.compile_threads, inductor.cpp_cache_precompile_headers, inductor.cpp
    assert compiled.restrain() is False
    assert not hasattr(inductor, "compile_threads")
    assert not hasattr(inductor, "cpp_cache_precompile_headers")


def test_a_torch_without_inductor_tries_nothing_out(torch, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch._inductor.config", None)
    assert compiled.restrain() is False


@pytest.mark.parametrize(("known", "tries"), [(None, True), (True, False), (False, False)])
def test_instruction_sets_are_tried_out_where_nothing_is_set(inductor, known, tries):
    inductor.cpp.vec_isa_ok = known
    assert compiled.restrain() is tries


def test_trust_is_set_and_taken_back_with_all_that_was_cached_of_it(inductor, torch, monkeypatch):
    calls = []

    @functools.lru_cache(None)
    def pick():
        calls.append("function")

    class Isa:
        @functools.lru_cache(None)  # noqa: B019 - as torch has it
        def works(self):
            calls.append("method")

    isa = Isa()
    module = ModuleType("torch._inductor.cpu_vec_isa")
    module.pick, module.Isa, module.other = pick, Isa, 3
    monkeypatch.setitem(sys.modules, "torch._inductor.cpu_vec_isa", module)

    def ask():
        pick()
        isa.works()

    compiled.trust_instruction_sets(torch, True)
    assert inductor.cpp.vec_isa_ok is True
    assert torch._dynamo.resets == 0
    ask()
    compiled.trust_instruction_sets(torch, False)
    assert inductor.cpp.vec_isa_ok is None
    assert torch._dynamo.resets == 1
    ask()
    assert calls == ["function", "method"] * 2
    compiled.trust_instruction_sets(torch, False)  # nothing left to take back
    ask()
    assert len(calls) == 4
    assert torch._dynamo.resets == 1


def test_without_inductor_there_is_no_trust_to_take_back(torch, monkeypatch):
    monkeypatch.delitem(sys.modules, "torch._inductor.config", raising=False)
    compiled.trust_instruction_sets(torch, False)


# ---------------------------------------------------------------- the toolchain


@pytest.fixture
def programs(monkeypatch):
    """The programs on the PATH."""
    found = {}
    monkeypatch.setattr(compiled.shutil, "which", found.get)
    for name in ("CC", "CXX"):
        monkeypatch.delenv(name, raising=False)
    return found


def test_the_first_compiler_that_is_there_is_found_and_each_of_its_names_is_known(programs):
    for name in ("clang", "gcc", "cc"):
        programs[name] = f"/usr/bin/{name}"
        assert compiled.toolchain("cpu")["c_compiler"] == f"/usr/bin/{name}"
    assert compiled.toolchain("cpu")["cxx_compiler"] is None
    for name in ("clang++", "c++", "g++"):
        programs[name] = f"/usr/bin/{name}"
        assert compiled.toolchain("cpu")["cxx_compiler"] == f"/usr/bin/{name}"


def test_a_compiler_that_is_named_in_the_environment_is_the_only_one_looked_for(programs, monkeypatch):
    programs.update(cc="/usr/bin/cc", mycc="/opt/mycc")
    programs["g++"] = "/usr/bin/g++"
    monkeypatch.setenv("CC", "mycc -O2")
    monkeypatch.setenv("CXX", "nowhere")
    assert (compiled.toolchain("cpu")["c_compiler"], compiled.toolchain("cpu")["cxx_compiler"]) == ("/opt/mycc", None)
    monkeypatch.setenv("CXX", " ")
    assert compiled.toolchain("cpu")["cxx_compiler"] == "/usr/bin/g++"


def test_pythons_headers_are_there_where_the_file_is(programs, monkeypatch, tmp_path):
    monkeypatch.setattr(compiled.sysconfig, "get_paths", lambda: {"include": str(tmp_path)})
    assert compiled.toolchain("cpu")["python_headers"] is False
    (tmp_path / "Python.h").touch()
    assert compiled.toolchain("cpu")["python_headers"] is True
    monkeypatch.setattr(compiled.sysconfig, "get_paths", dict)
    monkeypatch.chdir(os.sep)
    assert compiled.toolchain("cpu")["python_headers"] is False


def test_triton_is_looked_for_on_a_gpu(programs, monkeypatch):
    assert "triton_version" not in compiled.toolchain("cpu")
    monkeypatch.setitem(sys.modules, "triton", None)
    assert compiled.toolchain("cuda")["triton_version"] is None
    monkeypatch.setitem(sys.modules, "triton", SimpleNamespace(__version__="3.5.0"))
    assert compiled.toolchain("cuda")["triton_version"] == "3.5.0"
    monkeypatch.setitem(sys.modules, "triton", SimpleNamespace())
    assert compiled.toolchain("cuda")["triton_version"] == "of unknown version"


# ---------------------------------------------------------------- failures

THERE = {"c_compiler": "/usr/bin/cc", "cxx_compiler": "/usr/bin/g++", "python_headers": True, "triton_version": "3.5.0"}


def explained(said, device="cuda", **changed):
    return compiled.explained(SimpleNamespace(__version__="2.3.0"), RuntimeError(said), {**THERE, **changed}, device)


@pytest.mark.parametrize(
    ("said", "device", "changed", "names"),
    [
        ("Failed to find C compiler. Please specify via CC.", "cuda", {"c_compiler": None}, "needs a C compiler,"),
        ("No working C++ compiler found in config.cpp.cxx: (None,)", "cpu", {"cxx_compiler": None}, "needs a C++ compiler,"),
        ("[Errno 2] No such file or directory: 'g++'", "cpu", {"cxx_compiler": None}, "needs a C++ compiler,"),
        ("Cannot find a working triton installation. More", "cuda", {"triton_version": None}, "needs triton,"),
        ("/tmp/main.c:6:10: fatal error: Python.h: No such file or directory", "cuda", {"python_headers": False}, "(Python.h),"),
        ("/tmp/main.c:6:10: fatal error: Python.h: No such file or directory", "cuda", {}, "(Python.h),"),
        ("CalledProcessError: Command '['/usr/bin/gcc', 'main.c']'", "cuda", {"python_headers": False}, "(Python.h),"),
        ("gcc and triton are missing", "cuda", {"c_compiler": None, "triton_version": None}, "a C compiler and triton,"),
    ],
)
def test_what_is_missing_to_compile_with_is_named(said, device, changed, names):
    result = explained(said, device, **changed)
    assert verdict(result) == ("fail", "gcc_or_triton_missing")
    assert names in result.message
    assert said in result.message


@pytest.mark.parametrize(
    ("said", "device", "changed"),
    [
        ("backend='inductor' raised: AssertionError", "cuda", {}),
        ("Failed to find C compiler", "cuda", {}),
        ("triton says no", "cuda", {}),
        ("CalledProcessError: Command", "cuda", {}),
        ("an assertion of its own", "cuda", {"c_compiler": None, "python_headers": False, "triton_version": None}),
        ("CalledProcessError: Command", "cuda", {"c_compiler": None, "python_headers": False}),
        ("No working C++ compiler", "cpu", {"c_compiler": None}),  # C++ is what the CPU needs
        ("Failed to find C compiler", "cuda", {"cxx_compiler": None}),
    ],
)
def test_what_is_there_or_was_not_missed_is_not_called_missing(said, device, changed):
    assert verdict(explained(said, device, **changed)) == ("fail", None)


def test_triton_is_not_missed_on_a_cpu():
    metrics = {name: value for name, value in THERE.items() if name != "triton_version"}
    assert compiled.lacking("triton says no", metrics, "cpu") == []


@pytest.mark.parametrize(
    "said",
    [
        "Python 3.11+ not yet supported for torch.compile",
        "Dynamo is not supported on Python 3.12+",
        "Windows not yet supported for torch.compile",
        "Found Tesla P100 which is too old to be supported by the triton GPU compiler, which is used as the backend.",
        "Triton is only supported on devices of CUDA Capability >= 7.0",
    ],
)
def test_where_torch_compile_does_not_apply_it_is_skipped(said):
    result = explained(said, c_compiler=None)
    assert result.status == "skip"
    assert said in result.message


def test_a_gcc_that_is_too_old_is_no_old_gpu():
    assert explained("your gcc is too old").status == "fail"


@pytest.mark.parametrize("link", ["__cause__", "__context__"])
def test_what_an_exception_came_of_is_read_too(link):
    raised = RuntimeError("backend='inductor' raised:")
    setattr(raised, link, RuntimeError("main.cpp:3: fatal error: omp.h: No such file"))
    result = compiled.explained(SimpleNamespace(__version__="2.3.0"), raised, THERE, "cpu")
    assert result.message == "torch.compile failed: main.cpp:3: fatal error: omp.h: No such file"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("first\n  main.c:1: fatal error: no header\nx error: late", "main.c:1: fatal error: no header"),
        ("first\nx error: early\nNo C compiler", "x error: early"),
        ("first Error\nNo C compiler", "No C compiler"),
        ("first Error\nTriton says", "Triton says"),
        ("first\nAssertionError", "AssertionError"),
        ("\n  first\nsecond", "first"),
        ("", "it does not say why"),
        ("x" * 400, "x" * 300),
        ("error: " + "x" * 400, "error: " + "x" * 293),
    ],
)
def test_the_line_that_says_most_is_told(text, line):
    assert compiled._telling(text) == line
