"""``metadata.json``: what one sequence is and which files it has.

It is written last and so marks the sequence complete. It holds nothing that differs between two runs of one
job, such as a time or a machine's name.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError, model_validator

from ffngen.atomic import read_bounded
from ffngen.dataset.layout import ImageFormat, SequenceKey, SequenceLayout, metadata_path
from ffngen.engine import Engine
from ffngen.errors import DatasetError, FfngenError, InputFileError
from ffngen.flow.files import FlowFormat
from ffngen.flow.values import MAX_PIXELS
from ffngen.geometry.camera import Camera
from ffngen.geometry.plane import FacingPlane

#: The version of the layout and of this file. A reader refuses another one.
FORMAT_VERSION: Final = 1

MAX_METADATA_BYTES = 16 << 20
#: More frames than a sequence has; bounds what a damaged file makes a reader list.
_MAX_FRAMES = 9999

Row = tuple[float, float, float, float]
#: A rigid transform, (4, 4).
Pose = tuple[Row, Row, Row, Row]

Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class _Model(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, allow_inf_nan=False)


class Parameters(_Model):
    """The parameter set that the sequence moves towards (:class:`ffngen.params.parameter_set.ParameterSet`)."""

    betas: tuple[float, ...]
    expression: tuple[float, ...]
    pose: Annotated[tuple[float, ...], Field(min_length=15, max_length=15)]
    family: str
    source: str


class HeadModel(_Model):
    """Which head model: its family, its version and the digest of its arrays."""

    family: str
    version: str
    digest: str


class Versions(_Model):
    """The programs that made the sequence; no Blender where Gaussians did."""

    ffngen: str
    blender: str | None


class FileEntry(_Model):
    """One file's size in bytes and SHA-256."""

    bytes: Annotated[int, Field(ge=0)]
    sha256: Digest


class SequenceMetadata(_Model):
    """One complete sequence.

    ``background_depth`` is the depth in metres of the stationary plane that stands behind the head, perpendicular to
    the optical axis of ``camera``, and fills the rest of the frame. ``camera_poses`` are the camera's ``T_world_cam``
    in each facial frame where it moves, and null where it stands still. ``files`` maps every path of the sequence,
    relative to the dataset's root, to its size and digest. ``motion_scale`` is 1/n, or
    null for motion that a tracker saw; ``motion`` says how the face moves. Of such a motion, ``parameters`` are the
    first frame's. ``is_spread`` says whether the sequence's folders lie in folders by hash.
    """

    format_version: Literal[1] = FORMAT_VERSION
    sequence: str
    split: str
    emotion: str
    is_spread: bool = False
    identity: str
    n_frames: Annotated[int, Field(ge=2, le=_MAX_FRAMES)]
    include_neutral: bool
    motion_scale: Annotated[float, Field(gt=0, lt=1)] | None
    motion: dict[str, JsonValue] = Field({"kind": "interpolate"})
    job_digest: str
    seeds: dict[str, int]
    parameters: Parameters
    model: HeadModel
    camera: dict[str, JsonValue]
    camera_poses: tuple[Pose, ...] | None = None
    background_depth: Annotated[float, Field(gt=0)]
    engine: Engine = "cycles"
    flow_format: FlowFormat
    image_format: ImageFormat
    scene: dict[str, JsonValue]
    versions: Versions
    files: dict[str, FileEntry]

    @model_validator(mode="after")
    def _check_parts(self) -> Self:
        try:
            camera = Camera.from_json(self.camera)
            if self.camera_poses is not None:
                if len(self.camera_poses) != self.n_frames + self.include_neutral:
                    raise ValueError(f"{len(self.camera_poses)} camera_poses for {self.n_frames} frames")
                for pose in self.camera_poses:
                    camera.moved(np.array(pose, dtype=np.float64))
            SequenceKey(self.split, self.emotion, self.sequence, self.is_spread)
        except (FfngenError, OverflowError) as error:
            raise ValueError(str(error)) from error
        if camera.width * camera.height > MAX_PIXELS:
            raise ValueError(f"a camera of {camera.width} x {camera.height} pixels is too large")
        if self.motion_scale is not None and abs(self.motion_scale * self.n_frames - 1) > 1e-9:
            raise ValueError(f"motion_scale must be 1/{self.n_frames}, not {self.motion_scale}")
        return self

    @property
    def key(self) -> SequenceKey:
        """Which sequence this is."""
        return SequenceKey(self.split, self.emotion, self.sequence, self.is_spread)

    @property
    def layout(self) -> SequenceLayout:
        """Where its files lie."""
        return SequenceLayout(self.key, self.n_frames, self.include_neutral, self.image_format, self.flow_format)

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of every frame, pixels."""
        camera = Camera.from_json(self.camera)
        return camera.width, camera.height

    def get_camera(self, frame: int) -> Camera:
        """The camera of one frame; a head-only frame has that of the facial frame of its number.

        :param frame: the frame's number, as in its files' names.
        """
        camera = Camera.from_json(self.camera)
        place = self.layout.facial_frames.index(frame)
        return camera if self.camera_poses is None else camera.moved(np.array(self.camera_poses[place]))

    @property
    def splat(self) -> dict[str, JsonValue]:
        """What its Gaussians are; empty where Cycles made it."""
        splat = self.scene.get("splat")
        return splat if self.engine == "splat" and isinstance(splat, dict) else {}

    @property
    def is_captured(self) -> bool:
        """Whether it shows an avatar's Gaussians, and not those of the head's own surface."""
        return "avatar" in self.splat

    @property
    def avatar_digest(self) -> str | None:
        """The SHA-256 of the captured avatar's file; None where there is no such avatar."""
        digest = self.splat.get("avatar_sha256")
        return digest if self.is_captured and isinstance(digest, str) else None

    @property
    def background(self) -> FacingPlane:
        """The plane behind the head."""
        return FacingPlane(Camera.from_json(self.camera), self.background_depth)


def encode_metadata(metadata: SequenceMetadata) -> bytes:
    """The bytes of ``metadata.json``: keys sorted, the same bytes for the same content."""
    return (json.dumps(metadata.model_dump(mode="json"), indent=1, sort_keys=True) + "\n").encode()


def read_metadata(path: str | Path) -> SequenceMetadata:
    """Read a ``metadata.json``; raises :class:`DatasetError` when it is missing or does not fit the model."""
    try:
        data = read_bounded(path, MAX_METADATA_BYTES)
    except InputFileError as error:
        raise DatasetError(error.what, where=path) from error
    return _decode(data, path)


def read_sequence(root: Path, key: SequenceKey) -> SequenceMetadata:
    """The metadata of one sequence of a dataset; it must name the folder that it lies in.

    :raises DatasetError: missing, damaged, or of another sequence.
    """
    path = root / metadata_path(key)
    return _require_key(read_metadata(path), key, path)


def decode_sequence(data: bytes, key: SequenceKey, where: str | Path) -> SequenceMetadata:
    """The same of a metadata file's bytes, which were found at ``where``."""
    return _require_key(_decode(data, where), key, where)


def _decode(data: bytes, where: str | Path) -> SequenceMetadata:
    try:
        return SequenceMetadata.model_validate_json(data)
    except ValidationError as error:
        raise DatasetError(_first_fault(error), where=where, mend="delete it and run the job again") from error


def _require_key(metadata: SequenceMetadata, key: SequenceKey, where: str | Path) -> SequenceMetadata:
    if metadata.key != key:
        raise DatasetError(f"it belongs to the sequence {metadata.key}", where=where)
    return metadata


def _first_fault(error: ValidationError) -> str:
    first: Any = error.errors(include_url=False, include_input=False)[0]
    place = ".".join(str(part) for part in first["loc"])
    more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
    return f"{place}: {first['msg']}{more}" if place else f"{first['msg']}{more}"
