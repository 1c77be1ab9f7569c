"""The views of an ffngen dataset: facial and head-only images, with their cameras, heads and masks."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

import numpy as np

from ffngen.avatar_fit.view import FitView, Person, ViewSource, make_view
from ffngen.dataset.arrays import SequenceVertices, read_vertices
from ffngen.dataset.layout import Output, Record
from ffngen.dataset.metadata import SequenceMetadata
from ffngen.dataset.raycast import cast_frame
from ffngen.dataset.read import FlowDataset
from ffngen.errors import DatasetError, HeadModelError, InputFileError
from ffngen.head.model import HeadModel
from ffngen.images import read_image


def rendered_views(root: Path, model: HeadModel) -> dict[str, Person]:
    """The people of a dataset.

    :raises DatasetError: the folder is no dataset, or has no sequence.
    :raises HeadModelError: it was rendered with another head.
    :raises MissingPackageError: embreex, which finds the head in the pictures, is not installed.
    """
    data = FlowDataset(root)
    if not data.sequences:
        raise DatasetError("has no complete sequence", where=root, mend="run ffngen render again")
    digest = data.digest()
    # Opened anew for each sequence, it would be unpacked for each picture.
    read = lru_cache(maxsize=4)(read_vertices)
    people: dict[str, Person] = {}
    for key in data.sequences:
        metadata = data.metadata(key)
        if metadata.model.digest != model.digest:
            what = f"rendered with another head ({metadata.model.family} {metadata.model.version})"
            raise HeadModelError(what, where=root, mend="name it with --head")
        if metadata.identity not in people:
            neutral = model.with_shape(np.array(metadata.parameters.betas)).neutral.astype(np.float32)
            people[metadata.identity] = Person(neutral, digest=digest)
        for output in (Output.FACIAL_IMAGE, Output.HEAD_IMAGE):
            for frame in metadata.layout.frames(output):
                load = _Rendered(root, metadata, output, frame, model, read)
                name = f"{key.sequence} {'facial' if output is Output.FACIAL_IMAGE else 'head-only'} {frame}"
                people[metadata.identity].views.append(ViewSource(name, load))
    return people


class _Rendered:
    """Reads one image of a dataset."""

    def __init__(
        self,
        root: Path,
        metadata: SequenceMetadata,
        output: Output,
        frame: int,
        model: HeadModel,
        read: Callable[[Path], SequenceVertices],
    ) -> None:
        self._root, self._metadata, self._output, self._frame = root, metadata, output, frame
        self._model, self._read = model, read

    def __call__(self, longest: int) -> FitView:
        metadata, path = self._metadata, self._root / self._metadata.layout.file(self._output, self._frame)
        stored = self._read(self._root / metadata.layout.record(Record.VERTICES))
        head = self._model.faces
        if len(stored.faces) < len(head) or not np.array_equal(stored.faces[: len(head)], head):
            raise DatasetError("its triangles are not the head's", where=self._root, mend="verify the dataset")
        at = stored.frames.tolist().index(self._frame)
        vertices = stored.facial[at] if self._output is Output.FACIAL_IMAGE else stored.head[at - 1]
        camera = metadata.get_camera(self._frame)
        image = read_image(path)
        if image.shape[:2] != (camera.height, camera.width):
            what = f"has {image.shape[1]} x {image.shape[0]} pixels, and its camera {camera.width} x {camera.height}"
            raise InputFileError(what, where=path)
        # Head-only images have no mask in the dataset, and no mask tells glasses from the head.
        triangle = cast_frame(vertices, stored.faces, camera).triangle
        hit = triangle >= 0
        return make_view(image, hit, camera, vertices, longest, left_out=triangle >= len(head))
