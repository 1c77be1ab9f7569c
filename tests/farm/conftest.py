"""A stand-in for Blender."""

from stand_in import fake_blender  # noqa: F401
