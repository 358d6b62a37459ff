"""Images for the docker runner: pulled or built, and always known by digest afterwards."""

from __future__ import annotations

import re
import tempfile
import time
from collections import deque
from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Any

import docker
from docker.errors import APIError, ImageNotFound

from validator.base.errors import AcquireError
from validator.base.redact import redact
from validator.base.text import one_line
from validator.facts.image_names import split_reference
from validator.model import BuiltImage, Content, Environment, Matrix, PulledImage
from validator.runners import labels
from validator.runners.base import OnLine, Prepared
from validator.runners.docker.build_context import BuildRequest, build_request, write_tar
from validator.runners.docker.engine import CONNECTION_ERRORS, engine_words

#: Repository of built images; the tag is the build's key, so one that was built before is found again.
BUILT_REPOSITORY = "validator/env"
#: Lines of a failed build that are quoted.
_TAIL_LINES = 12
#: Seconds that a build step may go without output: unpacking a large wheel prints nothing.
_SILENCE_SECONDS = 1800
#: Variables that decide whether and how a GPU is let in, and those that name the versions inside.
_VARIABLES = re.compile(r"(?:NVIDIA_(?:REQUIRE_\w{1,40}|DISABLE_REQUIRE|VISIBLE_DEVICES|DRIVER_CAPABILITIES|\w{1,20}_VERSION)|"
                        r"LD_LIBRARY_PATH|(?:NV_)?CUDA_(?:LIB_|DRIVER_)?VERSION|(?:PYTORCH|TORCH|CUDNN|NCCL)_VERSION)", re.ASCII)
_LABELS = re.compile(r"com\.nvidia\.[\w.]{1,80}|[\w./-]{0,60}(?:torch|cuda)[\w./-]{0,60}", re.ASCII | re.IGNORECASE)
_VALUES = 32
#: NVIDIA_REQUIRE_CUDA lists every brand and branch: about 2,400 characters in CUDA 12.
_VALUE_CHARACTERS = 8000


class Images:
    """Acquires the images of one matrix from one engine; ``marks`` are labels put on every image that is built."""

    def __init__(self, client: docker.APIClient, matrix: Matrix, marks: Mapping[str, str]) -> None:
        self._client = client
        self._matrix = matrix
        self._marks = marks

    def acquire(self, environment: Environment, on_line: OnLine) -> Prepared:
        """The environment's image, ready in the engine.

        Raises AcquireError with the engine's own words. A pull that was asked for and fails is an error even where the
        engine has an older image: a stale image would be measured under the new one's name.
        """
        began = time.monotonic()
        notes: tuple[str, ...] = ()
        try:
            if isinstance(environment.source, PulledImage):
                reference = self._pulled(environment.source.reference, on_line)
            elif isinstance(environment.source, BuiltImage):
                reference, notes = self._built(environment, on_line)
            else:
                raise AcquireError(f"{environment.id} has no image", hint="measure it with --runner local")
            image = self._client.inspect_image(reference)
        except APIError as error:
            raise AcquireError(f"the engine could not prepare the image of {environment.id}", why=engine_words(error)) from error
        except CONNECTION_ERRORS as error:
            raise AcquireError(
                f"the engine stopped answering while it prepared the image of {environment.id}",
                why=engine_words(error),
                hint="look at the engine (`docker info`) and run again",
            ) from error
        except OSError as error:
            raise AcquireError(
                f"the build context of {environment.id} cannot be made",
                why=f"{error.filename or 'its temporary file'}: {error.strerror or error}",
                hint="look at the permissions there and at the room on that disk; TMPDIR moves the temporary file",
            ) from error
        return Prepared(
            handle=image["Id"],
            digest=_digest(image),
            entrypoint=tuple(str(part) for part in image.get("Config", {}).get("Entrypoint") or ()),
            notes=notes,
            seconds=time.monotonic() - began,
            image=described(image),
        )

    # ------------------------------------------------------------ pull

    def _pulled(self, reference: str, on_line: OnLine) -> str:
        policy = self._matrix.pull
        if policy != "always":
            try:
                self._client.inspect_image(reference)
                return reference
            except ImageNotFound:
                if policy == "never":
                    raise AcquireError(
                        f"the engine has no image {reference}",
                        why="`pull: never` forbids fetching it",
                        hint=f"`docker pull {reference}` by hand, or set `pull: missing`",
                    ) from None
        on_line(f"pulling {reference}")
        try:
            self._pull(reference, on_line)
        except APIError as error:
            raise _pull_error(reference, engine_words(error)) from error
        return reference

    def _pull(self, reference: str, on_line: OnLine) -> None:
        parts = split_reference(reference)
        # Without a tag docker-py would fetch every tag of the repository.
        stream = self._client.pull(parts.repository, tag=parts.digest or parts.tag or "latest", stream=True, decode=True)
        layers: dict[str, str] = {}
        for message in stream:
            if "error" in message:
                raise _pull_error(reference, one_line(str(message["error"]), 500))
            if layer := message.get("id"):
                status = str(message.get("status", ""))
                if layers.get(layer) != status and status in ("Download complete", "Pull complete"):
                    on_line(f"pulling {reference}: layer {one_line(str(layer), 20)} {status.lower()}")
                layers[layer] = status

    # ------------------------------------------------------------ build

    def _built(self, environment: Environment, on_line: OnLine) -> tuple[str, tuple[str, ...]]:
        request = build_request(environment, self._matrix.packages, self._matrix.build)
        tag = f"{BUILT_REPOSITORY}:{request.key[:32]}"
        if self._matrix.pull != "always":
            try:
                self._client.inspect_image(tag)
                return tag, request.notes
            except ImageNotFound:
                pass
        on_line(f"building {environment.id}")
        self._build(environment, request, tag, on_line)
        return tag, request.notes

    def _build(self, environment: Environment, request: BuildRequest, tag: str, on_line: OnLine) -> None:
        tail: deque[str] = deque(maxlen=_TAIL_LINES)
        with tempfile.TemporaryFile(prefix="validator-context-") as context:
            write_tar(request, context)
            context.seek(0)
            stream = self._client.build(
                fileobj=context,
                custom_context=True,
                dockerfile=request.dockerfile,
                buildargs=dict(request.args),
                labels={labels.BUILT: environment.id, **self._marks},
                network_mode=request.network,
                tag=tag,
                rm=True,
                forcerm=True,  # intermediate containers go also when the build fails or is interrupted
                pull=self._matrix.pull == "always",
                decode=True,
                timeout=_SILENCE_SECONDS,
            )
            try:
                self._watch(environment, stream, tail, on_line)
            finally:
                # Closing the stream is what tells the engine to cancel a build that was interrupted.
                stream.close()

    def _watch(
        self, environment: Environment, stream: Iterable[Mapping[str, Any]], tail: deque[str], on_line: OnLine
    ) -> None:
        for message in stream:
            if "error" in message:
                raise AcquireError(
                    f"the image of {environment.id} could not be built: {redact(one_line(str(message['error']), 500))}",
                    why="the build's last lines:\n    " + "\n    ".join(tail) if tail else "",
                    hint="if the package index was not reached: set `packages.index` for a mirror, `packages.find_links` for "
                    "a folder of wheels, or `build: {network: host}` in matrix.yaml; if the base image was not found: set "
                    "`args: {BASE_IMAGE: …}`",
                )
            if text := redact(one_line(str(message.get("stream", "")), 300)):
                tail.append(text)
                on_line(text)


def described(image: Mapping[str, Any]) -> Content:
    """What an image says of itself that matters for GPUs: platform, variables, labels. All of it is untrusted text."""
    config = image.get("Config") or {}
    pairs = (str(entry).partition("=") for entry in config.get("Env") or ())
    platform = "/".join(str(image[key]) for key in ("Os", "Architecture") if image.get(key))
    return Content(
        platform=one_line(platform) or None,
        variables=_chosen(_VARIABLES, ((name, value) for name, _, value in pairs)),
        labels=_chosen(_LABELS, (config.get("Labels") or {}).items()),
        from_image=True,
    )


def _chosen(names: re.Pattern[str], pairs: Iterable[tuple[str, object]]) -> dict[str, str]:
    found = ((str(name), value) for name, value in pairs if names.fullmatch(str(name)))
    return {name: one_line(str(value), _VALUE_CHARACTERS) for name, value in islice(found, _VALUES)}


def _digest(image: Mapping[str, Any]) -> str:
    """The registry's digest where the image came from one, else the image's own id."""
    for reference in image.get("RepoDigests") or ():
        _, at, digest = str(reference).rpartition("@")
        if at:
            return digest
    return str(image["Id"])


def _pull_error(reference: str, words: str) -> AcquireError:
    return AcquireError(
        f"{reference} could not be pulled",
        why=f"the engine says: {words}",
        hint=f"check the name with `docker pull {reference}`; log in with `docker login` where the registry wants it",
    )
