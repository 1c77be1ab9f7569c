"""Depth of field of a thin lens."""

from __future__ import annotations

from ffngen.geometry.camera import Camera


def defocus_radius(camera: Camera, aperture: float, focus: float, depth: float) -> float:
    """Radius, pixels, of the disc that a point is spread over.

    A lens whose opening has the diameter A, focused at distance s, spreads a point at distance d over a disc of the
    diameter ``A |d - s| / d`` at the distance s, which its camera shows ``fx / s`` pixels to the metre.

    :param aperture: A, metres; 0 for a pinhole.
    :param focus: s, metres.
    :param depth: d, metres.
    """
    return aperture / 2 * abs(depth - focus) / depth * float(camera.K[0, 0]) / focus
