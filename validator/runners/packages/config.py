"""What this machine has configured for uv and for pip: their environment variables and files, read as each tool reads them.

Both answers use pip's option names (``index-url``, ``extra-index-url``, ``find-links``, ``no-index``, ``trusted-host``, ``cert``,
``client-cert``, ``proxy``). Their use, and which of the two wins, is decided in ``sources``.
"""

from __future__ import annotations

import configparser
import os
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from validator.base.errors import InvalidInputError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

#: Where the system-wide files of both tools lie.
SYSTEM_FOLDER = Path("/etc")

_PIP_OPTIONS = ("index-url", "extra-index-url", "find-links", "no-index", "trusted-host", "cert", "client-cert", "proxy")
#: Options that pip splits at white space.
_PIP_LISTS = ("extra-index-url", "find-links", "trusted-host")


@dataclass(frozen=True)
class Setting:
    """A configured option."""

    values: tuple[str, ...] = field(repr=False)
    """As configured; one for an option that is not a list. May hold credentials."""
    origins: tuple[str, ...]
    """The variables or files it comes from."""

    @property
    def value(self) -> str:
        """The value of an option that is not a list."""
        return self.values[0]


Settings = Mapping[str, Setting]


def is_true(text: str) -> bool:
    """Whether a switch is on, in the words both tools accept."""
    return text.strip().lower() in {"1", "true", "yes", "on", "y", "t"}


# ---------------------------------------------------------------- pip


def of_pip(environ: Mapping[str, str]) -> Settings:
    """pip's settings: a variable wins over the files, [install] over [global], a later file over an earlier one.

    A list that is set again replaces the earlier one, as in pip. Raises InvalidInputError for a file that cannot be read.
    """
    sections: dict[str, dict[str, Setting]] = {"global": {}, "install": {}}
    for file in _pip_files(environ):
        parser = _parsed_ini(file)
        for section in sections.keys() & set(parser.sections()):
            for key, text in parser.items(section):
                name = key.removeprefix("--").replace("_", "-")
                if name in _PIP_OPTIONS:
                    sections[section][name] = _pip_setting(name, text, _shown(file, environ))
    settings = sections["global"] | sections["install"]
    for name in _PIP_OPTIONS:
        variable = "PIP_" + name.upper().replace("-", "_")
        # An empty variable is one that is not set, for pip too.
        if text := environ.get(variable, "").strip():
            settings[name] = _pip_setting(name, text, variable)
    return {name: setting for name, setting in settings.items() if setting.values}


def _pip_setting(name: str, text: str, origin: str) -> Setting:
    text = text.strip()
    values = text.split() if name in _PIP_LISTS else [text] if text else []
    return Setting(tuple(values), (origin,))


def _pip_files(environ: Mapping[str, str]) -> Iterator[Path]:
    """pip's files that exist, from weakest to strongest: system, user, this Python environment, PIP_CONFIG_FILE."""
    named = environ.get("PIP_CONFIG_FILE", "")
    if named == os.devnull:  # pip's way of saying: no files at all
        return
    home = _home(environ)
    system = [Path(folder) / "pip" / "pip.conf" for folder in _system_folders(environ)]
    candidates = [
        *reversed(system),
        SYSTEM_FOLDER / "pip.conf",
        home / ".pip" / "pip.conf",
        _user_folder(environ) / "pip" / "pip.conf",
        Path(sys.prefix) / "pip.conf",
    ]
    if named:
        candidates.append(Path(named))
    yield from (file for file in dict.fromkeys(candidates) if file.is_file())


def _parsed_ini(file: Path) -> configparser.RawConfigParser:
    parser = configparser.RawConfigParser()  # Raw: a percent sign in a URL is itself
    try:
        parser.read_string(_text(file))
    except configparser.Error as error:
        line = getattr(error, "lineno", None)
        if isinstance(error, configparser.ParsingError) and line is None and error.errors:
            line = error.errors[0][0]
        why = "it is not in pip's format: sections such as [global] with lines `option = value`"
        raise _unreadable(file, line, why) from None
    return parser


# ---------------------------------------------------------------- uv


def of_uv(environ: Mapping[str, str]) -> Settings:
    """uv's settings: a variable wins over uv.toml, the user's file over the system's; lists are joined in that order.

    Indexes marked explicit serve named packages only and are left out. Raises InvalidInputError for a file that cannot be read.
    """
    found: list[tuple[str, Setting]] = list(_uv_variables(environ))
    for file in _uv_files(environ):
        origin = _shown(file, environ)
        content = _parsed_toml(file)
        for table in (content.get("pip", {}), content):  # [pip] is the more specific one
            if not isinstance(table, dict):
                raise _unreadable(file, None, "`pip` must be a table")
            found += ((name, Setting(values, (origin,))) for name, values in _uv_table(file, table) if values)
    settings: dict[str, Setting] = {}
    for name, setting in found:
        known = settings.get(name)
        if known is None:
            settings[name] = setting
        elif name in _PIP_LISTS:
            settings[name] = Setting(_joined(known.values, setting.values), _joined(known.origins, setting.origins))
    return settings


def _uv_variables(environ: Mapping[str, str]) -> Iterator[tuple[str, Setting]]:
    def values(variable: str, separator: str | None = None) -> tuple[str, ...]:
        return tuple(part.strip() for part in environ.get(variable, "").split(separator) if part.strip())

    for option, variable, found in (
        ("index-url", "UV_DEFAULT_INDEX", tuple(map(_without_name, values("UV_DEFAULT_INDEX")))),
        ("index-url", "UV_INDEX_URL", values("UV_INDEX_URL")),
        ("extra-index-url", "UV_INDEX", tuple(map(_without_name, values("UV_INDEX")))),
        ("extra-index-url", "UV_EXTRA_INDEX_URL", values("UV_EXTRA_INDEX_URL")),
        ("find-links", "UV_FIND_LINKS", values("UV_FIND_LINKS", ",")),
        ("no-index", "UV_NO_INDEX", values("UV_NO_INDEX")),
        ("trusted-host", "UV_INSECURE_HOST", values("UV_INSECURE_HOST")),
    ):
        if found:
            yield option, Setting(found, (variable,))


def _without_name(index: str) -> str:
    """The URL of ``name=url``."""
    return re.sub(r"\A[A-Za-z0-9_.-]+=", "", index)


def _uv_files(environ: Mapping[str, str]) -> Iterator[Path]:
    """uv's files that exist, from strongest to weakest."""
    if is_true(environ.get("UV_NO_CONFIG", "")):
        return
    if named := environ.get("UV_CONFIG_FILE"):
        if not Path(named).is_file():
            raise InvalidInputError(f"UV_CONFIG_FILE names {named}, which does not exist", hint="correct it, or unset it")
        yield Path(named)
        return
    user = _user_folder(environ) / "uv" / "uv.toml"
    system = [Path(folder) / "uv" / "uv.toml" for folder in _system_folders(environ)] + [SYSTEM_FOLDER / "uv" / "uv.toml"]
    yield from ([user] if user.is_file() else [])
    yield from [file for file in system if file.is_file()][:1]


def _parsed_toml(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(_text(file))
    except tomllib.TOMLDecodeError as error:
        line = re.search(r"at line (\d+)", str(error))
        raise _unreadable(file, int(line.group(1)) if line else None, f"it is not TOML: {error}") from None


def _uv_table(file: Path, table: Mapping[str, Any]) -> Iterator[tuple[str, tuple[str, ...]]]:
    """The package sources of one table of a uv.toml."""
    indexes = table.get("index", [])
    if not isinstance(indexes, list) or not all(isinstance(entry, dict) for entry in indexes):
        raise _unreadable(file, None, "`index` must be a list of tables, [[index]]")
    for entry in indexes:
        url = _texts(file, "index", entry.get("url", []))
        if entry.get("format") == "flat":
            yield "find-links", url
        elif not entry.get("explicit"):
            yield "index-url" if entry.get("default") else "extra-index-url", url
    for ours, theirs in (
        ("index-url", "index-url"),
        ("extra-index-url", "extra-index-url"),
        ("find-links", "find-links"),
        ("trusted-host", "allow-insecure-host"),
    ):
        yield ours, _texts(file, theirs, table.get(theirs, []))
    if table.get("no-index") is True:
        yield "no-index", ("true",)


def _texts(file: Path, key: str, value: object) -> tuple[str, ...]:
    values = value if isinstance(value, list) else [value]
    if not all(isinstance(item, str) for item in values):
        raise _unreadable(file, None, f"`{key}` must be text or a list of texts")
    return tuple(values)


# ---------------------------------------------------------------- both


def _joined(first: Iterable[str], second: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys([*first, *second]))


def _home(environ: Mapping[str, str]) -> Path:
    return Path(environ["HOME"]) if environ.get("HOME") else Path.home()


def _user_folder(environ: Mapping[str, str]) -> Path:
    return Path(environ["XDG_CONFIG_HOME"]) if environ.get("XDG_CONFIG_HOME") else _home(environ) / ".config"


def _system_folders(environ: Mapping[str, str]) -> list[str]:
    folders = environ.get("XDG_CONFIG_DIRS") or str(SYSTEM_FOLDER / "xdg")
    return [folder for folder in folders.split(os.pathsep) if folder]


def _shown(file: Path, environ: Mapping[str, str]) -> str:
    """A file's name for the report: short, and without the name of the person whose home it lies in."""
    home = _home(environ)
    return f"~/{file.relative_to(home)}" if file.is_relative_to(home) else str(file)


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise _unreadable(file, None, error.strerror or type(error).__name__) from None
    except UnicodeDecodeError as error:
        raise _unreadable(file, error.object[: error.start].count(b"\n") + 1, "it is not UTF-8 text") from None


def _unreadable(file: Path, line: int | None, why: str) -> InvalidInputError:
    place = f"{file}:{line}" if line else str(file)
    return InvalidInputError(
        f"{place}: the configured package sources cannot be read",
        why=why,
        hint="correct the file; or set PIP_CONFIG_FILE=/dev/null (pip's) or UV_NO_CONFIG=1 (uv's) to do without it",
    )
