"""A dataset's labels in the Rerun viewer: as pictures, and the landmarks as points on image t."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from ffngen.dataset.labels.layout import LabelKind
from ffngen.dataset.labels.record import LabelsRecord, label_layout, read_labels
from ffngen.dataset.labels.sheet import label_pictures
from ffngen.dataset.layout import SequenceKey
from ffngen.dataset.read import FlowDataset, Pair
from ffngen.images import encode_png

CAMERA = "world/camera"
#: Points' size and colours: visible, hidden.
_RADIUS, _VISIBLE, _HIDDEN = 1.2, (40, 230, 80), (235, 60, 60)


def label_entity(name: str) -> str:
    """Where a label's picture is logged."""
    return f"labels/{name.replace(' ', '_')}"


def shown_labels(data: FlowDataset, sequences: Iterable[SequenceKey]) -> list[str]:
    """The names of the pictures that some sequences have, each once.

    :raises InputFileError: a sequence's labels.json is damaged.
    """
    names: dict[str, None] = {}
    for key in sequences:
        names |= dict.fromkeys(SequenceLabelPictures(data.pairs(key)[:1]).names)
    return list(names)


class SequenceLabelPictures:
    """Draws the labels of a sequence's pairs.

    :param pairs: all of the sequence's.
    """

    def __init__(self, pairs: Sequence[Pair]) -> None:
        first = pairs[0]
        record = read_labels(first.root, first.metadata)
        fits = record is not None and record.fits(first.metadata)
        self._kinds = record.kinds if record is not None and fits else ()
        self._pictures = {} if record is None or not fits else _pictures(record, pairs)

    @property
    def names(self) -> list[str]:
        """The names of the pictures."""
        return list(self._pictures)

    def send(self, recording: Any, pair: Pair) -> None:
        """Log a pair's pictures and landmarks at the recording's present time."""
        import rerun

        for name, (_, draw) in self._pictures.items():
            picture = encode_png(draw(pair.labels))
            recording.log(label_entity(name), rerun.EncodedImage(contents=picture, media_type="image/png"))
        if LabelKind.LANDMARKS in self._kinds:
            points = pair.labels.landmarks
            colors = [_VISIBLE if visible else _HIDDEN for visible in points.landmarks_visible]
            # Rerun has the corner of the top-left pixel at (0, 0), CONVENTIONS.md its centre.
            places = rerun.Points2D(points.landmarks + 0.5, colors=colors, radii=_RADIUS, draw_order=2)
            recording.log(f"{CAMERA}/landmarks", places)


def _pictures(record: LabelsRecord, pairs: Sequence[Pair]) -> Any:
    # Landmarks are points on image t, not a picture of their own.
    kinds = tuple(kind for kind in record.kinds if kind is not LabelKind.LANDMARKS)
    distant = label_layout(pairs[0].metadata, record.gaps).distant_pairs
    return label_pictures(kinds, [pair.labels for pair in pairs], distant)
