"""Who owns a container, and whether that run is still going."""

from __future__ import annotations

import os
import socket
import subprocess
import sys

from validator.runners import labels


def test_this_process_owns_what_it_makes_and_lives() -> None:
    assert labels.owner_lives(labels.owner())


def test_an_owner_is_a_process_of_a_machine() -> None:
    assert labels.owner() == f"{socket.gethostname()}:{os.getpid()}"


def test_what_another_version_left_is_found_by_the_same_labels() -> None:
    assert (labels.RUN, labels.CELL, labels.OWNER, labels.BUILT) == (
        "validator.run", "validator.cell", "validator.owner", "validator.built",
    )  # fmt: skip


def test_a_process_that_has_ended_lives_no_more() -> None:
    done = subprocess.Popen([sys.executable, "-c", ""])
    done.wait()
    assert not labels.owner_lives(f"{socket.gethostname()}:{done.pid}")


def test_another_machine_cannot_be_asked_and_counts_as_alive() -> None:
    assert labels.owner_lives("some-other-machine:1")


def test_a_label_that_names_nobody_protects_nothing() -> None:
    assert not labels.owner_lives("")
    assert not labels.owner_lives(":1")
    assert not labels.owner_lives(f"{socket.gethostname()}:x")
    assert not labels.owner_lives(f"{socket.gethostname()}:")
