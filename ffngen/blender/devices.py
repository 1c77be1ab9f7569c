"""What Cycles renders on."""

from __future__ import annotations

from typing import Any

import bpy

#: Fastest first; ``auto`` takes the first that has a device.
GPU_TYPES = ("OPTIX", "CUDA", "HIP", "METAL", "ONEAPI")


class DeviceMissingError(Exception):
    """The device that was asked for is not in this machine, or this build cannot use it."""


def _devices(preferences: Any, kind: str) -> list[Any]:
    try:
        preferences.compute_device_type = kind
    except TypeError:  # not in this build of Blender
        return []
    preferences.refresh_devices()
    return [device for device in preferences.devices if device.type == kind]


def count_gpus(device: str) -> tuple[str, int]:
    """The Cycles device type that ``device`` (a :data:`ffngen.job.Device`) comes to, and how many there are.

    :returns: ``("CPU", 0)``, or a GPU type and its count.
    :raises DeviceMissingError: a GPU type was asked for by name and there is none.
    """
    if device == "cpu":
        return "CPU", 0
    preferences = bpy.context.preferences.addons["cycles"].preferences
    for kind in GPU_TYPES if device == "auto" else (device.upper(),):
        found = _devices(preferences, kind)
        if found:
            return kind, len(found)
    if device == "auto":
        return "CPU", 0
    raise DeviceMissingError(f"no {device} device that Cycles can use was found")


def select(kind: str, index: int) -> str:
    """Make Cycles use the ``index``-th GPU of a type alone, or the CPU.

    :returns: what ``scene.cycles.device`` is to be: CPU or GPU.
    """
    if kind == "CPU":
        return "CPU"
    preferences = bpy.context.preferences.addons["cycles"].preferences
    chosen = _devices(preferences, kind)[index]
    for device in preferences.devices:
        device.use = device == chosen
    return "GPU"
