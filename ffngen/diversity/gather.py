"""The measures of many sequences, kept in little room: pixels as histograms, pictures as a few numbers each."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ffngen.diversity.flow_lengths import FlowLengths
from ffngen.diversity.measure import FLOWS
from ffngen.diversity.measures import SequenceMeasures, Triple

#: Stands for all motion scales.
ALL = "all"
#: Stands for motion that a tracker saw.
TRACKED = "tracked"


@dataclass
class Gathered:
    """What was measured of all sequences so far.

    :param by_network: expression features are a network's, of the last frame that has one; else the parameters.
    :param sequences: how many.
    :param vectors: a face-recognition embedding per sequence that has one, of its first frame that has one.
    :param people: whose each is.
    :param people_tones: the colour (linear sRGB) of each one's skin: its texture's, or as rendered, or None.
    :param features: an expression feature per sequence that has one.
    :param emotions: the label of each.
    :param lengths: (flow, scale, area) -> how far pixels move; the scale is ``1/n``, ``tracked`` or ``all``.
    :param frames: how many images were measured.
    :param looked_at: in how many of them a face was looked for; ``found``: in how many of them which detector found it.
    :param landmark_errors: (68,) per face found, as :class:`~ffngen.diversity.measures.FrameMeasures` has them.
    :param skins: linear sRGB of the skin of each image.
    :param albedos: person -> linear sRGB of the skin of the texture.
    :param poses: (yaw, pitch, roll) degrees of each image.
    :param lights: (from the right, from above, brightness) of each image.
    :param hdris: surroundings -> sequences.
    """

    by_network: bool = False
    sequences: int = 0
    vectors: list[NDArray[np.float32]] = field(default_factory=list)
    people: list[str] = field(default_factory=list)
    people_tones: list[Triple | None] = field(default_factory=list)
    features: list[NDArray[np.float32]] = field(default_factory=list)
    emotions: list[str] = field(default_factory=list)
    lengths: dict[tuple[str, str, str], FlowLengths] = field(default_factory=dict)
    frames: int = 0
    looked_at: int = 0
    found: Counter[str] = field(default_factory=Counter)
    landmark_errors: list[NDArray[np.float32]] = field(default_factory=list)
    skins: list[Triple] = field(default_factory=list)
    albedos: dict[str, Triple] = field(default_factory=dict)
    poses: list[Triple] = field(default_factory=list)
    lights: list[Triple] = field(default_factory=list)
    hdris: Counter[str] = field(default_factory=Counter)

    def add(self, measures: SequenceMeasures) -> None:
        """Add a sequence."""
        self.sequences += 1
        scale = f"1/{measures.n_frames}" if measures.n_frames else TRACKED
        for flow in FLOWS:
            for area, lengths in measures.flow[flow].items():
                histogram = lengths.histogram()
                for group in (scale, ALL):
                    self.lengths.setdefault((flow, group, area), FlowLengths()).merge(histogram)
        if measures.hdri is not None:
            self.hdris[measures.hdri] += 1
        if measures.albedo is not None:
            self.albedos.setdefault(measures.identity, measures.albedo)
        for frame in measures.frames:
            self.frames += 1
            if frame.found is not None:
                self.looked_at += 1
                self.found[frame.found] += 1
            if frame.landmark_errors is not None:
                self.landmark_errors.append(np.array(frame.landmark_errors, dtype=np.float32))
            if frame.skin is not None:
                self.skins.append(frame.skin)
            if frame.pose is not None:
                self.poses.append(frame.pose)
            if frame.light is not None:
                self.lights.append(frame.light)
        self._add_features(measures)

    def _add_features(self, measures: SequenceMeasures) -> None:
        embedded = next((frame for frame in measures.frames if frame.identity is not None), None)
        if embedded is not None:
            self.vectors.append(np.array(embedded.identity, dtype=np.float32))
            self.people.append(measures.identity)
            self.people_tones.append(measures.albedo or embedded.skin)
        seen = [frame.expression for frame in measures.frames if frame.expression is not None]
        feature = seen[-1] if seen else None if self.by_network else measures.parameters
        if feature is not None:
            self.features.append(np.array(feature, dtype=np.float32))
            self.emotions.append(measures.emotion)
