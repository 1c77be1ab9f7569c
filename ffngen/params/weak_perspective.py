"""The weak-perspective cameras of DECA and SMIRK as pinhole cameras.

Both project a point (x, y) of the posed head, in metres, to ``s (x + tx)`` and ``-s (y + ty)``, which run from -1 at
the left and upper edge of the square crop to 1 at the right and lower edge (DECA ``decalib/utils/util.py``,
``batch_orth_proj``, and ``decalib/deca.py``; SMIRK ``src/renderer/util.py``). Edges, not centres of pixels: both
rasterise with PyTorch3D's convention, in which the centre of the left pixel lies half a pixel within the edge
(DECA ``decalib/utils/renderer.py``, ``StandardRasterizer``).
"""

from __future__ import annotations

import numpy as np

from ffngen.geometry.camera import Camera

#: Pixels, the side of the crop that both networks see.
CROP_SIZE = 224

#: Metres. A point 0.12 m before or behind the head's origin moves by 0.12 / 50 of its distance from the image's
#: centre: less than 0.3 pixels anywhere in a crop of 224.
DISTANCE = 50.0


def weak_perspective_camera(
    scale: float, tx: float, ty: float, size: int = CROP_SIZE, *, distance: float = DISTANCE
) -> Camera:
    """A camera with a long lens that sees what the weak-perspective camera does.

    It agrees exactly in the plane z = 0 of the head frame, and elsewhere but for the factor
    ``distance / (distance - z)`` about the centre of the image.

    :param scale: half widths of the image per metre; above 0.
    :param tx: metres, to the subject's left.
    :param ty: metres, up.
    :param size: pixels, the side of the square image.
    :param distance: metres from the plane z = 0 to the camera.
    :raises FfngenError: for a scale, size or distance that is not above 0, or a number that is not finite.
    """
    focal = scale * size / 2 * distance
    centre = (size - 1) / 2
    K = np.array([[focal, 0, centre], [0, focal, centre], [0, 0, 1]])
    # Before the face and looking back at it: right stays right in the image, y and z turn round.
    T_world_cam = np.diag([1.0, -1.0, -1.0, 1.0])
    T_world_cam[:3, 3] = -tx, -ty, distance
    return Camera(K=K, T_world_cam=T_world_cam, width=size, height=size)
