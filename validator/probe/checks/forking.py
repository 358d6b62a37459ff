"""``fork``: what happens to torch in a forked process, as data loaders and servers make them."""

from typing import Any, Dict

from .. import children
from ..context import Context, Result

_SECONDS = 30.0


def run(context: Context) -> Result:
    """Fork after work on the CPU, and compute in the child; after CUDA was used, the child must be refused in clear words."""
    torch = context.torch
    torch.randn(300, 300).matmul(torch.randn(300, 300))  # starts the threads that a child will not have
    metrics: Dict[str, Any] = {}
    answer = children.run([lambda: _on_cpu(torch)], _SECONDS)[0]
    metrics["cpu_child"] = answer.status
    if answer.status == "hung":
        metrics["cause"] = "hang"
        said = "a forked child with a single thread had not finished a matrix product after {:g} s"
        return Result("fail", said.format(_SECONDS), metrics)
    if (answer.status, answer.text) != ("returned", "True"):
        return Result("fail", "a forked child {}: {}".format(answer.status, answer.text or "no message"), metrics)
    if not context.on_gpu:
        return Result("pass", "a forked child computes on the CPU", metrics)
    torch.zeros(1, device="cuda")  # CUDA is in use from here on
    answer = children.run([lambda: _on_gpu(torch)], _SECONDS)[0]
    context.sync()
    return judged_on_gpu(answer, metrics)


def judged_on_gpu(answer: children.Answer, metrics: Dict[str, Any]) -> Result:
    """The verdict on a child that used CUDA after its parent had."""
    metrics["cuda_child"] = answer.status
    metrics["cuda_child_said"] = answer.text
    if answer.status == "raised" and "forked subprocess" in answer.text:
        return Result("pass", "a forked child computes on the CPU, and is told that CUDA cannot be used after a fork", metrics)
    if answer.status == "hung":
        metrics["cause"] = "hang"
        return Result("warn", "a child forked after CUDA was used hangs when it uses CUDA", metrics)
    said = "a child forked after CUDA was used is not told that it cannot use CUDA: {} ({})"
    return Result("warn", said.format(answer.text or "no message", answer.status), metrics)


def _on_cpu(torch: Any) -> bool:
    # As torch's own data loaders do it in their workers. With more threads, a child whose parent has computed waits for ever
    # for threads of the OpenMP library that the fork did not copy.
    torch.set_num_threads(1)
    ones = torch.ones(64, 64)
    return bool((ones.matmul(ones) == 64).all().item())


def _on_gpu(torch: Any) -> float:
    return float(torch.zeros(1, device="cuda").sum().item())
