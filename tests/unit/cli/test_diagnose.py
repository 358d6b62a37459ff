"""``validator diagnose`` and ``validator causes`` as a person calls them."""

from __future__ import annotations

import gzip
import io
import json
from pathlib import Path
from types import SimpleNamespace

import pytest
from click.testing import CliRunner, Result

from validator.base.errors import InvalidInputError
from validator.catalogue.causes import catalogue
from validator.cli import cli
from validator.report.answers.causes import markdown
from validator.report.answers.diagnosis import as_json

LOG = "epoch 1\nRuntimeError: Found no NVIDIA driver on your system. Please check that you have an NVIDIA GPU\n"
DOCS = Path(__file__).resolve().parents[3] / "docs"


def call(*argv: str, stdin: str | bytes | None = None) -> Result:
    return CliRunner().invoke(cli, list(argv), input=stdin)


@pytest.fixture(name="log")
def log_file(tmp_path: Path) -> Path:
    path = tmp_path / "train.log"
    path.write_text(LOG, encoding="utf-8")
    return path


def test_a_file(log: Path) -> None:
    done = call("diagnose", str(log))
    assert done.exit_code == 0
    assert done.output.startswith("cause: driver_not_loaded (")
    assert "line 2: RuntimeError: Found no NVIDIA driver" in done.output
    for heading in ("why", "what to do", "how to make sure", "what else it could be"):
        assert f"\n{heading}\n" in done.output


def test_json_has_the_fields_that_were_promised(log: Path) -> None:
    done = call("diagnose", str(log), "--env", "in_container=true", "--format", "json")
    found = json.loads(done.output)
    assert (found["cause"], found["family"]) == ("no_gpu_in_container", "container")
    assert 0 < found["confidence"] < 1
    assert found["evidence"][0]["line"] == 2
    assert found["evidence"][0]["text"].startswith("RuntimeError")
    assert "--gpus all" in found["remedy"]
    assert {"cause", "confidence"} <= set(found["alternatives"][0])
    assert found["lines_read"] == 2


def test_stdin_in_any_encoding() -> None:
    done = call("diagnose", "-", "--format", "json", stdin=LOG.encode("utf-16"))
    assert (done.exit_code, json.loads(done.output)["cause"]) == (0, "driver_not_loaded")


def test_unknown_ends_with_4_and_shows_what_says_most() -> None:
    done = call("diagnose", "-", stdin="step 1\nGlorpError: the glorp is off\n")
    assert done.exit_code == 4
    assert done.output.startswith("cause: unknown")
    assert "line 2: GlorpError: the glorp is off" in done.output
    found = json.loads(call("diagnose", "-", "--format", "json", stdin="GlorpError: off\n").output)
    assert (found["cause"], found["family"], found["confidence"], found["alternatives"]) == ("unknown", None, 0.0, [])
    assert found["evidence"][0]["line"] == 1


def test_long_evidence_is_shown_whole_on_a_narrow_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    message = "RuntimeError: Given groups=1, weight of size [16, 1, 3, 3], expected input[1, 3, 64, 64] to have 1 channels"
    done = call("diagnose", "-", stdin=f"{message}, but got 3 channels instead\n")
    assert "but got 3 channels instead" in " ".join(done.output.split())
    assert "The layer takes 1 channel(s), the data has 3." in " ".join(done.output.split())


def test_an_empty_log_and_a_healthy_one_are_told_apart() -> None:
    empty, healthy = call("diagnose", "-", stdin=""), call("diagnose", "-", stdin="step 1\nstep 2\n")
    assert (empty.exit_code, healthy.exit_code) == (4, 4)
    assert "the log is empty" in empty.output
    assert "nothing in this log says that anything went wrong" in healthy.output
    assert "line 2: step 2" in healthy.output


def test_what_cannot_be_read_is_invalid_input(tmp_path: Path) -> None:
    for path in (tmp_path / "nowhere.log", tmp_path):
        done = call("diagnose", str(path))
        assert isinstance(done.exception, InvalidInputError)
        assert done.exception.exit_code == 3
        assert str(path) in str(done.exception)


@pytest.mark.parametrize("value", ["torch", "=2.0", "a b=1", "gpu=" + "x" * 2000])
def test_an_env_that_is_none(log: Path, value: str) -> None:
    done = call("diagnose", str(log), "--env", value)
    assert done.exit_code == 2
    assert "Error" in done.output


def test_a_packed_log_is_said_to_be_one(tmp_path: Path) -> None:
    path = tmp_path / "train.log.gz"
    path.write_bytes(gzip.compress(LOG.encode()))
    done = call("diagnose", str(path))
    assert done.exit_code == 4
    assert f"zcat {path} | validator diagnose -" in done.stderr


def test_control_characters_of_a_log_never_reach_the_terminal() -> None:
    done = call("diagnose", "-", stdin="RuntimeError: Found no NVIDIA driver on your system \x1b]0;own\x07\x1b[2J \u202e gnp\n")
    assert done.exit_code == 0
    assert not set(done.output) & {"\x1b", "\x07", "\u202e"}


def test_a_remedy_leaves_out_what_is_not_known(log: Path) -> None:
    message = "nvidia-container-cli: requirement error: unsatisfied condition: cuda>=12.4, please update your driver"
    remedy = json.loads(call("diagnose", "-", "--format", "json", "--env", "driver=470.82", stdin=message).output)["remedy"]
    assert "{" not in remedy
    assert "CUDA 12.4" in remedy
    assert "The driver here is 470.82." in remedy
    assert "reports itself" not in remedy


def test_all_causes_and_one() -> None:
    listed = call("causes")
    assert listed.exit_code == 0
    assert all(ident in listed.output for ident in catalogue())
    one = call("causes", "shm_too_small")
    assert "--shm-size" in one.output
    assert "{" not in one.output
    assert len(json.loads(call("causes", "--format", "json").output)) == len(catalogue())


def test_a_cause_that_is_none_gets_a_suggestion() -> None:
    done = call("causes", "driver_to_old")
    assert isinstance(done.exception, InvalidInputError)
    assert "did you mean 'driver_too_old'" in str(done.exception)


def test_the_page_of_causes_is_the_catalogue() -> None:
    """When it differs: ``validator causes --format markdown > docs/causes.md``."""
    assert (DOCS / "causes.md").read_text(encoding="utf-8") == markdown(catalogue()).rstrip("\n") + "\n"


@pytest.mark.parametrize("cause", catalogue().values(), ids=lambda cause: cause.ident)
def test_every_cause_is_whole(cause) -> None:  # type: ignore[no-untyped-def]
    assert cause.explanation
    assert cause.remedy
    assert f'<a id="{cause.ident}"></a>' in markdown(catalogue())
    assert set(cause.neighbours or {}) <= set(catalogue()) - {cause.ident}
    assert all(url.startswith("https://") for url in cause.sources)
    text = cause.remedy
    assert text == " ".join(text.split())


def test_an_answer_is_plain_json() -> None:
    from validator.diagnose import Evidence, diagnose

    assert json.loads(json.dumps(as_json(diagnose(Evidence(log=LOG))))) == as_json(diagnose(Evidence(log=LOG)))


@pytest.mark.parametrize(("length", "code"), [(1000, 0), (1001, 2)])
def test_the_longest_value_that_is_taken_for_one(log: Path, length: int, code: int) -> None:
    assert call("diagnose", str(log), "--env", "note=" + "x" * length).exit_code == code


def test_names_of_the_place_are_read_in_any_case_and_without_spaces(log: Path) -> None:
    found = json.loads(call("diagnose", str(log), "--env", " IN_CONTAINER = true ", "--format", "json").output)
    assert found["cause"] == "no_gpu_in_container"


@pytest.mark.parametrize("stream", [None, "closed"])
def test_a_stdin_that_is_closed_is_said_to_be(stream: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    closed = io.StringIO()
    closed.close()
    monkeypatch.setattr("validator.cli.diagnose.sys", SimpleNamespace(stdin=closed if stream else None))
    done = call("diagnose", "-")
    assert isinstance(done.exception, InvalidInputError)
    assert done.exception.what == "stdin is closed"


@pytest.mark.parametrize(
    ("head", "unpack"),
    [
        (b"\x1f\x8b", "zcat"),
        (b"\xfd7zXZ\x00", "xzcat"),
        (b"\x28\xb5\x2f\xfd", "zstdcat"),
        (b"BZh", "bzcat"),
        (b"PK\x03\x04", "unzip -p"),
        (b"hello", None),
    ],
)
def test_what_unpacks_a_log_is_told(head: bytes, unpack: str | None, tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(head + b"\x00\x01" * 20)
    said = call("diagnose", str(path)).stderr
    assert (f"): give the text, such as `{unpack} {path} | validator diagnose -`" in said) is bool(unpack)
    assert said.startswith(f"{path} is packed (") is bool(unpack)


def test_one_cause_is_an_object_in_json_and_a_section_in_markdown() -> None:
    assert json.loads(call("causes", "shm_too_small", "--format", "json").output)["cause"] == "shm_too_small"
    page = call("causes", "shm_too_small", "--format", "markdown").output
    assert '<a id="shm_too_small">' in page
    assert page.count("<a id=") == 1


def test_a_cause_that_is_like_no_other_is_pointed_to_the_list() -> None:
    done = call("causes", "zzzzzz")
    assert isinstance(done.exception, InvalidInputError)
    assert done.exception.hint == "`validator causes` lists them"
