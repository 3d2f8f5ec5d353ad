"""Folders that outlive clones: made once, made anew after a failure, and the oldest of a title forgotten."""

import os
from pathlib import Path

import pytest

from plane.caching import cache, cached, key_of


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))


def write(folder: Path) -> None:
    (folder / "file").write_text("made")


def fail(folder: Path) -> None:
    (folder / "half").touch()
    raise RuntimeError("the network is gone")


def test_a_folder_is_made_once() -> None:
    first = cached("image", key_of(["a"]), write)

    assert cached("image", key_of(["a"]), fail) == first
    assert (first / "file").read_text() == "made"


def test_parts_of_a_key_do_not_run_into_each_other() -> None:
    assert key_of(["ab", "c"]) != key_of(["a", "bc"])


def test_one_that_failed_is_made_anew_with_nothing_of_before() -> None:
    with pytest.raises(RuntimeError):
        cached("image", key_of(["a"]), fail)

    assert [path.name for path in cached("image", key_of(["a"]), write).iterdir()] == ["file"]


def test_of_a_title_those_used_last_are_kept_and_other_titles_are_left_alone() -> None:
    other = cached("image-base", key_of(["a"]), write)
    made = [cached("image", key_of([name]), write) for name in "abc"]
    for age, folder in enumerate([other, *made]):
        os.utime(folder, (age, age))
    cached("image", key_of(["a"]), fail)
    newest = cached("image", key_of(["d"]), write)

    assert {path for path in cache().iterdir() if path.is_dir()} == {other, made[0], made[2], newest}
