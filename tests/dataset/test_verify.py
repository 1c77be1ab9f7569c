"""Verifying against a dataset whose truth is known in closed form."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from made_dataset import (
    camera,
    closed_form,
    faults,
    finish_dataset,
    grid_faces,
    mesh,
    panels,
    write_manifest,
    write_sequence,
)

from ffngen.dataset.layout import DATASET_FILE, SequenceKey
from ffngen.dataset.raycast import cast_frame
from ffngen.dataset.report import Fault
from ffngen.dataset.verify import verify_dataset
from ffngen.errors import DatasetError
from ffngen.flow.files import FlowFormat

pytest.importorskip("embreex")

SMILE = SequenceKey("train", "happy", "made-000001_e0_n3")
CALM = SequenceKey("test", "neutral", "made-000002_e0_n3")


@pytest.fixture(scope="module")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("pristine")
    write_sequence(root, SMILE, identity="made-000001")
    write_sequence(root, CALM, identity="made-000002", neutral=True, flow_format=FlowFormat.EXR)
    finish_dataset(root)
    return root


@pytest.fixture
def dataset(pristine: Path, tmp_path: Path) -> Path:
    shutil.copytree(pristine, tmp_path / "dataset")
    return tmp_path / "dataset"


def test_the_scene_is_worth_testing() -> None:
    """Both axes move, facial and head flow differ, the nose hides a part of the face, and not all is head."""
    facial, depth, mask = closed_form(panels(1, 1), panels(2, 2))
    head = closed_form(panels(1, 1), panels(2, 1))[0]
    inside = mask != 0
    assert 0.15 < inside.mean() < 0.8
    assert (np.abs(facial[inside]).mean(axis=0) > 1).all()
    assert np.abs(facial - head)[inside].max() > 1
    assert (facial - head)[0, 0].tolist() == [0, 0]
    assert np.abs(np.diff(depth, axis=1))[inside[:, 1:] & inside[:, :-1]].max() > 0.05


def test_truth_passes(pristine: Path) -> None:
    done: list[tuple[int, int]] = []
    report = verify_dataset(pristine, progress=lambda *counts: done.append(counts))
    assert report.passed, [str(failure) for failure in report.failures]
    assert done == [(1, 2), (2, 2)]
    assert (report.sequences, report.pairs) == (2, 5)
    for truth in report.truths:
        for errors in (truth.facial_flow, truth.head_flow):
            assert errors.pixels > 5000
            assert errors.max < 1e-3
            assert errors.p99 < 1e-4
        assert truth.depth.max < 1e-5
        assert truth.background_depth.pixels > 5000
        assert 0 < truth.silhouette_fraction < 0.15
        assert truth.facial_silhouette.pixels > 500
        assert truth.silhouette_wrong <= 0.01
        assert truth.silhouette_mask_wrong <= 0.01
        assert truth.mask_disagreement_inside == 0
    json.dumps(report.to_json(), allow_nan=False)


def test_silhouette_is_the_outlines(pristine: Path) -> None:
    """The silhouette is what an outline drawn from the closed form is, and holds no line between triangles."""
    now, later = panels(1, 1), panels(2, 2)
    cast = cast_frame(mesh(now), grid_faces(), camera())
    found = cast.silhouette(((mesh(later), camera()),))
    _, depth, _ = closed_form(now, later)
    expected = np.zeros(found.shape, dtype=bool)
    for axis in (0, 1):
        # The panels are smooth: within one, depth changes by far less than between two surfaces.
        step = np.abs(np.diff(depth, axis=axis)) > 0.03
        pad = [(0, 0), (0, 0)]
        pad[axis] = (0, 1)
        expected |= np.pad(step, pad)
        pad[axis] = (1, 0)
        expected |= np.pad(step, pad)
    assert expected.sum() > 500
    assert (found != expected).mean() < 1e-3


def test_work_in_progress_and_logs_are_no_strays(dataset: Path) -> None:
    for folder in (".partial/a", "logs"):
        (dataset / folder).mkdir(parents=True)
        (dataset / folder / "x.txt").write_text("x")
    assert verify_dataset(dataset).passed


def test_sample(dataset: Path) -> None:
    report = verify_dataset(dataset, sample=1, seed=0)
    assert report.passed
    assert len(report.truths) == 1
    assert {verify_dataset(dataset, sample=1, seed=seed).truths[0].sequence for seed in range(8)} == {
        str(SMILE),
        str(CALM),
    }


def test_no_dataset(tmp_path: Path) -> None:
    for root in (tmp_path, tmp_path / "none"):
        with pytest.raises(DatasetError):
            verify_dataset(root)
    (tmp_path / DATASET_FILE).write_text("{}")
    write_manifest(tmp_path)
    assert faults(verify_dataset(tmp_path)) == {Fault.EMPTY}
