"""The weak-perspective cameras of DECA and SMIRK as pinhole cameras.

Both project a point (x, y) of the posed head, in metres, to ``s (x + tx)`` and ``-s (y + ty)``, which run from -1 at
the left and upper edge of the square crop to 1 at the right and lower edge (DECA ``decalib/utils/util.py``,
``batch_orth_proj``, and ``decalib/deca.py``; SMIRK ``src/renderer/util.py``). Edges, not centres of pixels: both
rasterise with PyTorch3D's convention, in which the centre of the left pixel lies half a pixel within the edge
(DECA ``decalib/utils/renderer.py``, ``StandardRasterizer``).
"""

from __future__ import annotations

import numpy as np

from ffngen.errors import FfngenError
from ffngen.geometry.camera import Camera

#: Pixels, the side of the crop that both networks see.
CROP_SIZE = 224

#: Pixels, for a crop of 224: the lens, one for all, so that the frames of a video have one camera that only moves.
#: At the scales that faces have, 4 to 14 half widths a metre, the camera stands 62 to 18 metres away. No further, for
#: a renderer's rays, in float32, are off by as much more as they are longer.
FOCAL = 28_000.0

#: Metres: the plane of the head frame in which both cameras agree, amid FLAME's facial landmarks (-0.02 to 0.07).
PLANE_Z = 0.03


def weak_perspective_camera(scale: float, tx: float, ty: float, size: int = CROP_SIZE) -> Camera:
    """A camera with a long lens that sees what the weak-perspective camera does.

    It agrees exactly in the plane z = :data:`PLANE_Z`, and elsewhere but for the factor ``distance / (distance - dz)``
    about the centre of the image, where ``distance``, ``2 focal / (scale size)``, is the camera's from that plane.

    :param scale: half widths of the image per metre; above 0.
    :param tx: metres, to the subject's left.
    :param ty: metres, up.
    :param size: pixels, the side of the square image.
    :raises FfngenError: for a scale or size that is not above 0, or a number that is not finite.
    """
    if not (0 < scale < np.inf and size > 0):
        raise FfngenError(f"a weak-perspective camera needs a scale and a size above 0, not {scale:g} and {size}")
    focal = FOCAL * size / CROP_SIZE
    distance = 2 * focal / (scale * size)
    centre = (size - 1) / 2
    K = np.array([[focal, 0, centre], [0, focal, centre], [0, 0, 1]])
    # Before the face and looking back at it: right stays right in the image, y and z turn round.
    T_world_cam = np.diag([1.0, -1.0, -1.0, 1.0])
    T_world_cam[:3, 3] = -tx, -ty, PLANE_Z + distance
    return Camera(K=K, T_world_cam=T_world_cam, width=size, height=size)
