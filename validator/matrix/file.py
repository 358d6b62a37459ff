"""The format of matrix.yaml, version 1: pydantic models of the file, with what its JSON Schema says of every key."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    WithJsonSchema,
)

from validator.catalogue.checks import registry
from validator.matrix import user_model, values

# An editor's YAML parser makes numbers of unquoted versions; the loader reads the text. So the schema allows both.
_NUMBER_LIKE: dict[str, Any] = {"type": ["string", "number"]}
_SCALAR: dict[str, Any] = {"type": ["string", "number", "boolean"]}
_INTEGER_LIKE: dict[str, Any] = {"type": ["string", "integer"]}


def _one_or_many(value: object) -> object:
    return (value,) if isinstance(value, str) else value


def _from_text(parse: Callable[[str], object]) -> BeforeValidator:
    """Convert text by its own grammar; anything else goes on to pydantic, which refuses its type."""
    return BeforeValidator(lambda value: parse(value) if isinstance(value, str) else value)


def _axis(item: dict[str, Any]) -> WithJsonSchema:
    return WithJsonSchema({"anyOf": [item, {"type": "array", "items": item, "minItems": 1, "uniqueItems": True}]})


_Texts = Annotated[tuple[str, ...], Field(min_length=1), BeforeValidator(_one_or_many)]
VersionAxis = Annotated[_Texts, _axis(_NUMBER_LIKE)]
FreeAxis = Annotated[_Texts, _axis(_SCALAR)]
Text = Annotated[str | None, WithJsonSchema({"type": "string"})]
VersionText = Annotated[str | None, WithJsonSchema(_NUMBER_LIKE)]
Scalar = Annotated[str, WithJsonSchema(_SCALAR)]
AxisName = Annotated[str, AfterValidator(values.axis_name)]
FreeAxisName = Annotated[str, AfterValidator(values.free_axis_name)]
ArgName = Annotated[str, AfterValidator(values.build_arg_name)]
ArgValue = Annotated[str, AfterValidator(values.build_arg_value), WithJsonSchema(_SCALAR)]
Url = Annotated[str, AfterValidator(values.url)]
Duration = Annotated[float | None, _from_text(values.duration), WithJsonSchema(_INTEGER_LIKE)]
Size = Annotated[int | None, _from_text(values.size), WithJsonSchema(_INTEGER_LIKE)]
Count = Annotated[int | None, _from_text(values.process_count), WithJsonSchema(_INTEGER_LIKE)]
EnvironmentRow = Annotated[dict[AxisName, Scalar], Field(min_length=1)]
LevelName = Literal["required", "advisory", "skip"]


class Section(BaseModel):
    """A mapping of the file; a key it does not know is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class EnvironmentEntry(Section):
    """One or more images that differ by their axes. Exactly one of `image`, `build` and `interpreter`."""

    model_config = ConfigDict(
        title="Environment", json_schema_extra={"oneOf": [{"required": [key]} for key in ("image", "build", "interpreter")]}
    )

    image: Text = Field(None, examples=["pytorch/pytorch:{torch}-cuda{cuda}-cudnn9-runtime"])
    """Reference of an image to pull; `{axis}` stands for the value of an axis."""
    build: Text = Field(None, examples=["images/wheel"])
    """Folder with a Dockerfile, relative to this file. The axes become build arguments."""
    interpreter: Text = Field(None, examples=["/opt/conda/bin/python"])
    """Python interpreter of this machine, used as it stands (local runner only)."""
    torch: VersionAxis = Field((), examples=[["2.13.0"]])
    """Axis: torch versions."""
    cuda: VersionAxis = Field((), examples=[["12.8", "cpu"]])
    """Axis: CUDA versions of the torch build, or `cpu`."""
    python: VersionAxis = Field((), examples=[["3.11"]])
    """Axis: Python versions."""
    axes: dict[FreeAxisName, FreeAxis] = Field({}, examples=[{"cudnn": ["9"]}])
    """More axes by name, for placeholders and build arguments (upper case)."""
    include: list[EnvironmentRow] = Field([], examples=[[{"torch": "2.13.0", "cuda": "13.0"}]])
    """Rows that extend the combinations they match, or add one (as in GitHub Actions)."""
    exclude: list[EnvironmentRow] = Field([], examples=[[{"torch": "2.6.0", "cuda": "12.8"}]])
    """Rows that remove every combination they match (as in GitHub Actions); before `include`."""
    name: Text = Field(None, examples=["torch{torch}-cuda{cuda}"])
    """Template of the id, in place of the one made from the axes."""
    python_command: Annotated[str | None, AfterValidator(values.command), WithJsonSchema({"type": "string"})] = Field(
        None, examples=["python3"]
    )
    """The interpreter inside the image; `python3` unless set."""
    entrypoint: Annotated[Literal["image", "none"] | None, WithJsonSchema({"type": "string", "enum": ["image", "none"]})] = Field(
        None, examples=["none"]
    )
    """`image` runs the image's own ENTRYPOINT, as it runs for its users; `none` leaves it out."""
    args: dict[ArgName, ArgValue] = Field({}, examples=[{"BASE_IMAGE": "debian:bookworm"}])
    """Build arguments; values may hold `{axis}`."""
    requirements: list[Annotated[str, AfterValidator(values.requirement)]] = Field(["numpy"], examples=[["numpy<2"]])
    """What is installed beside torch (PEP 508)."""


class TargetRow(Section):
    """A combination of a target's axes, for `include` and `exclude`."""

    model_config = ConfigDict(title="Target row", json_schema_extra={"minProperties": 1})

    gpu: Text = Field(None, examples=["NVIDIA L4"])
    """GPU name."""
    compute_capability: VersionText = Field(None, examples=["9.0"])
    """Compute capability."""
    driver: VersionText = Field(None, examples=["580.95.05"])
    """Driver version."""


class TargetEntry(Section):
    """GPUs and drivers that environments run on. One of `gpu` and `compute_capability`."""

    model_config = ConfigDict(
        title="Target",
        json_schema_extra={
            "anyOf": [{"required": [key]} for key in ("gpu", "compute_capability", "include")],
            "not": {"required": ["gpu", "compute_capability"]},
        },
    )

    gpu: FreeAxis = Field((), examples=[["Tesla T4", "NVIDIA A100-SXM4-80GB"]])
    """Axis: GPU names, as nvidia-smi prints them."""
    compute_capability: VersionAxis = Field((), examples=[["9.0"]])
    """Axis: compute capabilities, in place of GPU names."""
    driver: VersionAxis = Field((), examples=[["580.95.05"]])
    """Axis: driver versions."""
    include: list[TargetRow] = Field([], examples=[[{"gpu": "NVIDIA L4", "driver": "580.95.05"}]])
    """Rows that extend the combinations they match, or add one (as in GitHub Actions)."""
    exclude: list[TargetRow] = Field([], examples=[[{"gpu": "Tesla T4", "driver": "535.183.01"}]])
    """Rows that remove every combination they match (as in GitHub Actions); before `include`."""


class LimitsEntry(Section):
    """Limits of one container; those left out have the defaults of the product."""

    model_config = ConfigDict(title="Limits")

    timeout: Duration = Field(None, examples=["10m"])
    """Time for a cell: `90`, `90s`, `10m`, `1h30m`."""
    memory: Size = Field(None, examples=["16g"])
    """Memory: `512m`, `16g`, `1.5g`; units are powers of 1024."""
    shm: Size = Field(None, examples=["1g"])
    """Size of /dev/shm."""
    scratch: Size = Field(None, examples=["4g"])
    """Size of the scratch folder, which is memory."""
    pids: Count = Field(None, examples=["1024"])
    """Number of processes and threads."""


class BuildEntry(Section):
    """Options of image builds."""

    model_config = ConfigDict(title="Build options")

    network: Annotated[str | None, AfterValidator(values.network_mode), WithJsonSchema({"type": "string"})] = Field(
        None, examples=["host"]
    )
    """Network of the build: `host`, `none`, or a network's name; the engine's own unless set."""


class PackagesEntry(Section):
    """Package sources; they win over what this machine has configured for pip and uv."""

    model_config = ConfigDict(title="Package sources")

    index: Annotated[str | None, AfterValidator(values.url), WithJsonSchema({"type": "string"})] = Field(
        None, examples=["https://pypi.org/simple"]
    )
    """URL of the package index."""
    extra_indexes: list[Url] = Field([], examples=[["https://wheels.example.com/simple"]])
    """URLs of more indexes."""
    find_links: list[str] = Field([], examples=[["wheels"]])
    """URLs, or folders (relative to this file), that hold wheels."""
    channel_url: Annotated[str | None, AfterValidator(values.channel_url), WithJsonSchema({"type": "string"})] = Field(
        None, examples=["https://download.pytorch.org/whl/{channel}"]
    )
    """URL of the PyTorch channel with `{channel}` in it; with an empty text no channel is asked."""


class ModelEntry(Section):
    """A model of your own that is trained in every environment. One of `file` and `module`."""

    model_config = ConfigDict(title="Model", json_schema_extra={"oneOf": [{"required": [key]} for key in ("file", "module")]})

    file: Text = Field(None, examples=["net.py"])
    """Python file that makes it, relative to this file; the file travels into every environment."""
    module: Annotated[str | None, AfterValidator(user_model.dotted), WithJsonSchema({"type": "string"})] = Field(
        None, examples=["torchvision.models"]
    )
    """Module that makes it, installed inside the environments."""
    factory: Annotated[str, AfterValidator(user_model.dotted)] = Field(examples=["build"])
    """Function or class that is called without arguments and returns the model."""
    input: Annotated[str, AfterValidator(user_model.shapes)] = Field(examples=["3x640x640"])
    """Shape of one sample, without the batch; several inputs with commas between."""
    dtype: Annotated[str | None, AfterValidator(user_model.dtypes), WithJsonSchema({"type": "string"})] = Field(
        None, examples=["float32", "long:30000"]
    )
    """Dtype of the input, or one for each with commas between; `long:1000` are integers below 1000."""
    loss: Annotated[str | None, AfterValidator(user_model.dotted), WithJsonSchema({"type": "string"})] = Field(
        None, examples=["auto", "mean", "cross_entropy"]
    )
    """`auto`, `mean`, `cross_entropy`, or the name of a function of the file: result of the model → loss."""
    batch: Annotated[str | None, AfterValidator(user_model.batch), WithJsonSchema(_INTEGER_LIKE)] = Field(None, examples=["2"])
    """Samples in a batch; 0 leaves out the batch dimension."""
    amp: Annotated[str | None, AfterValidator(user_model.amp_dtype), WithJsonSchema({"type": "string"})] = Field(
        None, examples=["bfloat16"]
    )
    """Dtype of autocast: `float16` or `bfloat16`; unless set, what the device supports."""


def _target_kind(value: object) -> str:
    # The tags become part of pydantic's location; no key of a file can be mistaken for these.
    return "<host>" if isinstance(value, str) else "<target>"


TargetItem = Annotated[
    Annotated[Literal["host"], Tag("<host>")] | Annotated[TargetEntry, Tag("<target>")], Discriminator(_target_kind)
]


class MatrixFile(Section):
    """Environments × targets: which images are validated on which GPUs and drivers."""

    model_config = ConfigDict(title="matrix.yaml")

    version: Annotated[Literal["1"], WithJsonSchema({"enum": [1, "1"]})] = Field(examples=["1"])
    """Version of this format."""
    environments: Annotated[list[EnvironmentEntry], Field(min_length=1)] = Field(
        examples=[[{"image": "pytorch/pytorch:2.6.0-cuda12.4-cudnn9-runtime"}]]
    )
    """What is inside the images, and where they come from."""
    targets: Annotated[list[TargetItem], Field(min_length=1)] = Field(
        ["host"], examples=[["host", {"gpu": "Tesla T4", "driver": "535.183.01"}]]
    )
    """What they run on; `host` is this machine."""
    facts: Text = Field(None, examples=["my-facts.yaml"])
    """File of facts of your own, relative to this file, laid over the shipped ones (see docs/facts.md)."""
    checks: dict[str, LevelName] = Field(
        {}, examples=[{"train_amp_bf16": "advisory"}], json_schema_extra={"propertyNames": {"enum": list(registry())}}
    )
    """How much each check counts: `required`, `advisory` or `skip`."""
    limits: LimitsEntry = Field(LimitsEntry(), examples=[{"timeout": "10m", "memory": "16g"}])
    """What one container may use."""
    pull: Literal["missing", "always", "never"] = Field("missing", examples=["missing"])
    """When images are pulled."""
    build: BuildEntry = Field(BuildEntry(), examples=[{"network": "host"}])
    """How images are built."""
    packages: PackagesEntry = Field(PackagesEntry(), examples=[{"index": "https://pypi.org/simple"}])
    """Package sources."""
    model: ModelEntry | None = Field(
        None, examples=[{"file": "net.py", "factory": "build", "input": "3x640x640"}]
    )
    """A model of your own, trained in every environment."""
    expect: dict[str, Literal["pass", "degraded", "fail"]] = Field({}, examples=[{"torch1.13*@v100*": "fail"}])
    """Statuses that cells are expected to have, by glob over their ids."""
