"""Rendering one sequence with Gaussians: which raw files, in which order."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ffngen.render.child import record
from ffngen.render.request import Crop, RawPass, SequenceRequest
from ffngen.splat.avatar import Avatar
from ffngen.splat.image import SplatImage
from ffngen.splat.lit import LitSurface
from ffngen.splat.ply import read_avatar
from ffngen.splat.posed import PosedAvatar
from ffngen.splat.raw import crop_of, write_colour, write_truth

Vertices = NDArray[np.float32]


def render_sequence(folder: Path, what: str = "sequence") -> Iterator[dict[str, Any]]:
    """Render every raw pass of the request in ``folder``; yields a record of each finished file.

    :param what: :data:`ffngen.render.process.What`.
    :raises InputFileError: the avatar cannot be read.
    :raises FfngenError: it is not one of this head's.
    """
    request = SequenceRequest.read(folder)
    avatar_at = _avatar(request, folder)
    facial, head = request.facial, request.head
    assert request.splat is not None
    count = {"sequence": len(facial), "still": 1, "scene": 0}[what]
    for i in range(count):
        camera, later = request.camera_of(i), request.camera_of(min(i + 1, len(facial) - 1))
        targets = [facial[i + 1], head[i]] if i + 1 < len(facial) and what == "sequence" else []
        now = PosedAvatar(avatar_at(facial[i]), facial[i], request.faces, camera)
        others = [replace(now, vertices=vertices, camera=later) for vertices in targets]
        image, crop = now.image(others, request.splat.flow_mode), crop_of(now.splats)
        if what == "sequence":
            if not crop.is_empty:
                write_truth(RawPass.TRUTH.path(folder, i), image, crop)
            yield record(RawPass.TRUTH, i, crop)
        yield _colour(RawPass.FACIAL_COLOUR, folder, i, image, crop)
        if targets:
            only = PosedAvatar(avatar_at(head[i]), head[i], request.faces, later)
            yield _colour(RawPass.HEAD_COLOUR, folder, i + 1, only.image(), crop_of(only.splats))


def _avatar(request: SequenceRequest, folder: Path) -> Callable[[Vertices], Avatar]:
    """The avatar as it looks in a pose."""
    assert request.splat is not None
    if request.splat.avatar is not None:
        avatar = read_avatar(Path(request.splat.avatar))
        return lambda vertices: avatar
    with Image.open(folder / "atlas.png") as picture:
        return LitSurface(request, np.asarray(picture.convert("RGB"))).at


def _colour(kind: RawPass, folder: Path, index: int, image: SplatImage, crop: Crop) -> dict[str, Any]:
    if not crop.is_empty:
        write_colour(kind.path(folder, index), image, crop)
    return record(kind, index, crop)
