"""``multi_gpu``: each visible GPU computes on its own, and what one hands to another arrives."""

from typing import Any, Dict, List

from ..compare import TOLERANCE, error
from ..context import Context, Result, headline

#: Pairs that are tried; on eight GPUs there are 56.
_PAIRS = 64


def run(context: Context) -> Result:
    """A product on every GPU, and a copy between every pair."""
    if not context.on_gpu:
        return Result("skip", "needs several GPUs", {})
    torch = context.torch
    count = torch.cuda.device_count()
    if count < 2:
        return Result("skip", "only one GPU is visible", {})
    places = ["cuda:{}".format(index) for index in range(count)]
    metrics: Dict[str, Any] = {"gpus": count, "names": [torch.cuda.get_device_name(index) for index in range(count)]}
    faults = computed(torch, places)
    pairs = [(here, there) for here in range(count) for there in range(count) if here != there][:_PAIRS]
    metrics["peer_access_pairs"] = sum(bool(torch.cuda.can_device_access_peer(here, there)) for here, there in pairs)
    metrics["pairs"] = len(pairs)
    faults += copied(torch, [(places[here], places[there]) for here, there in pairs])
    if faults:
        metrics["cause"] = "wrong_results"
        return Result("fail", "; ".join(faults[:4]), metrics)
    said = "{} GPUs compute, and copies between them arrive; {} of {} pairs have peer access"
    return Result("pass", said.format(count, metrics["peer_access_pairs"], len(pairs)), metrics)


def computed(torch: Any, places: List[str]) -> List[str]:
    """What is wrong with a product on each place, a sentence each."""
    torch.manual_seed(19)
    left, right = torch.randn(128, 128), torch.randn(128, 128)
    reference = left.double().matmul(right.double())
    faults = []
    for place in places:
        try:
            off = error(left.to(place).matmul(right.to(place)), reference)
        except RuntimeError as raised:
            raise RuntimeError("{}: {}".format(place, headline(raised))) from raised
        if not off <= TOLERANCE["tf32"]:  # TF32 may be on
            faults.append("a product on {} is off by {:.2g} of the largest value".format(place, off))
    return faults


def copied(torch: Any, pairs: List[Any]) -> List[str]:
    """Which copies between two places arrive changed, a sentence each.

    With an IOMMU or PCIe access control in the way, peer copies can arrive as zeros or stale numbers, and no error is raised.
    """
    faults = []
    for here, there in pairs:
        sent = torch.arange(1 << 20, dtype=torch.float32).to(here)
        arrived = sent.to(there)
        if not bool((arrived.cpu() == sent.cpu()).all().item()):
            faults.append("what {} sends to {} arrives changed".format(here, there))
    return faults
