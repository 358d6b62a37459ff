"""The switches of TF32, and the variable that overrides them."""

from types import SimpleNamespace

import pytest

from validator.probe.precision import forced, precision, switches


def test_products_and_cudnn_have_a_switch_each(torch):
    assert switches(torch) == [torch.backends.cuda.matmul, torch.backends.cudnn]
    del torch.backends.cudnn.allow_tf32
    assert switches(torch) == [torch.backends.cuda.matmul]
    torch.backends = SimpleNamespace(cudnn=SimpleNamespace(allow_tf32=True))
    assert switches(torch) == [torch.backends.cudnn]
    assert switches(SimpleNamespace()) == []


@pytest.mark.parametrize("tf32", [True, False])
def test_a_block_has_the_precision_asked_for_and_what_was_set_comes_back(torch, tf32):
    product, cudnn = torch.backends.cuda.matmul, torch.backends.cudnn
    product.allow_tf32, cudnn.allow_tf32 = False, True
    with precision(torch, tf32):
        assert product.allow_tf32 is cudnn.allow_tf32 is tf32
    assert (product.allow_tf32, cudnn.allow_tf32) == (False, True)
    with pytest.raises(RuntimeError, match="sick"), precision(torch, tf32):
        raise RuntimeError("sick")
    assert (product.allow_tf32, cudnn.allow_tf32) == (False, True)


@pytest.mark.parametrize(("value", "told"), [("1", True), ("0", False), (None, False)])
def test_nvidias_libraries_can_be_told_to_use_it_whatever_torch_says(monkeypatch, value, told):
    monkeypatch.delenv("NVIDIA_TF32_OVERRIDE", raising=False)
    if value:
        monkeypatch.setenv("NVIDIA_TF32_OVERRIDE", value)
    assert forced() is told
