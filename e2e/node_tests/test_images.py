"""The operator's image as it was built: what is in it, how big it is, and that it comes out the same again."""

import re
import tarfile
import time
from pathlib import Path
from typing import Any

import pytest

from node import archive, building, debian, images
from plane.caching import cache


@pytest.fixture(scope="module")
def built(machine: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The operator's layer, built anew."""
    folder = tmp_path_factory.mktemp("image")
    started = time.time()
    upper = building.Builder(debian.base().root, folder / "stages", images.ROOT).build(images.operator_stages())
    return archive.write_layer(upper, folder / "layer.tar", started)


def test_an_image_that_is_built_again_has_the_same_bytes(built: Path) -> None:
    with tarfile.open(images.operator()) as found:
        digests = {Path(name).name for name in found.getnames()}

    assert archive.file_digest(built).removeprefix("sha256:") in digests


def test_it_has_the_locked_packages_and_no_other(built: Path) -> None:
    locked = re.findall(r"^([a-z0-9._-]+)==([^ ;]+)", (images.ROOT / "requirements/run.txt").read_text(), re.MULTILINE)
    with tarfile.open(built) as layer:
        found = [re.search(r"/site-packages/([^/]+)-([^/-]+)\.dist-info$", name) for name in layer.getnames()]
    installed = {(_plain(match[1]), match[2]) for match in found if match}

    assert installed - {(_plain(name), version) for name, version in locked} == {("stepdown", "0.1.0")}
    assert len(installed) > 30


def test_it_has_nothing_that_the_user_of_the_container_could_write(built: Path) -> None:
    with tarfile.open(built) as layer:
        members = layer.getmembers()

    assert {(member.uid, member.gid) for member in members} == {(0, 0)}
    assert [m.name for m in members if m.mode & 0o002 and not m.issym()] == []


def test_the_base_has_pythons_minor_version_and_no_package_lists(machine: None, figure: Any) -> None:
    base = debian.base()

    names = {line.split()[0] for line in base.packages}
    assert {"python3", "ca-certificates", "netbase", "tzdata"} <= names
    assert list((base.root / "var/lib/apt/lists").iterdir()) == []
    figure("operator's image, unpacked", round(images.operator().stat().st_size / 1e6), "MB")
    figure("operator's image, of it Debian and Python", round(base.layer.stat().st_size / 1e6), "MB")
    assert images.operator().is_relative_to(cache())


def _plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
