"""The operations that ``kernels`` compares. Each takes torch and a maker of inputs and returns the tensors that are compared."""

from typing import Any, Callable, List, Tuple

Operation = Callable[[Any, "Maker"], Tuple[Any, ...]]


class Maker:
    """Draws the same inputs each time: rounded to the dtype under test, then given in the dtype and place of this run."""

    def __init__(self, torch: Any, seed: int, rounded: Any, device: str, dtype: Any) -> None:
        self._torch = torch
        self._rounded, self._device, self._dtype = rounded, device, dtype
        torch.manual_seed(seed)

    def __call__(self, *shape: int, gradient: bool = False) -> Any:
        """Normal numbers of a shape."""
        tensor = self._torch.randn(*shape).to(self._rounded).to(self._dtype).to(self._device)
        return tensor.requires_grad_() if gradient else tensor

    def integers(self, below: int, *shape: int) -> Any:
        """Indices in [0, below)."""
        return self._torch.randint(0, below, shape, dtype=self._torch.long).to(self._device)

    def like(self, values: Any) -> Any:
        """Given float32 values on the CPU, rounded and placed as drawn ones are."""
        return values.to(self._rounded).to(self._dtype).to(self._device)


def table(torch: Any, dtype: str) -> List[Tuple[str, Operation]]:
    """Every operation by name; ``linalg`` and ``fft`` only in float32, the dtype they are used in."""
    found: List[Tuple[str, Operation]] = [
        ("matmul", _matmul),
        ("bmm", _bmm),
        ("linear_backward", _linear_backward),
        ("conv2d", _conv),
        ("conv2d_backward", _conv_backward),
        ("batch_norm", _batch_norm),
        ("layer_norm_backward", _layer_norm_backward),
        ("softmax", _softmax),
        ("cross_entropy", _cross_entropy),
        ("indexing", _indexing),
        ("embedding_backward", _embedding_backward),
        ("reductions", _reductions),
        ("elementwise", _elementwise),
    ]
    if dtype == "float32":
        found += [("fft", _fft), ("linalg_solve", _solve), ("linalg_cholesky", _cholesky), ("linalg_svd", _svd)]
    return found


def _matmul(torch: Any, make: Maker) -> Tuple[Any, ...]:
    return (make(96, 256).matmul(make(256, 64)),)


def _bmm(torch: Any, make: Maker) -> Tuple[Any, ...]:
    return (torch.bmm(make(8, 32, 64), make(8, 64, 48)),)


def _gradients(output: Any, weights: Any, inputs: List[Any]) -> Tuple[Any, ...]:
    """The output, and the gradients of its sum weighted at random: a plain sum hides errors that cancel."""
    (output * weights).sum().backward()
    return (output,) + tuple(each.grad for each in inputs)


def _linear_backward(torch: Any, make: Maker) -> Tuple[Any, ...]:
    inputs = [make(32, 64, gradient=True), make(48, 64, gradient=True), make(48, gradient=True)]
    return _gradients(torch.nn.functional.linear(*inputs), make(32, 48), inputs)


def _conv(torch: Any, make: Maker) -> Tuple[Any, ...]:
    # Batch 8: below it the GTX 16xx cards' half precision does not go wrong.
    return (torch.nn.functional.conv2d(make(8, 16, 14, 14), make(32, 16, 3, 3), padding=1),)


def _conv_backward(torch: Any, make: Maker) -> Tuple[Any, ...]:
    inputs = [make(8, 8, 12, 12, gradient=True), make(16, 8, 3, 3, gradient=True)]
    return _gradients(torch.nn.functional.conv2d(inputs[0], inputs[1], stride=2, padding=1), make(8, 16, 6, 6), inputs)


def _batch_norm(torch: Any, make: Maker) -> Tuple[Any, ...]:
    inputs = [make(16, 8, 6, 6, gradient=True), make(8, gradient=True), make(8, gradient=True)]
    output = torch.nn.functional.batch_norm(inputs[0], None, None, inputs[1], inputs[2], training=True)
    return _gradients(output, make(16, 8, 6, 6), inputs)


def _layer_norm_backward(torch: Any, make: Maker) -> Tuple[Any, ...]:
    inputs = [make(32, 64, gradient=True), make(64, gradient=True), make(64, gradient=True)]
    return _gradients(torch.nn.functional.layer_norm(inputs[0], (64,), inputs[1], inputs[2]), make(32, 64), inputs)


def _softmax(torch: Any, make: Maker) -> Tuple[Any, ...]:
    logits = make(32, 100, gradient=True)
    return _gradients(torch.nn.functional.softmax(logits, dim=-1), make(32, 100), [logits])


def _cross_entropy(torch: Any, make: Maker) -> Tuple[Any, ...]:
    logits = make(32, 50, gradient=True)
    loss = torch.nn.functional.cross_entropy(logits, make.integers(50, 32))
    loss.backward()
    return (loss, logits.grad)


def _indexing(torch: Any, make: Maker) -> Tuple[Any, ...]:
    values, rows = make(40, 16), make.integers(40, 25)
    columns = make.integers(16, 40, 5)
    picked, gathered = values[rows], values.gather(1, columns)
    # Distinct rows, so that no sum is rounded in an order of its own.
    scattered = torch.zeros_like(values).index_add(0, torch.arange(39, -1, -1).to(values.device), values)
    return (picked, gathered, scattered, values.masked_fill(values > 0, 0.0), torch.cat([values, picked]).t())


def _embedding_backward(torch: Any, make: Maker) -> Tuple[Any, ...]:
    weight = make(30, 16, gradient=True)
    return _gradients(torch.nn.functional.embedding(make.integers(30, 8, 6), weight), make(8, 6, 16), [weight])


def _reductions(torch: Any, make: Maker) -> Tuple[Any, ...]:
    values = make(24, 200)
    return (values.sum(), values.sum(1), values.mean(0), values.max(1)[0], values.min(0)[0], values.std(1), values.norm())


def _elementwise(torch: Any, make: Maker) -> Tuple[Any, ...]:
    values = make(32, 64)
    smooth = (values.exp(), values.abs().add(1).log(), torch.sigmoid(values), torch.tanh(values))
    return smooth + (torch.relu(values), values * values)


def _fft(torch: Any, make: Maker) -> Tuple[Any, ...]:
    values = make(8, 128)
    module = getattr(torch, "fft", None)
    if hasattr(module, "rfft"):  # from 1.7 on a module, with complex numbers; before, a function on pairs
        spectrum = module.rfft(values)
        return (spectrum.real, spectrum.imag, module.irfft(spectrum, n=128))
    spectrum = torch.rfft(values, 1)
    return (spectrum, torch.irfft(spectrum, 1, signal_sizes=(128,)))


def _conditioned(torch: Any, make: Maker) -> Any:
    """A symmetric matrix [24, 24] of condition below 10, so that rounding is not enlarged."""
    draw = torch.randn(24, 24)
    return make.like(draw.matmul(draw.t()) / 24 + torch.eye(24))


def _solve(torch: Any, make: Maker) -> Tuple[Any, ...]:
    matrix, right = _conditioned(torch, make), make(24, 5)
    linalg = getattr(torch, "linalg", None)
    if hasattr(linalg, "solve"):
        return (linalg.solve(matrix, right),)
    return ((getattr(torch, "solve", None) or torch.gesv)(right, matrix)[0],)  # gesv until 1.1


def _cholesky(torch: Any, make: Maker) -> Tuple[Any, ...]:
    linalg = getattr(torch, "linalg", None)
    return ((linalg.cholesky if hasattr(linalg, "cholesky") else torch.cholesky)(_conditioned(torch, make)),)


def _svd(torch: Any, make: Maker) -> Tuple[Any, ...]:
    matrix, linalg = make(20, 12), getattr(torch, "linalg", None)
    if hasattr(linalg, "svd"):
        left, values, right = linalg.svd(matrix, full_matrices=False)
    else:
        left, values, right = torch.svd(matrix)
        right = right.t()
    # Vectors may come with either sign; their product is the matrix again.
    return (values, (left * values).matmul(right))
