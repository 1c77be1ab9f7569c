"""The classifiers, and how each is trained."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from torch import nn

from ffngen.recognition.mmnet import FACE_SIZE, MMNet
from ffngen.recognition.mmnet import SIZE as MMNET_SIZE
from ffngen.recognition.ststnet import SIZE as STSTNET_SIZE
from ffngen.recognition.ststnet import STSTNet


class Classifier(StrEnum):
    """``ststnet`` is the light one, ``mmnet`` the two-branch one."""

    STSTNET = "ststnet"
    MMNET = "mmnet"


@dataclass(frozen=True)
class ClassifierSettings:
    """A classifier and its training.

    :param size: the side of the motion's square, pixels.
    :param face_size: the side of the onset face, pixels.
    :param epochs: passes over the training samples.
    :param learning_rate: of AdamW.
    :param weight_decay: of AdamW.
    :param decay: what the learning rate is multiplied by after each epoch.
    :param batch: samples in a step.
    :param augment: mirror half of the training samples, and shift each by up to a fifteenth of the square.
    :param width: of :class:`ffngen.recognition.mmnet.MMNet`.
    """

    classifier: Classifier
    size: int
    epochs: int
    learning_rate: float
    weight_decay: float
    decay: float
    batch: int
    face_size: int = field(default=FACE_SIZE)
    augment: bool = True
    width: float = 0.125

    def build(self, classes: int) -> nn.Module:
        """The network, with new weights from PyTorch's generator."""
        return STSTNet(classes) if self.classifier is Classifier.STSTNET else MMNet(classes, self.width)


#: What is used unless said otherwise. Published: STSTNet 5e-5 and 800 steps, each of all samples, without augmentation;
#: MMNet 8e-4, weight decay 0.6, 75 epochs of 32 samples, mirrored, rotated by up to 3 degrees and shifted by up to 15
#: of 224 pixels, the rate falling by 1.3% in each of the first 50.
_DEFAULTS = {
    Classifier.STSTNET: ClassifierSettings(Classifier.STSTNET, STSTNET_SIZE, 100, 2e-3, 1e-4, 0.98, 32),
    Classifier.MMNET: ClassifierSettings(Classifier.MMNET, MMNET_SIZE, 20, 8e-4, 0.6, 0.987, 32),
}


def classifier_settings(
    classifier: Classifier | str,
    *,
    epochs: int | None = None,
    learning_rate: float | None = None,
    width: float | None = None,
    augment: bool = True,
) -> ClassifierSettings:
    """A classifier's settings, with what is given in place of the defaults."""
    given = {"epochs": epochs, "learning_rate": learning_rate, "width": width}
    chosen: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    return replace(_DEFAULTS[Classifier(classifier)], augment=augment, **chosen)
