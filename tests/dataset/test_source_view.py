"""Which picture a set was tracked in."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ffngen.dataset.source_view import check_views, source_picture
from ffngen.errors import InputFileError
from ffngen.images import encode_png
from ffngen.job import Job
from ffngen.params.parameter_set import ParameterSet


def tracked(image: str | None, identity: str = "ann") -> ParameterSet:
    return ParameterSet(np.zeros(2), np.zeros(2), np.zeros(15), "open", identity, "none", "made", image=image)


def picture(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(encode_png(np.zeros((32, 32, 3), np.uint8)))
    return path


class Sets:
    def __init__(self, *sets: ParameterSet) -> None:
        self.sets = sets

    def __len__(self) -> int:
        return len(self.sets)

    def parameters(self, index: int) -> ParameterSet:
        return self.sets[index]


@pytest.mark.parametrize("image", ["a.png", "a.jpg", "/elsewhere/a.png", "a"])
def test_by_name(tmp_path: Path, image: str) -> None:
    there = picture(tmp_path / "a.png")
    assert source_picture(tmp_path, tracked(image)) == there


def test_by_identity_where_the_tracker_notes_none(tmp_path: Path) -> None:
    there = picture(tmp_path / "ann.png")
    assert source_picture(tmp_path, tracked(None)) == there


def test_by_the_sets_own_file(tmp_path: Path) -> None:
    """A tracker's file of a video's frame is named as the frame."""
    there = picture(tmp_path / "clip_frame0003.png")
    picture(tmp_path / "clip_frame0004.png")
    assert source_picture(tmp_path, replace(tracked(None, "clip"), source="codes/clip_frame0003.npz")) == there


def test_of_one_name_by_the_folders_above(tmp_path: Path) -> None:
    ann, bob = picture(tmp_path / "ann/day1/1.png"), picture(tmp_path / "bob/day1/1.png")
    assert source_picture(tmp_path, tracked("ann/day1/1.jpg")) == ann
    assert source_picture(tmp_path, tracked("/data/bob/day1/1.png")) == bob
    with pytest.raises(InputFileError, match=r"several pictures named 1\.png"):
        source_picture(tmp_path, tracked("day1/1.png"))
    with pytest.raises(InputFileError, match=r"no picture named 2\.png"):
        source_picture(tmp_path, tracked("ann/day1/2.png"))


def test_one_picture_is_not_two_peoples(tmp_path: Path) -> None:
    """The folder of one person is not taken for that of all."""
    picture(tmp_path / "ann/1.png")
    job = Job(out=tmp_path / "out", params="x.parquet", source_images=tmp_path / "ann")
    sets = Sets(tracked("ann/1.png"), tracked("ann/1.png"))
    check_views(job, sets)
    with pytest.raises(InputFileError, match=r"ann/1\.png and bob/1\.png would both be 1\.png"):
        check_views(job, Sets(*sets.sets, tracked("bob/1.png")))
