"""Parameters of made-up micro-expressions."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ffngen.errors import JobError
from ffngen.head.load import load_head
from ffngen.head.model import HeadModel
from ffngen.recognition.labels import open_label_map
from ffngen.simulation.classes import micro_expressions
from ffngen.simulation.samples import SimulatedClip, SimulationSettings, simulate_clips

SETTINGS = SimulationSettings(subjects=2, clips=1, amplitude=0.4, ratio=3.0, classes=("happiness", "others"), seed=4)


@pytest.fixture(scope="module")
def model() -> HeadModel:
    return load_head("open")


@pytest.fixture(scope="module")
def clips(model: HeadModel) -> list[SimulatedClip]:
    return list(simulate_clips(SETTINGS, model))


def test_names_and_people(clips: list[SimulatedClip]) -> None:
    assert [(clip.subject, clip.label, clip.name) for clip in clips] == [
        (1, "happiness", "EP01_01f"),
        (1, "others", "EP02_01f"),
        (2, "happiness", "EP01_01f"),
        (2, "others", "EP02_01f"),
    ]
    assert len({clip.parameters.identity for clip in clips}) == 2
    np.testing.assert_array_equal(clips[0].parameters.betas, clips[1].parameters.betas)
    assert np.abs(clips[0].parameters.betas - clips[2].parameters.betas).max() > 0.5


def test_heads_move_by_the_ratio(clips: list[SimulatedClip], model: HeadModel) -> None:
    """At the apex, where the profile micro has reached the amplitude and half of the pose."""
    face = np.unique(model.faces[model.regions["face"]])
    for clip in clips:
        one = clip.parameters
        assert not one.pose[6:].any()
        shaped = model.with_shape(one.betas)
        still = np.zeros_like(one.expression)
        frames = shaped.with_pose(
            np.stack([still, 0.4 * one.expression, still]), np.stack([np.zeros(15), np.zeros(15), one.pose / 2])
        ).vertices()[:, face]
        moved, turned = (np.linalg.norm((frame - frames[0])[:, :2], axis=1).mean() for frame in frames[1:])
        assert turned / moved == pytest.approx(3.0, rel=2e-3)


def test_ratios_share_people_and_expressions(clips: list[SimulatedClip], model: HeadModel) -> None:
    for a, b in zip(clips, simulate_clips(replace(SETTINGS, ratio=0), model), strict=True):
        np.testing.assert_array_equal(a.parameters.expression, b.parameters.expression)
        np.testing.assert_array_equal(a.parameters.betas, b.parameters.betas)
        assert not b.parameters.pose.any()


def test_every_class_is_one_of_casme2() -> None:
    known = set(micro_expressions().expressions)
    five, three = open_label_map("casme2-5"), open_label_map("casme2-3")
    assert known == {name for names in five.classes.values() for name in names} | set(five.left_out)
    assert known <= {name for names in three.classes.values() for name in names} | set(three.left_out)


def test_settings_that_cannot_be_met(model: HeadModel) -> None:
    with pytest.raises(JobError, match="would turn by"):
        list(simulate_clips(replace(SETTINGS, ratio=100, amplitude=1.0), model))
    with pytest.raises(JobError, match="no class 'joy'"):
        replace(SETTINGS, classes=("joy",))
    with pytest.raises(JobError, match="once each"):
        replace(SETTINGS, classes=("fear", "fear"))
