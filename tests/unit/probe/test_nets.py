"""The data that nets are trained on: what is drawn, in which sizes, from which seed. The nets themselves need a real torch."""

import pytest

from validator.probe import nets


@pytest.fixture
def built(torch, monkeypatch):
    """The batches of a kind; the nets are left out."""
    monkeypatch.setattr(nets, "conv_net", lambda _: "conv net")
    monkeypatch.setattr(nets, "transformer_block", lambda _: "block")
    return lambda *of, **more: nets.build(torch, *of, **more)


def test_images_are_patterns_of_their_class_and_as_much_noise(built, monkeypatch, torch):
    model, batches = built(nets.CONV, 2)
    assert model == "conv net"
    assert [(images.shape, labels.shape) for images, labels in batches] == [((32, 3, 16, 16), (32,))] * 2
    assert batches[0][0].tolist() != batches[1][0].tolist()
    images, labels = batches[0]
    assert set(labels.values) <= set(range(8))
    assert len(set(labels.values)) > 4
    spread = sum(value * value for value in images.values) / images.numel()
    assert spread == pytest.approx(2.0, rel=0.05)  # the variances of pattern and noise
    monkeypatch.setattr(nets, "_NOISE", 0.0)
    _, ((images, labels),) = built(nets.CONV, 1)
    seen = {}
    for image, label in zip(images.tolist(), labels.values, strict=True):
        assert seen.setdefault(label, image) == image  # without noise each class is one pattern
    assert len({str(image) for image in seen.values()}) == len(seen)


def test_texts_are_patterns_of_their_class_with_a_fifth_replaced(built, monkeypatch):
    model, batches = built(nets.BLOCK, 3)
    assert model == "block"
    assert [(tokens.shape, tokens.dtype.name) for tokens, _ in batches] == [((32, 16), "int64")] * 3
    values = [value for tokens, _ in batches for value in tokens.values]
    assert set(values) == set(range(64))
    replaced, every = 0, 0
    by_class = {}
    for tokens, labels in batches:
        for row, label in zip(tokens.tolist(), labels.values, strict=True):
            by_class.setdefault(label, []).append(row)
    for rows in by_class.values():
        for column in zip(*rows, strict=True):
            most = max(column.count(value) for value in column)
            replaced += len(column) - most
            every += len(column)
    assert replaced / every == pytest.approx(0.2, abs=0.04)
    monkeypatch.setattr(nets, "_REPLACED", 0.0)
    _, ((tokens, labels),) = built(nets.BLOCK, 1)
    assert len({str(row) for row in tokens.tolist()}) == len(set(labels.values))


@pytest.mark.parametrize("kind", [nets.CONV, nets.BLOCK])
def test_one_seed_gives_the_same_each_time_and_another_something_else(built, kind):
    one, again, other = (built(kind, 1, seed)[1][0] for seed in (20, nets.SEED, 21))
    assert one[0].tolist() == again[0].tolist()
    assert one[0].tolist() != other[0].tolist()


def test_a_whole_run_has_24_steps_and_a_short_one_20(built):
    assert len(built(nets.BLOCK)[1]) == nets.STEPS == 24
    assert nets.QUICK_STEPS == 20


def test_half_a_batch_is_large_enough_for_the_fault_of_the_gtx_16_cards():
    assert nets.BATCH // 2 >= 8
