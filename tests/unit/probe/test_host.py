"""What the supervisor hears from the host: in time, bounded, and nothing but what it asked for."""

import io
import os
import time

import pytest

from validator.probe import host

NONCE = "0123456789abcdef" * 2
LINE = b'{"nonce": "' + NONCE.encode() + b'"}\n'


@pytest.fixture
def talk(monkeypatch):
    """A host's end of a pipe: hears what is written into it."""
    monkeypatch.setattr(host, "ANSWER_SECONDS", 0.3)
    monkeypatch.setattr(host, "TURN_SECONDS", 0.3)
    monkeypatch.setattr(host, "_INIT_STDIN", "/nowhere")
    reader, writer = os.pipe()
    listener = host.Host(reader)

    def say(data):
        os.write(writer, data)
        return listener

    say.close = lambda: os.close(writer)
    say.listener = listener
    yield say
    os.close(reader)


def test_it_says_that_it_is_ready_on_a_line_of_its_own(talk):
    out = io.BytesIO()
    assert talk(LINE).nonce(out) == NONCE
    assert out.getvalue() == b"\n" + host.READY + b"\n"


@pytest.mark.parametrize(
    "other",
    [b"\n", b"no\n", b"\xff\n", b"[]\n", b'{"nonce": 1}\n', b'{"nonce": "' + b"F" * 32 + b'"}\n', b"x" * 9000 + b"\n"],
)
def test_what_is_no_nonce_is_passed_over(talk, other):
    assert talk(other + LINE).nonce(io.BytesIO()) == NONCE
    assert talk(other).nonce(io.BytesIO()) is None


def test_of_two_lines_the_second_is_kept_for_the_next_question(talk):
    assert talk(LINE + b'{"turn": "bf16"}\n').nonce(io.BytesIO()) == NONCE
    began = time.monotonic()
    talk.listener.turn("bf16")
    assert time.monotonic() - began < 0.25


def test_the_turn_of_another_check_is_not_this_ones(talk):
    began = time.monotonic()
    talk(b'{"turn": "tf32"}\n').turn("bf16")
    assert time.monotonic() - began >= 0.3


def test_the_end_of_stdin_is_an_answer_to_every_question(talk, monkeypatch):
    monkeypatch.setattr(host, "ANSWER_SECONDS", 60)
    monkeypatch.setattr(host, "TURN_SECONDS", 60)
    talk.close()
    assert talk.listener.nonce(io.BytesIO()) is None
    talk.listener.turn("bf16")


def test_who_was_put_in_the_background_listens_where_the_first_process_does(talk, monkeypatch, tmp_path):
    reader, writer = os.pipe()
    monkeypatch.setattr(host, "_INIT_STDIN", f"/proc/self/fd/{reader}")
    talk.close()
    os.write(writer, LINE + b'{"turn": "bf16"}\n')
    assert talk.listener.nonce(io.BytesIO()) == NONCE
    monkeypatch.setattr(host, "TURN_SECONDS", 60)
    talk.listener.turn("bf16")
    os.close(writer)
    talk.listener.turn("tf32")
    os.close(reader)


@pytest.mark.parametrize("end", ["closed", "empty"])
def test_a_first_process_that_has_nothing_to_say_either_is_asked_once(talk, monkeypatch, end):
    reader, writer = os.pipe()
    monkeypatch.setattr(host, "ANSWER_SECONDS", 60)
    monkeypatch.setattr(host, "_INIT_STDIN", "/dev/null" if end == "empty" else f"/proc/self/fd/{reader}")
    talk.close()
    os.close(writer)
    assert talk.listener.nonce(io.BytesIO()) is None
    os.close(reader)


def test_a_descriptor_that_is_closed_is_like_an_end():
    reader, writer = os.pipe()
    os.close(reader)
    os.close(writer)
    host.Host(reader).turn("bf16")


def test_a_flood_is_not_listened_to(talk, monkeypatch):
    monkeypatch.setattr(host, "ANSWER_SECONDS", 60)
    monkeypatch.setattr(host, "_FLOOD_BYTES", 8192)
    listener = host.Host(talk.listener._descriptor)
    talk(b"x" * 20_000 + b"\n" + LINE)
    assert listener.nonce(io.BytesIO()) is None
    assert len(listener._data) <= 8192
