"""The views of a captured folder, as VHAP and GaussianAvatars lay it out: cameras, tracked heads, pictures, masks."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np

from ffngen.avatar_fit.view import FitView, Person, ViewSource, make_view
from ffngen.dataset.raycast import cast_frame
from ffngen.errors import InputFileError
from ffngen.head.model import HeadModel
from ffngen.images import read_image
from ffngen.motion.sequence import make_sequence
from ffngen.motion.vertices import sequence_vertices
from ffngen.params.gaussian_avatars import CapturedView, read_captured_views
from ffngen.params.source import check_fits

#: A mask's grey from which on a pixel is the person's.
_PERSON = 128


def captured_views(path: Path, model: HeadModel) -> dict[str, Person]:
    """The people of a folder; sequences that were tracked with one shape are one person's, named as the first is.

    :raises InputFileError: there is nothing of that kind, or it is damaged.
    :raises HeadModelError: it was tracked with another head.
    """
    found = read_captured_views(path)
    if not found:
        what = "is neither an ffngen dataset nor a folder of VHAP or GaussianAvatars"
        raise InputFileError(
            what, where=path, mend="give one with dataset.json, or with transforms.json and flame_param"
        )
    people: dict[str, Person] = {}
    texts: dict[str, list[str]] = {}
    names: dict[bytes, str] = {}
    for one in found:
        shape = one.parameters.betas
        identity = names.setdefault(shape.tobytes(), one.parameters.identity)
        if identity not in people:
            check_fits(one.parameters, model)
            neutral = model.with_shape(shape, one.parameters.static_offset).neutral.astype(np.float32)
            people[identity], texts[identity] = Person(neutral, one.parameters), []
        name = one.image.name
        people[identity].views.append(ViewSource(name, _Captured(one, model)))
        texts[identity].append(f"{one.image.relative_to(path)} {one.image.stat().st_size} {one.camera.to_json()}")
    for identity, lines in texts.items():
        people[identity].digest = hashlib.sha256("\n".join(lines).encode()).hexdigest()
    return people


class _Captured:
    """Reads one picture."""

    def __init__(self, view: CapturedView, model: HeadModel) -> None:
        self._view, self._model = view, model

    def __call__(self, longest: int) -> FitView:
        view = self._view
        image = read_image(view.image)
        camera = view.camera
        height, width = image.shape[:2]
        if abs(width * camera.height - height * camera.width) > max(camera.width, camera.height):
            what = f"has {width} x {height} pixels, and its camera {camera.width} x {camera.height}"
            raise InputFileError(what, where=view.image)
        camera = camera.resized(width, height)
        # The last frame of an interpolated motion is the set itself.
        facial, _ = sequence_vertices(self._model, make_sequence(view.parameters, 2))
        if view.mask is None:
            inside = cast_frame(facial[-1], self._model.faces, camera).hit
        else:
            mask = read_image(view.mask)
            if mask.shape != image.shape:
                raise InputFileError(f"is not of the size of {view.image.name}", where=view.mask)
            inside = mask[..., 0] >= _PERSON
        return make_view(image, inside, camera, facial[-1], longest)
