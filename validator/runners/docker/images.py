"""Images for the docker runner: pulled or built, and always known by digest afterwards."""

from __future__ import annotations

import re
import tempfile
import threading
import time
from collections import deque
from collections.abc import Iterable, Mapping
from contextlib import closing, suppress
from functools import partial
from itertools import islice
from typing import IO, Any, NoReturn

from docker.errors import APIError, ImageNotFound

from validator.base.errors import AcquireError, EngineUnavailableError
from validator.base.redact import redact
from validator.base.stopping import Stop
from validator.base.text import one_line
from validator.facts.image_names import split_reference
from validator.model import BuiltImage, Content, Environment, Matrix, PulledImage
from validator.runners import labels
from validator.runners.base import OnLine, Prepared
from validator.runners.docker.build_context import BuildRequest, build_request, write_tar
from validator.runners.docker.clients import Clients, Link
from validator.runners.docker.engine import CONNECTION_ERRORS, break_off, engine_words
from validator.runners.docker.heeding import heeding
from validator.runners.docker.once_each import in_use, only_one, unused
from validator.runners.docker.passing import is_passing
from validator.runners.docker.room import Room, data_root

#: Repository of built images; the tag is the build's key, so one that was built before is found again.
BUILT_REPOSITORY = "validator/env"
#: Lines of a failed build that are quoted.
_TAIL_LINES = 12
#: Seconds that a build step may go without output: unpacking a large wheel prints nothing.
_SILENCE_SECONDS = 1800
#: Seconds between two lines that tell how far a pull is.
_PROGRESS_SECONDS = 2.0
#: Volumes of an image that are looked at; no image has as many.
_VOLUMES = 64
#: How an engine tells that a step of a build has failed.
_STEP_FAILED = re.compile(r"returned a non-zero code|did not complete successfully", re.ASCII)
#: Variables that decide whether and how a GPU is let in, and those that name the versions inside.
_VARIABLES = re.compile(r"(?:NVIDIA_(?:REQUIRE_\w{1,40}|DISABLE_REQUIRE|VISIBLE_DEVICES|DRIVER_CAPABILITIES|\w{1,20}_VERSION)|"
                        r"LD_LIBRARY_PATH|(?:NV_)?CUDA_(?:LIB_|DRIVER_)?VERSION|(?:PYTORCH|TORCH|CUDNN|NCCL)_VERSION)", re.ASCII)
_LABELS = re.compile(r"com\.nvidia\.[\w.]{1,80}|[\w./-]{0,60}(?:torch|cuda)[\w./-]{0,60}", re.ASCII | re.IGNORECASE)
_VALUES = 32
#: NVIDIA_REQUIRE_CUDA lists every brand and branch: about 2,400 characters in CUDA 12.
_VALUE_CHARACTERS = 8000


class Images:
    """Acquires the images of one matrix from one engine, for several threads at once.

    The same reference is pulled once and equal builds are built once, among all threads and all processes of the user.
    """

    def __init__(self, clients: Clients, matrix: Matrix, owner: str, stop: Stop) -> None:
        self._clients = clients
        self._matrix = matrix
        self._marks = {labels.OWNER: owner}
        self._stop = stop
        self._lock = threading.Lock()
        self._room: Room | None = None
        self._fresh: set[str] = set()
        """References that this run has brought up to date: they are not pulled or built a second time."""
        self._brought: dict[str, set[str]] = {}
        """By image, the references under which this run brought it."""
        self._users: dict[str, int] = {}
        """By image, how often it was acquired and not discarded."""
        self._uses: dict[str, IO[bytes]] = {}
        """By image, what tells other runs that it is in use."""

    def acquire(self, environment: Environment, on_line: OnLine) -> Prepared:
        """The environment's image, ready in the engine.

        Raises AcquireError with the engine's own words, EngineUnavailableError, or InterruptedRunError once the run is to end.
        A pull that was asked for and fails is an error even where the engine has an older image: a stale image would be
        measured under the new one's name.
        """
        began = time.monotonic()
        notes: tuple[str, ...] = ()
        try:
            with self._clients.lend() as link:
                if isinstance(environment.source, PulledImage):
                    reference = environment.source.reference
                    self._pulled(link, reference, on_line)
                elif isinstance(environment.source, BuiltImage):
                    reference, notes = self._built(link, environment, on_line)
                else:
                    raise AcquireError(f"{environment.id} has no image", hint="measure it with --runner local")
                image = link.client.inspect_image(reference)
        except APIError as error:
            words = engine_words(error)
            raise AcquireError(
                f"the engine could not prepare the image of {environment.id}", why=words, transient=is_passing(words, "image")
            ) from error
        except CONNECTION_ERRORS as error:
            raise AcquireError(
                f"the engine stopped answering while it prepared the image of {environment.id}",
                why=engine_words(error),
                hint="look at the engine (`docker info`) and run again",
                transient=True,
            ) from error
        except OSError as error:
            raise AcquireError(
                f"the build context of {environment.id} cannot be made",
                why=f"{error.filename or 'its temporary file'}: {error.strerror or error}",
                hint="look at the permissions there and at the room on that disk; TMPDIR moves the temporary file",
            ) from error
        return self._prepared(image, notes, time.monotonic() - began)

    def _prepared(self, image: Mapping[str, Any], notes: tuple[str, ...], seconds: float) -> Prepared:
        identity = str(image["Id"])
        config = image.get("Config") or {}
        volumes = tuple(islice((str(path) for path in config.get("Volumes") or {}), _VOLUMES))
        with self._lock:
            self._users[identity] = self._users.get(identity, 0) + 1
            if identity not in self._uses and (use := in_use(use_of(identity))):
                self._uses[identity] = use
            was_there = identity not in self._brought
        if volumes:
            named = ", ".join(one_line(path, 60) for path in volumes[:5]) + (", …" if len(volumes) > 5 else "")
            notes = (*notes, f"the image's volumes ({named}) are empty folders in memory here")
        return Prepared(
            handle=identity,
            digest=_digest(image),
            entrypoint=tuple(str(part) for part in config.get("Entrypoint") or ()),
            notes=notes,
            seconds=seconds,
            identity=identity,
            was_there=was_there,
            image=described(image),
            volumes=volumes,
        )

    def discard(self, prepared: Prepared) -> None:
        """Remove an image that this run brought, once as often as it was acquired, unless another run of this user uses it.

        Only the names that it was brought under are removed, so one that has other names stays, as does one that a container
        stands on. Nothing is raised: what stays is only room on a disk.
        """
        image = prepared.handle
        with self._lock:
            self._users[image] = self._users.get(image, 0) - 1
            if self._users[image] > 0:
                return
            names = self._brought.pop(image, set())
            self._fresh -= names
            if use := self._uses.pop(image, None):
                use.close()
        alone = unused(use_of(image)) if names else None
        if alone is None:
            return
        with alone, suppress(APIError, EngineUnavailableError, *CONNECTION_ERRORS), self._clients.lend() as link:
            for name in sorted(names):
                # Steps of a build that nothing else stands on go with it; images with a name, and their layers, never do.
                link.client.remove_image(name, force=False, noprune=False)

    def close(self) -> None:
        """Tell other runs that nothing is in use here any more."""
        with self._lock:
            uses, self._uses = self._uses, {}
        for use in uses.values():
            use.close()

    def _key(self, link: Link, what: str) -> str:
        return f"{link.client.base_url} {what}"

    def _is_here(self, link: Link, reference: str) -> str | None:
        """The id of an image that the engine has, else None."""
        try:
            return str(link.client.inspect_image(reference)["Id"])
        except ImageNotFound:
            return None

    def _came(self, reference: str, before: str | None, after: str) -> None:
        """A reference was brought up to date."""
        with self._lock:
            self._fresh.add(reference)
            if after != before:
                self._brought.setdefault(after, set()).add(reference)

    # ------------------------------------------------------------ pull

    def _pulled(self, link: Link, reference: str, on_line: OnLine) -> None:
        policy = self._matrix.pull
        if policy != "always" and self._is_here(link, reference):
            return
        if policy == "never":
            raise AcquireError(
                f"the engine has no image {reference}",
                why="`pull: never` forbids fetching it",
                hint=f"`docker pull {reference}` by hand, or set `pull: missing`",
            )
        with only_one(self._key(link, f"pull {reference}"), f"the pull of {reference}", on_line, self._stop):
            before = self._is_here(link, reference)
            if before is not None and (policy != "always" or reference in self._fresh):
                return  # another thread or run brought it while this one waited
            on_line(f"pulling {reference}")
            try:
                self._pull(link, reference, on_line)
            except APIError as error:
                raise _pull_error(reference, engine_words(error)) from error
            self._came(reference, before, self._is_here(link, reference) or _cut_off(f"the pull of {reference}"))

    def _pull(self, link: Link, reference: str, on_line: OnLine) -> None:
        parts, client = split_reference(reference), link.client
        # Without a tag docker-py would fetch every tag of the repository.
        tag = parts.digest or parts.tag or "latest"
        messages = heeding(
            lambda: client.pull(parts.repository, tag=tag, stream=True, decode=True),
            partial(break_off, client),
            self._stop,
            f"the pull of {reference}",
        )
        room = self._on_disk(link)
        pull, told = room.begin(), time.monotonic() - _PROGRESS_SECONDS
        try:
            with closing(messages):
                for message in messages:
                    if "error" in message:
                        raise _pull_error(reference, one_line(str(message["error"]), 500))
                    if pull.take(message):
                        room.check(reference, pull)
                    if pull.total and time.monotonic() - told >= _PROGRESS_SECONDS:
                        told = time.monotonic()
                        on_line(f"pulling {reference}: {pull.fetched >> 20} of {pull.total >> 20} MiB")
        finally:
            room.end(pull)

    def _on_disk(self, link: Link) -> Room:
        if self._room is None:
            room = Room(data_root(link.client.info(), self._clients.address))
            with self._lock:
                self._room = self._room or room  # all pulls of a run share the first that was made
        return self._room

    # ------------------------------------------------------------ build

    def _built(self, link: Link, environment: Environment, on_line: OnLine) -> tuple[str, tuple[str, ...]]:
        request = build_request(environment, self._matrix.packages, self._matrix.build)
        tag = f"{BUILT_REPOSITORY}:{request.key[:32]}"
        always = self._matrix.pull == "always"
        if not always and self._is_here(link, tag):
            return tag, request.notes
        with only_one(self._key(link, f"build {tag}"), f"the build of {environment.id}", on_line, self._stop):
            before = self._is_here(link, tag)
            if before is None or (always and tag not in self._fresh):
                on_line(f"building {environment.id}")
                self._build(link, environment, request, tag, on_line)
                after = self._is_here(link, tag) or _cut_off(f"the build of {environment.id}")
                self._came(tag, before, after)
        return tag, request.notes

    def _build(self, link: Link, environment: Environment, request: BuildRequest, tag: str, on_line: OnLine) -> None:
        tail: deque[str] = deque(maxlen=_TAIL_LINES)
        client = link.client
        with tempfile.TemporaryFile(prefix="validator-context-") as context:
            write_tar(request, context)
            context.seek(0)
            messages = heeding(
                lambda: client.build(
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
                ),
                partial(break_off, client),
                self._stop,
                f"the build of {environment.id}",
            )
            # Ending the answer is what tells the engine to cancel a build that was interrupted.
            with closing(messages):
                self._watch(environment, messages, tail, on_line)

    def _watch(
        self, environment: Environment, stream: Iterable[Mapping[str, Any]], tail: deque[str], on_line: OnLine
    ) -> None:
        for message in stream:
            if "error" in message:
                words = redact(one_line(str(message["error"]), 500))
                raise AcquireError(
                    f"the image of {environment.id} could not be built: {words}",
                    why="the build's last lines:\n    " + "\n    ".join(tail) if tail else "",
                    hint="if the package index was not reached: set `packages.index` for a mirror, `packages.find_links` for "
                    "a folder of wheels, or `build: {network: host}` in matrix.yaml; if the base image was not found: set "
                    "`args: {BASE_IMAGE: …}`",
                    # A step that ended badly is told with its command, which may hold any words.
                    transient=not _STEP_FAILED.search(words) and is_passing(words, "image"),
                )
            if text := redact(one_line(str(message.get("stream", "")), 300)):
                tail.append(text)
                on_line(text)


def _cut_off(what: str) -> NoReturn:
    """The engine told no error, and has no image: it was ended meanwhile."""
    raise AcquireError(
        f"{what} ended without an image",
        why="the engine's answer was cut off",
        hint="look at the engine (`docker info`) and run again",
        transient=True,
    )


def use_of(image: str) -> str:
    """The key of the lock that says of an image, by its id, that a run uses it."""
    return f"image {image}"


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
        transient=is_passing(words, "image"),
    )
