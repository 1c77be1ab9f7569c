"""Scene presets: the YAML files of ``blender_scenes/`` or of the user's own."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from ffngen.appearance.rigs import RigName
from ffngen.errors import InputFileError, JobError
from ffngen.resources import resource
from ffngen.yamlfile import read_yaml, validate

HdriName = Literal["city", "courtyard", "forest", "interior", "night", "studio", "sunrise", "sunset"]


def _as_range(value: Any) -> Any:
    """A single number is a range of no width."""
    return (value, value) if isinstance(value, int | float) and not isinstance(value, bool) else value


def _ordered(value: tuple[float, float]) -> tuple[float, float]:
    if value[0] > value[1]:
        raise ValueError("a range is written [low, high]")
    return value


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


def _range(low: float, high: float) -> Any:
    """The type of a range whose ends lie in [low, high]."""
    end = Annotated[float, Field(ge=low, le=high)]
    return Annotated[tuple[end, end], BeforeValidator(_as_range), AfterValidator(_ordered)]


class CameraPreset(_Strict):
    """Which lens, from where, and how the head is framed."""

    focal_length_mm: _range(10, 1000) | None = None  # type: ignore[valid-type]
    distance: _range(0.2, 20) | None = None  # type: ignore[valid-type]
    sensor_width_mm: float = Field(36, gt=1, lt=1000)
    fill: _range(0.05, 2) = (0.7, 0.7)  # type: ignore[valid-type]
    max_width_fill: float = Field(0.9, gt=0.05, le=2)
    offset_x: _range(-1, 1) = (0.0, 0.0)  # type: ignore[valid-type]
    offset_y: _range(-1, 1) = (0.0, 0.0)  # type: ignore[valid-type]
    yaw_degrees: _range(-80, 80) = (0.0, 0.0)  # type: ignore[valid-type]
    elevation_degrees: _range(-60, 60) = (0.0, 0.0)  # type: ignore[valid-type]
    handheld: _range(0, 10) = (0.0, 0.0)  # type: ignore[valid-type]
    f_number: _range(0.5, 64) | None = None  # type: ignore[valid-type]

    @model_validator(mode="after")
    def _one_of_two(self) -> CameraPreset:
        if (self.focal_length_mm is None) == (self.distance is None):
            raise ValueError("give focal_length_mm or distance; the other follows from the fill")
        return self


class BackgroundPreset(_Strict):
    """The stationary plane behind the head."""

    distance: float = Field(0.6, gt=0, le=100)
    field_of_view_degrees: _range(10, 150) = (70, 95)  # type: ignore[valid-type]
    plain: _range(0, 1) | None = None  # type: ignore[valid-type]
    shadow: bool = False


class LightingPreset(_Strict):
    """The surroundings and the lamps."""

    hdris: tuple[HdriName, ...] = Field(
        ("city", "courtyard", "forest", "interior", "night", "studio", "sunrise", "sunset"), min_length=1
    )
    strength: _range(0, 100) = (1.0, 1.0)  # type: ignore[valid-type]
    rigs: tuple[RigName, ...] = Field(("three_point",), min_length=1)


class ImagePreset(_Strict):
    """What the camera makes of the light; nothing of it touches flow, depth and masks."""

    exposure_stops: _range(-4, 4) = (0.0, 0.0)  # type: ignore[valid-type]
    white_balance_kelvin: _range(2000, 20000) = (6500, 6500)  # type: ignore[valid-type]
    motion_blur: _range(0, 1) = (0.0, 0.0)  # type: ignore[valid-type]
    noise: _range(0, 1) = (0.0, 0.0)  # type: ignore[valid-type]
    jpeg_quality: _range(1, 100) | None = None  # type: ignore[valid-type]


class ScenePreset(_Strict):
    """A scene preset; ``blender_scenes/portrait.yaml`` explains each field."""

    camera: CameraPreset
    background: BackgroundPreset = Field(default_factory=BackgroundPreset)
    lighting: LightingPreset = Field(default_factory=LightingPreset)
    image: ImagePreset = Field(default_factory=ImagePreset)


#: The suffix of scenes that were built in Blender (:mod:`ffngen.scene.template`).
TEMPLATE_SUFFIX = ".blend"


def preset_names() -> list[str]:
    """The presets that ship, by name."""
    return sorted(entry.stem for entry in resource("blender_scenes").glob("*.yaml"))


def preset_path(name_or_path: str) -> Path:
    """The file of the preset of that name, or the YAML file of that path; raises :class:`JobError`."""
    if name_or_path.endswith((".yaml", ".yml")):
        return Path(name_or_path)
    path = resource("blender_scenes") / f"{name_or_path}.yaml"
    if Path(name_or_path).name != name_or_path or not path.is_file():
        raise JobError(
            f"no scene preset {name_or_path[:80]!r}",
            where="scene",
            mend=f"use one of {', '.join(preset_names())}, or the path of a .yaml or .blend file",
        )
    return path


def load_preset(name_or_path: str) -> ScenePreset:
    """The preset of that name in ``blender_scenes/``, or the YAML file of that path.

    A .blend brings its own camera, light and background; its preset is the defaults.

    :raises JobError, InputFileError: no such preset, or a field that cannot be used.
    """
    if name_or_path.endswith(TEMPLATE_SUFFIX):
        return ScenePreset(camera=CameraPreset(focal_length_mm=50))
    path = preset_path(name_or_path)
    return validate(ScenePreset, read_yaml(path), path, InputFileError)


def draw(rng: np.random.Generator, value: tuple[float, float]) -> float:
    """One number from a range; takes one draw from ``rng`` even where the range has no width."""
    low, high = value
    return float(low + (high - low) * rng.random())
