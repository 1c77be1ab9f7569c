"""The job: everything that decides what a dataset holds.

A job is a YAML file, or the defaults; command line options override its fields. Unknown fields are
refused. :meth:`Job.content` is what a dataset is a pure function of; how it is computed (workers,
device) and how far it goes (how many identities, which lengths) stand apart, so that a dataset can
be finished on another machine and can grow.
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, field_validator, model_validator

from ffngen.engine import Engine, FlowMode
from ffngen.errors import JobError
from ffngen.url import Place, parse_place
from ffngen.yamlfile import read_yaml, validate

#: What can be computed of a rendered sequence besides flow, masks and depth; ``all`` is every one.
Label = Literal["all", "backward", "occlusion", "scene-flow", "normals", "segmentation", "uv", "landmarks", "coverage"]
Device = Literal["auto", "cpu", "cuda", "optix", "hip", "oneapi", "metal"]
PropKind = Literal["lashes", "brows", "hair", "glasses", "collar"]
Split = Literal["train", "test", "val"]

#: AffectNet's categories, in its own order; ``none`` is a face without a definite emotion.
EMOTIONS = ("neutral", "happy", "sad", "surprise", "fear", "disgust", "anger", "contempt", "none")

#: Fields that say how, where, or how far, and never what a sequence holds.
_NOT_CONTENT = frozenset(
    {"out", "identities", "n_frames", "views", "labels", "label_pairs", "device", "workers", "threads", "frame_timeout"}
)

#: Fields that may hold a path, and the word that they hold otherwise.
PATH_FIELDS: dict[str, str | None] = {
    "head": "open",
    "params": "sample",
    "textures": "generated",
    "backgrounds": "hdri",
    "scene": None,
    "expressions": None,
    "source_images": None,
    "hdris": None,
    "avatar": None,
    "rig": None,
}
#: Where a word without one of these is the name of a preset.
_PATH_SUFFIXES = {"scene": (".yaml", ".yml", ".blend"), "rig": (".json",)}

#: Fields of the engine splat alone.
_SPLAT_FIELDS = ("avatar", "gaussians", "flow_mode")


def _one_or_many(value: Any) -> Any:
    """A single value where a list is expected is a list of one."""
    return [value] if isinstance(value, int | str) else value


def _listed(value: Any) -> Any:
    """``all``, ``none``, a word, or several, as a list in the order in which kinds are defined."""
    kinds = get_args(PropKind)
    words = [value] if isinstance(value, str) else value
    if not isinstance(words, list | tuple):
        return words
    if list(words) in (["all"], ["none"]):
        return kinds if words[0] == "all" else ()
    if all(word in kinds for word in words):
        return tuple(kind for kind in kinds if kind in words)
    return words


def _resolution(value: Any) -> Any:
    """``512x512`` or ``512`` as (width, height)."""
    if isinstance(value, int) and not isinstance(value, bool):
        return (value, value)
    if isinstance(value, str):
        match = re.fullmatch(r"\s*(\d{1,6})\s*(?:[xX]\s*(\d{1,6})\s*)?", value)
        if match is None:
            raise ValueError("write a resolution as WIDTHxHEIGHT, such as 512x512")
        return (int(match[1]), int(match[2] or match[1]))
    return value


def _distances(value: Any) -> Any:
    """Words such as ``2`` as numbers."""
    value = _one_or_many(value)
    if isinstance(value, list | tuple):
        return tuple(int(v) if isinstance(v, str) and re.fullmatch("[0-9]{1,4}", v) else v for v in value)
    return value


def _frame_range(value: Any) -> Any:
    """``10:200``, ``10:`` or ``:200`` as (first, last)."""
    if isinstance(value, str):
        match = re.fullmatch(r"\s*(\d{1,9})?\s*:\s*(\d{1,9})?\s*", value)
        if match is None:
            raise ValueError("write a range of frames as FIRST:LAST, such as 10:200, 10: or :200")
        return tuple(None if number is None else int(number) for number in match.groups())
    return value


#: A whole number and nothing that would pass for one: neither true nor "10" nor 1.0.
Int = Annotated[int, Field(strict=True)]
Pixels = Annotated[Int, Field(ge=16, le=8192)]


def _place(value: Any) -> Any:
    """A folder or a URL."""
    if isinstance(value, str | Path):
        try:
            return parse_place(value)
        except JobError as error:
            raise ValueError(error.what) from error
    return value


OutPlace = Annotated[Place, BeforeValidator(_place), PlainSerializer(str)]


class Splits(BaseModel):
    """Shares of the identities, in any unit; each identity falls into one split by a hash of its name."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    train: float = Field(85, ge=0)
    test: float = Field(10, ge=0)
    val: float = Field(5, ge=0)

    @model_validator(mode="after")
    def _some_share(self) -> Splits:
        if self.train + self.test + self.val <= 0:
            raise ValueError("at least one split needs a share above 0")
        return self

    def of(self, identity: str) -> Split:
        """The split of an identity; depends on nothing else, so a dataset can grow."""
        position = int.from_bytes(hashlib.sha256(identity.encode()).digest()[:8], "big") / 2**64
        position *= self.train + self.test + self.val
        if position < self.train:
            return "train"
        return "test" if position < self.train + self.test else "val"


class Job(BaseModel):
    """A job; see ``jobs/demo.yaml`` for what each field does."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    out: OutPlace = Field(Path("dataset"), description="folder of the dataset, or s3://BUCKET/PREFIX")
    seed: Int = Field(0, ge=0, lt=2**63, description="seeds everything that varies")
    head: str = Field("open", description="open, or the path of a FLAME model (.pkl, .npz, or its folder)")
    head_family: Literal["flame2020", "flame2023", "flame2023_open", "open"] | None = Field(
        None, description="the model's version, where its file name does not tell"
    )
    head_teeth: bool = Field(False, description="add the teeth of VHAP and GaussianAvatars to a FLAME model")
    params: str = Field("sample", description="sample, or a file or folder of what a tracker wrote")
    params_format: str | None = Field(None, description="whose files they are, where their content does not tell")
    identities: Int = Field(1, ge=1, le=10_000_000, description="how many identities to sample")
    emotions: Annotated[tuple[str, ...], BeforeValidator(_one_or_many)] | None = Field(
        None,
        min_length=1,
        description="emotions to sample in turn, or to keep of the given parameters; all when absent",
    )
    expressions: Path | None = Field(None, description="an expression file of your own (see assets/expressions)")
    n_frames: Annotated[tuple[Annotated[Int, Field(ge=2, le=9999)], ...], BeforeValidator(_one_or_many)] = Field(
        (10,), min_length=1, description="lengths of the sequences; one sequence per identity and length"
    )
    motion: Literal["interpolate", "tracked"] = Field(
        "interpolate", description="from the neutral face to a parameter set, or as a video's frames were tracked"
    )
    motion_profile: Literal["linear", "ease", "micro"] = Field(
        "linear", description="linear (as published), ease, or micro: onset, apex half-way, offset"
    )
    amplitude: float | None = Field(
        None, gt=0, le=4, description="share of the expression that is reached; 0.25 with micro, else 1, when absent"
    )
    pose_amplitude: float | None = Field(
        None, ge=0, le=4, description="share of the head pose that is reached; 1 when absent"
    )
    frame_step: Int = Field(1, ge=1, le=9999, description="tracked motion: every so many frames of the video")
    frame_range: Annotated[tuple[Int | None, Int | None], BeforeValidator(_frame_range)] = Field(
        (None, None), description="tracked motion: FIRST:LAST, numbers of the video's frames"
    )
    fps: float | None = Field(None, gt=0, le=10_000, description="tracked motion: frames per second to resample to")
    camera: Literal["preset", "tracked"] = Field(
        "preset", description="the scene preset's, or the one that the tracker saw the face with"
    )
    rig: str | None = Field(None, description="several cameras: nersemble, or the path of a transforms.json")
    views: Annotated[tuple[Annotated[Int, Field(ge=0, le=999)], ...], BeforeValidator(_one_or_many)] | None = Field(
        None, min_length=1, description="which of the rig's cameras, counted from 0; all when absent"
    )
    include_neutral: bool = Field(False, description="prepend the frame t = 0, neutral and frontal")
    jaw_motion: Literal["pose", "expression"] = Field(
        "pose", description="whether the jaw's rotation moves on in head-only frames (pose, as published) or stays"
    )
    scene: str = Field("portrait", description="a preset of blender_scenes/, or the path of a .yaml or .blend")
    textures: str = Field(
        "generated", description="generated, a folder of UV textures, or a linear model of FLAME's (.npz)"
    )
    texture_size: Int = Field(1024, ge=64, le=8192, description="pixels along one side of a generated texture")
    props: Annotated[tuple[PropKind, ...], BeforeValidator(_listed)] | None = Field(
        None, description="lashes, brows, hair, glasses, collar, or none; all with generated textures, when absent"
    )
    backgrounds: str = Field("hdri", description="hdri, or a folder of photographs")
    hdris: Path | None = Field(None, description="folder of .hdr or .exr surroundings, in place of the preset's")
    source_images: Path | None = Field(
        None, description="folder of the pictures that were tracked: each is its own face's background"
    )
    engine: Engine = Field("cycles", description="what renders: Cycles, or Gaussians on the head")
    avatar: Path | None = Field(None, description="splat: an avatar of GaussianAvatars; made of the head when absent")
    gaussians: Int = Field(200_000, ge=100, le=5_000_000, description="splat: Gaussians on a head without an avatar")
    flow_mode: FlowMode = Field("affine", description="splat: what Gaussians say of motion")
    resolution: Annotated[tuple[Pixels, Pixels], BeforeValidator(_resolution)] = Field(
        (512, 512), description="width and height in pixels"
    )
    samples: Int = Field(16, ge=1, le=65_536, description="Cycles samples per pixel of a colour image")
    denoise: bool = Field(True, description="denoise colour images with OpenImageDenoise")
    flow_format: Literal["flo", "exr", "exr-half", "compact", "flo5", "npz"] = Field("flo", description="flow files")
    image_format: Literal["jpg", "png"] = Field("jpg", description="colour images")
    jpeg_quality: Int = Field(95, ge=1, le=100, description="quality of .jpg images (4:4:4)")
    labels: Annotated[tuple[Label, ...], BeforeValidator(_one_or_many)] = Field(
        (), description="labels to add: all, backward, occlusion, normals, ... (ffngen label --help)"
    )
    label_pairs: Annotated[
        tuple[Annotated[Int, Field(ge=1, le=9998)] | Literal["first-last"], ...], BeforeValidator(_distances)
    ] = Field((), max_length=64, description="flow between frames so far apart, such as [2, 5, first-last]")
    folders: Literal["published", "spread"] | None = Field(
        None,
        description="published: one folder per emotion; spread: 256 of them, by a hash of the names; when absent,"
        " as published, which is refused where a folder would hold more than 10,000 sequences",
    )
    splits: Splits = Field(default_factory=lambda: Splits(), description="shares of train, test and val")
    device: Device = Field("auto", description="what Cycles renders on")
    workers: Int | None = Field(None, ge=1, le=1024, description="render processes; chosen when absent")
    threads: Int | None = Field(None, ge=1, le=1024, description="threads of each render process; chosen when absent")
    frame_timeout: float = Field(1800, gt=0, description="seconds after which a silent render process is restarted")

    @field_validator("out", *PATH_FIELDS)
    @classmethod
    def _path(cls, value: Place | str | None) -> Place | str | None:
        if value == "" or "\0" in str(value):
            raise ValueError("a path is not empty and holds no null character")
        return value

    @field_validator("n_frames")
    @classmethod
    def _distinct(cls, value: tuple[int, ...]) -> tuple[int, ...]:
        if len(set(value)) != len(value):
            raise ValueError("a length is given twice")
        return value

    @field_validator("emotions")
    @classmethod
    def _emotion_words(cls, value: tuple[str, ...] | None) -> tuple[str, ...] | None:
        for word in value or ():
            if not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", word):
                raise ValueError(f"an emotion must be a plain word, not {word[:64]!r}")
        if value is not None and len(set(value)) != len(value):
            raise ValueError("an emotion is given twice")
        return value

    @model_validator(mode="after")
    def _sampler_knows_emotions(self) -> Job:
        unknown = [word for word in self.emotions or () if word not in EMOTIONS]
        if self.params == "sample" and self.expressions is None and unknown:
            raise ValueError(f"the sampler knows no emotion {unknown[0]!r}; it knows {', '.join(EMOTIONS)}")
        return self

    @model_validator(mode="after")
    def _parts_fit(self) -> Job:
        sampled = self.params == "sample"
        for field, wants in (("motion", "tracked"), ("camera", "tracked"), ("source_images", self.source_images)):
            if sampled and wants is not None and getattr(self, field) == wants:
                raise ValueError(f"{field} needs a tracker's parameters: name them with params")
        if self.motion == "tracked":
            amplitudes = (self.amplitude, self.pose_amplitude)
            if self.include_neutral or self.motion_profile != "linear" or amplitudes != (None, None):
                raise ValueError("include_neutral, motion_profile and the amplitudes are for interpolated motion")
        elif self.frame_step != 1 or self.frame_range != (None, None) or self.fps is not None:
            raise ValueError("frame_step, frame_range and fps are for tracked motion: say motion: tracked")
        if self.scene.endswith(".blend"):
            defaults = {"camera": "preset", "backgrounds": "hdri", "hdris": None, "source_images": None}
            for field, default in defaults.items():
                if getattr(self, field) != default:
                    raise ValueError(f"a .blend brings its own camera, light and background: leave {field} away")
        if self.source_images is not None and self.backgrounds != "hdri":
            raise ValueError("give source_images or backgrounds, not both")
        return self

    @model_validator(mode="after")
    def _rig_is_the_camera(self) -> Job:
        if self.rig is None:
            if self.views is not None:
                raise ValueError("views are a rig's: say which with rig")
            return self
        if self.camera == "tracked" or self.source_images is not None or self.scene.endswith(".blend"):
            raise ValueError("a rig has cameras of its own: leave camera, source_images and a .blend away")
        if self.views is not None and len(set(self.views)) != len(self.views):
            raise ValueError("a view is given twice")
        return self

    @model_validator(mode="after")
    def _engine_knows(self) -> Job:
        if self.engine == "splat":
            if self.scene.endswith(".blend"):
                raise ValueError("a .blend is rendered by Cycles alone: leave engine away, or name another scene")
            if self.avatar is not None and self.props:
                raise ValueError("an avatar wears what it was captured with: leave props away")
        else:
            for field in _SPLAT_FIELDS:
                if field in self.model_fields_set and getattr(self, field) != Job.model_fields[field].default:
                    raise ValueError(f"{field} is for Gaussians: say engine: splat")
        return self

    @property
    def width(self) -> int:
        """Image width, pixels."""
        return self.resolution[0]

    @property
    def height(self) -> int:
        """Image height, pixels."""
        return self.resolution[1]

    def content(self) -> dict[str, Any]:
        """The fields that decide what a sequence holds, JSON-ready."""
        unused = set() if self.engine == "splat" else {"engine", *_SPLAT_FIELDS}
        unused |= {field for field in ("rig", "pose_amplitude") if getattr(self, field) is None}
        unused |= {"folders"} if self.folders != "spread" else set()
        return self.model_dump(mode="json", exclude={*_NOT_CONTENT, *unused})


def load_job(path: Path | None, overrides: dict[str, Any] | None = None) -> Job:
    """The job of a YAML file (or the defaults), with ``overrides`` in place of its fields.

    Relative paths in a job file are relative to the file, except ``out``, which like every path on
    the command line is relative to the working folder.

    :raises InputFileError, JobError: one line that names the file or the field.
    """
    data: dict[str, Any] = {}
    if path is not None:
        data = read_yaml(path)
        for field, word in PATH_FIELDS.items():
            value = data.get(field)
            if isinstance(value, str) and value not in (word, "") and value.endswith(_PATH_SUFFIXES.get(field, "")):
                data[field] = str(path.parent / value)
    data.update(overrides or {})

    def place(field: str) -> str | Path:
        return path if path is not None and field not in (overrides or {}) else "command line"

    return validate(Job, data, place, JobError)
