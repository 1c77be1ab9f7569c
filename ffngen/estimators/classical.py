"""Estimators without training: no motion, DIS and Farneback."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import cv2
import numpy as np

from ffngen.estimators.estimator import Estimate, Estimator, PairByPair, Rgb
from ffngen.flow.values import Flow

#: OpenCV's DIS takes no image whose shorter side is below this.
_MIN_SIDE = 32


@dataclass(frozen=True)
class ClassicalEstimator(PairByPair):
    """Facial flow by a function of two images."""

    name: str
    function: Callable[[Rgb, Rgb], Flow]
    details: dict[str, str] = field(default_factory=dict)

    def __call__(self, image1: Rgb, image2: Rgb) -> Estimate:
        """The flow; head and expression flow are not told apart."""
        return Estimate(self.function(image1, image2), None, None)


@dataclass(frozen=True)
class ZeroEstimator(PairByPair):
    """Nothing moves: the error of every flow is then its length."""

    name: str = "zero"
    details: dict[str, str] = field(default_factory=dict)

    def __call__(self, image1: Rgb, image2: Rgb) -> Estimate:
        """Zeros."""
        flow = np.zeros((*image1.shape[:2], 2), dtype=np.float32)
        return Estimate(flow, flow, flow)


def dis(image1: Rgb, image2: Rgb) -> Flow:
    """Dense inverse search (Kroeger et al. 2016), OpenCV's preset MEDIUM."""
    height, width = image1.shape[:2]
    pad = (max(0, _MIN_SIDE - height), max(0, _MIN_SIDE - width))
    grey = [cv2.copyMakeBorder(_grey(image), 0, pad[0], 0, pad[1], cv2.BORDER_REPLICATE) for image in (image1, image2)]
    method = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    return np.asarray(method.calc(grey[0], grey[1], None), dtype=np.float32)[:height, :width]


def farneback(image1: Rgb, image2: Rgb) -> Flow:
    """Polynomial expansion (Farneback 2003), with the settings of OpenCV's own example."""
    flow = cv2.calcOpticalFlowFarneback(_grey(image1), _grey(image2), None, 0.5, 3, 15, 3, 5, 1.2, 0)
    return np.asarray(flow, dtype=np.float32)


CLASSICAL: dict[str, Estimator] = {
    "zero": ZeroEstimator(),
    "dis": ClassicalEstimator("dis", dis, {"preset": "medium"}),
    "farneback": ClassicalEstimator("farneback", farneback),
}


def _grey(image: Rgb) -> Rgb:
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), dtype=np.uint8)
