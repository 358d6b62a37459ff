"""``validator check``: one environment on one target, judged from facts; nothing is run."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from validator.base.errors import ExitCode, InvalidInputError
from validator.cli.output import Output

if TYPE_CHECKING:
    from validator.facts import Facts
    from validator.model import Prediction

#: Characters; an image reference with registry and digest has less.
_LONGEST_VALUE = 500
#: The CUDA build as the end of a torch version says it.
_BUILD = re.compile(r"\+(cpu|cu\d{2,4})$", re.IGNORECASE)
_EXIT = {"pass": ExitCode.OK, "degraded": ExitCode.OK, "fail": ExitCode.FAILED, "unknown": ExitCode.NOT_FOUND_OUT}


@click.command("check")
@click.option("--torch", help="torch version: 2.7.1, 2.1.0+cu121.")
@click.option("--cuda", help="CUDA version of the torch build (12.8, cu128) or cpu. The host's own toolkit plays no part.")
@click.option("--python", help="Python version: 3.12, 3.13t.")
@click.option("--image", metavar="REF", help="Image reference; its tag tells what is not given.")
@click.option("--gpu", metavar="NAME", help='As NVML prints it ("Tesla V100-SXM2-32GB"), or short (A100, 4090, T4).')
@click.option("--cc", metavar="X.Y", help="Compute capability in place of a name, or beside one: 12.0.")
@click.option("--driver", help="Driver: 580.95.05, a branch (535), or what nvidia-smi shows (CUDA 12.2).")
@click.option(
    "--platform",
    type=click.Choice(["linux_x86_64", "linux_aarch64", "windows"]),
    default="linux_x86_64",
    show_default=True,
)
@click.option("--numpy", metavar="VERSION", help="numpy beside torch.")
@click.option("--glibc", metavar="VERSION", help="C library of the image: 2.27.")
@click.option(
    "--need", "needs", multiple=True, metavar="LIST", help="What it must be able to do: bf16, fp8, compile, torch.amp.GradScaler."
)
@click.option(
    "--open-modules/--proprietary-modules",
    "open_modules",
    default=None,
    help="Flavour of the kernel modules; not judged if not given.",
)
@click.option("--facts", "overlay", type=click.Path(path_type=Path), help="A facts file of your own, laid over the shipped ones.")
@click.option("--format", "format_name", type=click.Choice(["text", "json"]), default="text", show_default=True)
@click.pass_obj
def command(output: Output, /, overlay: Path | None, format_name: str, **given: Any) -> None:
    """Judge one environment on one target from facts; runs nothing.

    Every option may be left out: what is not given is not judged, and the answer says under which assumption it holds.

    \b
    Exit codes: 0 pass or degraded, 1 fail, 4 unknown (the facts do not reach that far), 3 a value that is none.
    Example:
      validator check --torch 2.7.1 --cuda 12.8 --gpu "Tesla V100-SXM2-32GB" --driver 570.124.06
    """
    from validator.facts import load

    facts = load(overlay)
    prediction = _judge(given, facts)
    output.result(json.dumps(as_json(prediction), indent=2) if format_name == "json" else _text(prediction))
    raise click.exceptions.Exit(_EXIT[prediction.status.value])


def _judge(given: dict[str, Any], facts: Facts) -> Prediction:
    """Raises InvalidInputError where nothing is given, or a value is none."""
    from validator.rules import Place, Subject, judge

    values: dict[str, Any] = {name: value.strip() if isinstance(value, str) else value for name, value in given.items()}
    if empty := next((name for name, value in values.items() if value == ""), None):
        raise InvalidInputError(f"--{empty} is empty", hint="give a value, or leave the option out: it is then not judged")
    if long := next((name for name, value in values.items() if isinstance(value, str) and len(value) > _LONGEST_VALUE), None):
        raise InvalidInputError(f"--{long} has {len(values[long])} characters", why=f"no value has more than {_LONGEST_VALUE}")
    axes = ("torch", "cuda", "python", "image", "gpu", "cc", "driver")
    if not any(values[name] for name in axes):
        raise InvalidInputError(
            "there is nothing to judge",
            why="no torch, CUDA, Python, image, GPU or driver is given",
            hint="validator check --torch 2.7.1 --cuda 12.8 --gpu T4 --driver 535.183.01",
        )
    _agree(values)
    subject = Subject(
        torch=values["torch"],
        cuda=values["cuda"],
        python=values["python"],
        image=values["image"],
        platform=values["platform"],
        libc=values["glibc"],
        numpy=values["numpy"],
        needs=needs_of(values["needs"], facts),
    )
    place = Place(
        gpu=values["gpu"],
        compute_capability=values["cc"],
        driver=values["driver"],
        is_container=True if values["image"] else None,
        open_kernel_modules=values["open_modules"],
        has_gpu=values["cuda"] != "cpu" or bool(values["gpu"] or values["cc"] or values["driver"]),
    )
    try:
        return judge(subject, place, facts)
    except ValueError as error:
        raise InvalidInputError(
            str(error), why="one of the values given is not what its option wants", hint="validator check --help has examples"
        ) from None


def _agree(values: dict[str, Any]) -> None:
    """Raises InvalidInputError where a version is none, or two values say different things of one."""
    from validator.base.versions import Dotted, channel_of, torch_version

    for name, read, example in (("numpy", torch_version, "1.26.4"), ("glibc", Dotted, "2.27")):
        try:
            read(values[name] or example)
        except ValueError:
            is_musl = "musl" in values[name].casefold()
            hint = "torch has no wheels for musl (Alpine): take an image with glibc" if is_musl else f"--{name} {example}"
            raise InvalidInputError(f"--{name}: {values[name]!r} is not a version such as {example}", hint=hint) from None
    tag, cuda = _BUILD.search(values["torch"] or ""), values["cuda"]
    if tag is None or not cuda:
        return
    try:
        stated = cuda.casefold() if _BUILD.fullmatch(f"+{cuda}") else channel_of(cuda)
    except ValueError:
        return  # said by the rules, with the rest
    if stated != tag[1].casefold():
        raise InvalidInputError(
            f"--torch {values['torch']} and --cuda {cuda} contradict each other",
            why=f"the torch is the {tag[1]} build",
            hint="leave --cuda out, or name that build",
        )


def needs_of(lists: tuple[str, ...], facts: Facts) -> tuple[str, ...]:
    """The words of --need. Raises InvalidInputError for one that no fact is about."""
    known = {"fp16", *(row.name for row in facts.boundaries.values() if "-3." not in row.name)}
    wanted = [word for text in lists for word in text.replace(",", " ").split()]
    for word in wanted:
        if word not in known:
            raise InvalidInputError(f"--need {word!r} is not known", hint=f"there are: {', '.join(sorted(known))}")
    return tuple(dict.fromkeys(wanted))


def as_json(prediction: Prediction) -> dict[str, Any]:
    """The answer in the words of results.json."""
    return {
        "verdict": prediction.status.value,
        "basis": prediction.basis.value,
        "findings": [
            {
                "cause": row.cause,
                "family": row.family,
                "severity": row.severity.value,
                "message": row.message,
                "evidence": list(row.evidence),
                "remedy": row.remedy,
                "source": row.source,
            }
            for row in prediction.findings
        ],
        "assumptions": [each.text for each in prediction.assumptions],
        "missing": [each.text for each in prediction.missing],
    }


def _text(prediction: Prediction) -> str:
    lines = [f"{prediction.status.value}  ({prediction.basis.value}; nothing was run)"]
    for row in prediction.findings:
        lines += ["", f"{row.severity.value}: {row.message}  [{row.cause}]"]
        lines += [f"    {evidence}" for evidence in row.evidence]
        if row.remedy:
            lines.append(f"    try: {row.remedy}")
        if row.source:
            lines.append(f"    source: {row.source}")
    for title, sentences in (("not known", prediction.missing), ("assumed", prediction.assumptions)):
        if sentences:
            lines += ["", f"{title}:", *(f"  - {sentence}" for sentence in sentences)]
    return "\n".join(lines)
