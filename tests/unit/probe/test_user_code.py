"""The user's model is imported, built and fed; whatever goes wrong is said to be the user's."""

import sys
import zipfile
from types import ModuleType, SimpleNamespace

import pytest

from validator.probe import user_code
from validator.probe.context import Context
from validator.probe.user_code import Refused


@pytest.fixture
def own(torch, monkeypatch, tmp_path):
    """Loads a model from a file of the archive, as the probe finds it."""
    archive = tmp_path / "probe.zip"
    monkeypatch.setattr(sys, "argv", [str(archive), "worker"])
    monkeypatch.setattr(user_code.tempfile, "tempdir", str(tmp_path))

    def load(source, device="cpu", **asked):
        with zipfile.ZipFile(archive, "w") as file:
            file.writestr("validator_model/net.py", source)
        monkeypatch.delitem(sys.modules, "net", raising=False)
        model = {"file": "net.py", "factory": "build", "input": "4", **asked}
        return user_code.load(Context(device, None, model=model))

    yield load
    sys.modules.pop("net", None)


LINEAR = "import torch\ndef build():\n    return torch.nn.Linear(4, 3)\n"


def refused(load, *of, **more):
    with pytest.raises(Refused) as raised:
        load(*of, **more)
    return raised.value


# ---------------------------------------------------------------- import


def test_a_model_of_a_file_is_built_and_fed(own, torch):
    subject = own(LINEAR, device="cuda")
    assert (subject.batch, subject.parameters) == (2, 15)
    assert {weight.device for weight in subject.model.parameters()} == {"cuda"}
    (values,) = subject.inputs
    assert (values.shape, values.dtype, values.device) == ((2, 4), torch.float32, "cuda")
    assert float(subject.loss(subject.model(values))) > 0


def test_the_same_numbers_are_drawn_each_time(own):
    one, other = own(LINEAR), own(LINEAR)
    assert one.model.weight.tolist() == other.model.weight.tolist()
    assert one.inputs[0].tolist() == other.inputs[0].tolist()


def test_the_module_of_the_file_can_be_found_by_its_classes(own, monkeypatch):
    own(LINEAR)
    assert sys.modules["net"].build
    kept = ModuleType("net")
    monkeypatch.setitem(sys.modules, "net", kept)
    user_code._module({"file": "net.py", "factory": "build"})
    assert sys.modules["net"] is kept  # a module of that name which is there already is not replaced


def test_a_model_of_an_installed_module_is_imported_by_name(torch, monkeypatch):
    package = SimpleNamespace(Net=torch.nn.Identity)
    monkeypatch.setitem(sys.modules, "models_of_mine", SimpleNamespace(nets=package))
    subject = user_code.load(Context("cpu", None, model={"module": "models_of_mine", "factory": "nets.Net", "input": "4"}))
    assert type(subject.model) is torch.nn.Identity


def test_what_lies_beside_the_file_is_searched_last_where_the_folder_is_known(own, tmp_path, monkeypatch):
    (tmp_path / "parts_of_mine.py").write_text(LINEAR)
    monkeypatch.setattr(sys, "path", list(sys.path))
    source = "from parts_of_mine import build\n"
    error = refused(own, source)
    assert str(error) == (
        "your net.py cannot be imported: there is no module parts_of_mine in this environment (net.py, line 1)"
        "; only the file itself is sent, what it imports must be installed"
    )
    assert (error.stage, error.metrics) == ("import", {"missing_module": "parts_of_mine", "cause": "python_module_missing"})
    assert own(source, folder=str(tmp_path)).model
    assert sys.path[-1] == str(tmp_path)
    sys.modules.pop("parts_of_mine")


def test_a_module_that_is_not_installed_is_named_without_talk_of_a_file(torch):
    error = refused(user_code.load, Context("cpu", None, model={"module": "no_such.models", "factory": "x", "input": "4"}))
    assert str(error) == "your no_such.models cannot be imported: there is no module no_such in this environment"


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("def build(): ...\nraise RuntimeError('licence missing')", "RuntimeError: licence missing (net.py, line 2)"),
        ("import sys\nsys.exit(3)", "SystemExit: 3 (net.py, line 2)"),
        ("def build(:", "SyntaxError: invalid syntax (net.py, line 1)"),
        ("from sys import nothing_of_that_name", "ImportError: cannot import name 'nothing_of_that_name' from 'sys'"),
    ],
)
def test_a_file_that_cannot_be_imported_is_named_as_the_users(own, source, said):
    error = refused(own, source)
    assert str(error).startswith(f"your net.py cannot be imported: {said}")
    assert (error.stage, error.metrics) == ("import", {"cause": "user_code_error"})


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("def other(): ...\n_hidden = other\n", "there is no build in your net.py (it has other)"),
        ("build = 3\n", "there is something that cannot be called as build in your net.py (it has nothing)"),
        ("".join(f"def f{n}(): ...\n" for n in range(9)), "(it has f0, f1, f2, f3, f4, f5, f6, f7)"),
    ],
)
def test_a_factory_that_is_not_there_is_told_with_what_is(own, source, said):
    error = refused(own, source)
    assert said in str(error)
    assert (error.stage, error.metrics) == ("import", {"cause": "user_code_error"})


# ---------------------------------------------------------------- build


@pytest.mark.parametrize(
    ("body", "device", "said", "cause"),
    [
        (
            "raise FileNotFoundError('no weights')",
            "cpu",
            "raised FileNotFoundError: no weights (net.py, line 2)",
            "user_code_error",
        ),
        ("raise SystemExit('usage')", "cpu", "raised SystemExit: usage (net.py, line 2)", "user_code_error"),
        ("raise RuntimeError('CUDA out of memory')", "cuda", "raised RuntimeError: CUDA out of memory (net", "out_of_memory"),
        ("raise MemoryError('out of memory')", "cpu", "raised MemoryError: out of memory (net.py", "out_of_memory"),
        (
            "raise AssertionError('Torch not compiled with CUDA enabled')",
            "cpu",
            "asks for a GPU itself (.cuda())",
            "device_mismatch",
        ),
        ("raise RuntimeError('Found no NVIDIA driver')", "cpu", "asks for a GPU itself (.cuda())", "device_mismatch"),
        ("raise RuntimeError('no CUDA GPUs are available')", "cpu", "asks for a GPU itself (.cuda())", "device_mismatch"),
        ("raise RuntimeError('no CUDA GPUs are available')", "cuda", "raised RuntimeError: no CUDA GPUs", "user_code_error"),
        ("return 3", "cpu", "returned a int, not a torch.nn.Module", "user_code_error"),
    ],
)
def test_a_factory_that_gives_no_model_says_why(own, body, device, said, cause):
    error = refused(own, f"def build():\n    {body}\n", device=device)
    assert str(error).startswith("your factory net.py:build ")
    assert said in str(error)
    assert (error.stage, error.metrics) == ("build", {"cause": cause})


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_weights_in_half_precision_are_refused_with_the_first_of_them(own, torch, dtype):
    error = refused(
        own,
        "import torch\nn = torch.nn\ndef build():\n"
        f"    return n.Sequential(n.Linear(4, 2), n.Linear(2, 2).to(torch.{dtype}))\n",
    )
    assert f"(1.weight is {dtype}): leave out .half()" in str(error)
    assert error.metrics == {"cause": "amp_dtype_mismatch", "layer": "1.weight"}
    assert error.stage == "build"


def test_a_torch_without_bfloat16_is_no_hindrance(own, torch):
    del torch.bfloat16
    assert own(LINEAR).model


def test_a_model_whose_weights_cannot_be_copied_is_told_what_to_do(own):
    source = (
        "import torch\nclass Lazy(torch.nn.Linear):\n    def state_dict(self):\n        raise ValueError('uninitialized')\n"
        "def build():\n    return Lazy(4, 3)\n"
    )
    error = refused(own, source)
    assert str(error) == "your model cannot be copied: ValueError: uninitialized; let the factory run it once on an input"
    assert (error.stage, error.metrics) == ("build", {"cause": "user_code_error"})


def test_a_reset_gives_back_the_initial_weights_and_the_mode_of_training(own, torch):
    subject = own(LINEAR)
    before = subject.model.weight.tolist()
    subject.model.weight.fill_(0.0)
    subject.model.eval()
    subject.reset(modes=False)
    assert subject.model.weight.tolist() == before
    assert subject.model.training is False
    subject.model.weight.fill_(0.0)
    subject.reset()
    assert subject.model.weight.tolist() == before
    assert subject.model.training is True


# ---------------------------------------------------------------- inputs


def inputs(torch, batch=2, device="cpu", **asked):
    return user_code._inputs(Context(device, None), asked, batch)


@pytest.mark.parametrize(
    ("asked", "shapes", "dtypes"),
    [
        ({"input": "3x8x8"}, [(2, 3, 8, 8)], ["float32"]),
        ({"input": "4,5x6"}, [(2, 4), (2, 5, 6)], ["float32", "float32"]),
        ({"input": "4,5", "dtype": "float32,long:9"}, [(2, 4), (2, 5)], ["float32", "int64"]),
        ({"input": "4,5,6", "dtype": "float16,int32"}, [(2, 4), (2, 5), (2, 6)], ["float16", "int32", "int32"]),
        ({"input": "4", "dtype": "int"}, [(2, 4)], ["int32"]),
        ({"input": "4", "dtype": "uint8:200"}, [(2, 4)], ["uint8"]),
        ({"input": "4", "dtype": "float"}, [(2, 4)], ["float32"]),
        ({"input": "4", "dtype": "double"}, [(2, 4)], ["float64"]),
        ({"input": "4", "dtype": "bool"}, [(2, 4)], ["bool"]),
    ],
)
def test_inputs_have_the_shapes_and_dtypes_that_were_asked_for(torch, asked, shapes, dtypes):
    made = inputs(torch, device="cuda", **asked)
    assert [tensor.shape for tensor in made] == shapes
    assert [tensor.dtype.name for tensor in made] == dtypes
    assert {tensor.device for tensor in made} == {"cuda"}


@pytest.mark.parametrize(
    ("dtype", "values"),
    [
        ("long:3", {0, 1, 2}),
        ("int64:3", {0, 1, 2}),
        ("int:2", {0, 1}),
        ("int32", {0, 1}),
        ("long", {0, 1}),
        ("bool", {False, True}),
    ],
)
def test_integers_are_below_their_bound_and_below_two_without_one(torch, dtype, values):
    assert set(inputs(torch, input="200", dtype=dtype)[0].values) == values


def test_numbers_are_from_0_to_1_as_images_are(torch):
    values = inputs(torch, input="200")[0].values
    assert 0 <= min(values) < 0.1
    assert 0.9 < max(values) <= 1


@pytest.mark.parametrize(("batch", "size", "told"), [("5", (5, 4), 5), ("0", (4,), 0), (None, (2, 4), 2)])
def test_a_batch_stands_in_front_and_none_is_asked_for_with_0(own, batch, size, told):
    subject = own(LINEAR, **({"batch": batch} if batch else {}))
    assert (subject.inputs[0].shape, subject.batch) == (size, told)


# ---------------------------------------------------------------- loss


def loss_of(torch, result, name=None, module=None):
    return user_code._loss(torch, module, {"loss": name, "file": "net.py"} if name else {})(result)


def test_without_a_loss_of_its_own_the_squares_of_all_outputs_are_the_loss(torch):
    one, two = torch.tensor([1.0, 3.0]), torch.tensor([2.0]).to(torch.float16)
    counts = torch.arange(3)
    for name in (None, "auto", "mean"):
        assert float(loss_of(torch, (one, [two], counts), name)) == 5.0 + 4.0


def test_a_loss_that_the_model_returns_is_taken(torch):
    own = torch.tensor([7.0])[0]
    for result in (own, {"loss": own, "logits": torch.ones(3)}, SimpleNamespace(loss=own)):
        assert float(loss_of(torch, result)) == 7.0
    assert float(loss_of(torch, {"loss": torch.tensor([1.0, 3.0])})) == 2.0  # one of each device, say
    assert float(loss_of(torch, {"boxes": own, "classes": own, "name": "x"})) == 14.0
    assert float(loss_of(torch, {"boxes": own, "values": torch.tensor([1.0, 1.0])})) == 49.0 + 1.0
    assert float(loss_of(torch, {"loss": "none", "values": torch.tensor([2.0])})) == 4.0


def test_a_loss_asked_for_as_the_mean_is_not_the_models_own(torch):
    assert float(loss_of(torch, torch.tensor([3.0])[0], "mean")) == 9.0


def test_an_integer_is_no_loss(torch):
    with pytest.raises(TypeError, match="no floating-point tensor to make a loss of"):
        loss_of(torch, torch.arange(3)[0])
    with pytest.raises(TypeError, match="--loss"):
        loss_of(torch, [torch.zeros(0), "text"])


def test_cross_entropy_is_of_the_first_output_and_the_class_0(torch):
    seen = []
    torch.nn.functional.cross_entropy = lambda logits, labels: seen.append(
        (logits.shape, labels.shape, labels.dtype, labels.device)
    )
    loss_of(torch, (torch.ones(2, 5, 7, 7).to("cuda"), torch.ones(1)), "cross_entropy")
    assert seen == [((2, 5, 7, 7), (2, 7, 7), torch.int64, "cuda")]
    torch.nn.functional.cross_entropy = lambda logits, labels: labels
    assert set(loss_of(torch, torch.ones(2, 5), "cross_entropy").values) == {0}


def test_a_function_beside_the_factory_can_be_the_loss(torch):
    module = SimpleNamespace(mine=lambda result: result * 2)
    assert loss_of(torch, 4, "mine", module) == 8
    with pytest.raises(Refused, match=r"there is no other in your net\.py"):
        loss_of(torch, 4, "other", module)


# ---------------------------------------------------------------- places


def test_the_last_line_of_the_users_file_is_told(tmp_path):
    (tmp_path / "net.py").write_text("def inner():\n    raise ValueError\ndef outer():\n    inner()\n")
    space = {}
    exec(compile((tmp_path / "net.py").read_text(), str(tmp_path / "net.py"), "exec"), space)  # noqa: S102
    with pytest.raises(ValueError) as raised:  # noqa: PT011 - any will do
        space["outer"]()
    assert user_code.place(raised.value, {"file": "net.py"}) == " (net.py, line 2)"
    assert user_code.place(raised.value, {"module": "net"}) == " (net.py, line 2)"
    assert user_code.place(raised.value, {"module": f"{tmp_path.name}.net"}) == " (net.py, line 2)"
    assert user_code.place(raised.value, {"file": "other.py"}) == user_code.place(raised.value, {}) == ""
