"""What is said of the environment, and what a worker gets of it."""

import os
import platform
import string
from types import SimpleNamespace

import pytest

from validator.probe import system


def test_the_kernel_its_release_and_the_machine(monkeypatch):
    monkeypatch.setattr(os, "uname", lambda: SimpleNamespace(sysname="Linux", release="6.1.0", machine="aarch64", version="x"))
    assert system.system() == "Linux 6.1.0 aarch64"


@pytest.mark.parametrize(
    ("confstr", "libc_ver", "told"),
    [
        ("glibc 2.31", ("", ""), "glibc 2.31"),
        (ValueError, ("glibc", "2.31"), "glibc 2.31"),
        (OSError, ("", ""), "not glibc"),
        (None, ("musl", ""), "musl"),
    ],
)
def test_the_c_library_is_told_as_far_as_it_is_known(monkeypatch, confstr, libc_ver, told):
    def ask(name):
        assert name == "CS_GNU_LIBC_VERSION"
        if isinstance(confstr, type):
            raise confstr
        return confstr

    monkeypatch.setattr(os, "confstr", ask)
    monkeypatch.setattr(platform, "libc_ver", lambda: libc_ver)
    assert system.libc() == told


@pytest.mark.parametrize(
    ("name", "bends"),
    [
        ("LD_PRELOAD", True),
        ("PYTHONPATH", True),
        ("NVIDIA_TF32_OVERRIDE", True),
        ("CUDA_VISIBLE_DEVICES", True),
        ("PYTORCH_ALLOC_CONF", True),
        ("NCCL_DEBUG", True),
        ("CUDA_" + "x" * 80, True),
        ("CUDA_" + "x" * 81, False),
        ("MY_CUDA_HOME", False),
        ("PYTHONPATHS", False),
        ("PATH", False),
        ("CUDA_Ä", False),
    ],
)
def test_variables_that_can_bend_a_result_are_told(name, bends):
    assert system.bending({name: "x"}) == ({name: "x"} if bends else {})


def test_secrets_are_masked_and_values_cut():
    given = {"TORCH_TOKEN": "a", "CUDA_API_key": "b", "NCCL_PASSWORD": "c", "NVIDIA_SECRETS": "d", "TORCH_HOME": "x" * 600}
    assert system.bending(given) == {**dict.fromkeys(list(given)[:4], "***"), "TORCH_HOME": "x" * 500}


def test_no_more_than_64_are_told_the_first_by_name():
    names = [f"CUDA_{a}{b}" for a in string.ascii_uppercase for b in string.ascii_uppercase[:4]]
    told = system.bending(dict.fromkeys(reversed(names), "x"))
    assert list(told) == names[:64]


def test_a_worker_writes_into_the_scratch_folder_only_and_sees_nothing_of_ours(tmp_path):
    given = {"PATH": "/bin", "HOME": "/root", "TMPDIR": "/tmp", "VALIDATOR_PROBE_PLAN": "x", "CUDA_CACHE_PATH": "/cache"}
    found = system.worker_environment(given, str(tmp_path))
    scratch = {
        "HOME": "home",
        "TMPDIR": "tmp",
        "XDG_CACHE_HOME": "cache",
        "TRITON_CACHE_DIR": "cache/triton",
        "TORCHINDUCTOR_CACHE_DIR": "cache/inductor",
        "CUDA_CACHE_PATH": "cache/cuda",
        "PYTORCH_KERNEL_CACHE_PATH": "cache/kernels",
    }
    assert found == {
        "PATH": "/bin",
        "PYTHONUSERBASE": "/root/.local",
        "PYTHONDONTWRITEBYTECODE": "1",
        **{name: str(tmp_path / folder) for name, folder in scratch.items()},
    }
    assert all((tmp_path / folder).is_dir() for folder in scratch.values())
    assert given["HOME"] == "/root"
    marks = {"VALIDATOR_RUN": "run-1", "VALIDATOR_CELL": "a@host"}  # by which what it starts is found, should all else fail
    assert system.worker_environment({**given, **marks}, str(tmp_path)) == {**found, **marks}
    assert system.worker_environment(given, str(tmp_path)) == found  # for a second worker the folders are there


@pytest.mark.parametrize(
    ("given", "base"),
    [
        ({"PYTHONUSERBASE": "/opt/user"}, "/opt/user"),
        ({"PYTHONUSERBASE": "", "HOME": "/home/a"}, "/home/a/.local"),
        ({"HOME": ""}, os.path.join(os.path.expanduser("~"), ".local")),
        ({}, os.path.join(os.path.expanduser("~"), ".local")),
    ],
)
def test_packages_of_the_user_stay_where_they_are(tmp_path, given, base):
    assert system.worker_environment(given, str(tmp_path))["PYTHONUSERBASE"] == base
