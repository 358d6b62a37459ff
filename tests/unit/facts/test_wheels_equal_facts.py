"""The facts against real wheels of the package index: about 10 MB of each are read, nothing is installed or kept."""

from __future__ import annotations

import package_index
import pytest
import wheel_reader
from packaging.version import Version

from validator.facts import load

pytestmark = pytest.mark.heavy


@pytest.mark.parametrize(("version", "python"), [("1.13.1", "3.11"), ("2.14.1", "3.11"), ("2.15.0", "3.11")])
def test_arch_list_and_cuda_of_the_wheel_are_those_of_the_facts(version: str, python: str) -> None:
    try:
        found = wheel_reader.read(package_index.metadata(version, python).url)
    except (package_index.IndexFailed, OSError) as error:
        pytest.skip(f"the package index does not answer: {error}")
    release = load().releases[Version(version)]
    assert found.version.split("+")[0] == version
    assert found.cuda == release.default, f"CUDA: the wheel has {found.cuda}, the facts have {release.default}"
    arch = release.builds[release.default].arch["linux_x86_64"]
    assert found.arch == arch, f"arch list: the wheel has {' '.join(found.arch)}, the facts have {' '.join(arch)}"
