"""Whose folder it is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from ffngen.dataset.context import JobContext, open_context
from ffngen.dataset.dataset_file import check_place, claim_place
from ffngen.dataset.folder_store import FolderStore
from ffngen.dataset.layout import DATASET_FILE, require_dataset
from ffngen.errors import DatasetError
from ffngen.job import Job


def context(**fields: Any) -> JobContext:
    return open_context(Job(**fields))


def claim(root: Path, scratch: Path, *, overwrite: bool = False, **fields: Any) -> None:
    one = context(**fields)
    check_place(FolderStore(root), one, overwrite=overwrite)
    root.mkdir(exist_ok=True)
    claim_place(FolderStore(root), one, scratch, overwrite=overwrite)


@pytest.fixture
def scratch(tmp_path: Path) -> Path:
    (tmp_path / "scratch").mkdir()
    return tmp_path / "scratch"


def test_a_new_folder_and_an_empty_one_are_free(tmp_path: Path, scratch: Path) -> None:
    (tmp_path / "empty").mkdir()
    for name in ("new", "empty"):
        claim(tmp_path / name, scratch)
        require_dataset(tmp_path / name)
        assert [path.name for path in (tmp_path / name).iterdir()] == [DATASET_FILE]
    assert list(scratch.iterdir()) == []


def test_unfinished_work_alone_is_no_dataset_of_another_job(tmp_path: Path) -> None:
    """A run that was killed before it wrote dataset.json."""
    (tmp_path / ".partial" / "x").mkdir(parents=True)
    check_place(FolderStore(tmp_path), context(), overwrite=False)


@pytest.mark.parametrize("name", ["a", ".git", "image", "manifest.parquet", ".dataset.tmp"])
@pytest.mark.parametrize("overwrite", [False, True])
def test_a_folder_with_anything_else_is_refused(name: str, overwrite: bool, tmp_path: Path) -> None:
    (tmp_path / name).mkdir()
    with pytest.raises(DatasetError, match="is no ffngen dataset"):
        check_place(FolderStore(tmp_path), context(), overwrite=overwrite)


def test_it_records_the_job(tmp_path: Path, scratch: Path) -> None:
    claim(tmp_path / "out", scratch, seed=7, n_frames=[5, 3], identities=4)
    data = json.loads((tmp_path / "out" / DATASET_FILE).read_text())
    assert data["job"]["seed"] == 7
    assert (data["n_frames"], data["identities"]) == ([3, 5], 4)
    assert data["digest"] == context(seed=7).digest


def test_growth_is_allowed_and_nothing_else(tmp_path: Path, scratch: Path) -> None:
    out = tmp_path / "out"
    claim(out, scratch, n_frames=[5], identities=2)
    claim(out, scratch, n_frames=[5], identities=2)
    claim(out, scratch, n_frames=[10, 5], identities=3)
    for fields, words in (
        ({"n_frames": [5], "identities": 3}, "n = 10"),
        ({"n_frames": [5, 10], "identities": 2}, "3 identities"),
        ({"n_frames": [5, 10], "identities": 3, "seed": 1}, "seed is 0 there and 1 here"),
        ({"n_frames": [5, 10], "identities": 3, "resolution": 64}, r"resolution is \[512, 512\] there and \[64, 64\]"),
    ):
        with pytest.raises(DatasetError, match=words):
            claim(out, scratch, **fields)
        check_place(FolderStore(out), context(**fields), overwrite=True)
    # How it is computed does not matter.
    claim(out, scratch, n_frames=[10, 5], identities=3, workers=7, threads=3, device="cuda", frame_timeout=5)


def test_other_presets_and_models_are_other_jobs(tmp_path: Path, scratch: Path) -> None:
    out = tmp_path / "out"
    preset = tmp_path / "mine.yaml"
    preset.write_text("camera: {distance: 1}")
    claim(out, scratch, scene=str(preset))
    preset.write_text("camera: {distance: 1.5}")
    with pytest.raises(DatasetError, match="the scene preset has changed"):
        claim(out, scratch, scene=str(preset))
    data = json.loads((out / DATASET_FILE).read_text())
    preset.write_text("camera: {distance: 1}")
    (out / DATASET_FILE).write_text(json.dumps(data | {"digest": "x", "model": "y"}))
    with pytest.raises(DatasetError, match="the head model has changed"):
        claim(out, scratch, scene=str(preset))
    (out / DATASET_FILE).write_text(json.dumps(data | {"digest": "x"}))
    with pytest.raises(DatasetError, match="its record differs"):
        claim(out, scratch, scene=str(preset))


@pytest.mark.parametrize("purpose", ["textures", "backgrounds"])
def test_a_folder_of_pictures_with_other_files_is_another_job(purpose: str, tmp_path: Path, scratch: Path) -> None:
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    noise = np.random.default_rng(0).integers(0, 256, size=(64, 64, 3), dtype=np.uint8)
    for name in ("a.png", "b.png"):
        Image.fromarray(noise).save(pictures / name)
    claim(tmp_path / "out", scratch, **{purpose: str(pictures)})
    claim(tmp_path / "out", scratch, **{purpose: str(pictures)})
    (pictures / "notes.txt").touch()
    claim(tmp_path / "out", scratch, **{purpose: str(pictures)})
    (pictures / "b.png").rename(pictures / "c.png")
    with pytest.raises(DatasetError, match=f"the folder of {purpose} has changed"):
        claim(tmp_path / "out", scratch, **{purpose: str(pictures)})


def test_overwriting_deletes_the_datasets_own_files_alone(tmp_path: Path, scratch: Path) -> None:
    out = tmp_path / "out"
    claim(out, scratch)
    for name in ("image/facial/train/happy/x/0001.jpg", "metadata/train/happy/x/metadata.json", "logs/x.log", "notes"):
        (out / name).parent.mkdir(parents=True, exist_ok=True)
        (out / name).touch()
    (out / "manifest.parquet").touch()
    running = out / ".partial" / "run"
    running.mkdir(parents=True)
    claim(out, running, overwrite=True, seed=1)
    assert sorted(path.name for path in out.iterdir()) == [".partial", DATASET_FILE, "notes"]
    assert json.loads((out / DATASET_FILE).read_text())["job"]["seed"] == 1
