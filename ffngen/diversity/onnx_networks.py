"""A user's networks: an ONNX file for faces' identities, and one for their expressions; OpenCV runs them.

| network | what it is given, (1, 3, S, S) float32 RGB |
| --- | --- |
| identity | the face of 112 x 112 pixels, aligned as for ArcFace; ``(value - 127.5) / 127.5`` |
| expression | the face of 224 x 224 pixels; values of [0, 1], less ImageNet's mean, over its standard deviation |

Its first output, flattened, is the feature. Deng et al., "ArcFace: additive angular margin loss for deep face
recognition", 2019; the expression networks of DAN and HSEmotion take what the table says.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from ffngen.atomic import file_size, sha256_file
from ffngen.errors import InputFileError

Array64 = NDArray[np.float64]
Rgb = NDArray[np.uint8]

IDENTITY_SIDE: Final = 112
EXPRESSION_SIDE: Final = 224

_MOST_BYTES = 2 << 30
_PROBE_SECONDS = 120
#: What a process of its own does with a file before we do: a damaged one may end it.
_PROBE = """
import sys, cv2, numpy
network = cv2.dnn.readNetFromONNX(sys.argv[1])
network.setInput(numpy.zeros((1, 3, int(sys.argv[2]), int(sys.argv[2])), numpy.float32))
print(network.forward().size)
"""

#: Where ArcFace wants the subject's right eye, the left eye, the nose's tip and the corners of the mouth, pixels.
_ARCFACE = np.array(
    [[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]]
)
_MEAN, _STD = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
#: How much larger than the landmarks' bounds the expression network's view is, and how far above their middle.
_MARGIN, _RAISED = 1.4, 0.08


class _OnnxNetwork:
    def __init__(self, path: str | Path, side: int) -> None:
        self.path = Path(path)
        if file_size(self.path) > _MOST_BYTES:
            raise InputFileError(f"larger than {_MOST_BYTES >> 30} GiB", where=self.path)
        self.size = _probe(self.path, side)
        self.name = f"{self.path.name} (sha256 {sha256_file(self.path)[:12]})"
        self._network = cv2.dnn.readNetFromONNX(str(self.path))

    def _run(self, values: NDArray[Any]) -> NDArray[np.float32]:
        """The feature (D,) of values (S, S, 3)."""
        self._network.setInput(np.ascontiguousarray(values.transpose(2, 0, 1)[None], dtype=np.float32))
        feature: NDArray[np.float32] = self._network.forward().ravel().astype(np.float32)
        if not np.isfinite(feature).all():
            raise InputFileError("gives values that are not finite", where=self.path)
        return feature


class IdentityNetwork(_OnnxNetwork):
    """A face-recognition network in ArcFace's manner.

    :param path: an .onnx file.
    :raises InputFileError: missing, damaged, or a network that does not take such input.
    """

    def __init__(self, path: str | Path) -> None:
        super().__init__(path, IDENTITY_SIDE)

    def embed(self, image: Rgb, points: Array64) -> NDArray[np.float32]:
        """The embedding (D,) float32 of the face with these 68 landmarks (68, 2), pixels."""
        return self._run((arcface_crop(image, points).astype(np.float32) - 127.5) / 127.5)


class ExpressionNetwork(_OnnxNetwork):
    """An expression-recognition network; the rest as :class:`IdentityNetwork`."""

    def __init__(self, path: str | Path) -> None:
        super().__init__(path, EXPRESSION_SIDE)

    def embed(self, image: Rgb, points: Array64) -> NDArray[np.float32]:
        """The feature (D,) float32 of the face with these 68 landmarks (68, 2), pixels."""
        return self._run((face_crop(image, points) / 255 - _MEAN) / _STD)


def arcface_crop(image: Rgb, points: Array64) -> Rgb:
    """A face (112, 112, 3), turned and scaled so that eyes, nose and mouth come nearest to ArcFace's places."""
    found = np.stack([points[36:42].mean(axis=0), points[42:48].mean(axis=0), points[30], points[48], points[54]])
    # Similarity a + ib, moved by (c, d): u' = a u - b v + c, v' = b u + a v + d; least squares.
    u, v = found.T
    one, none = np.ones(len(found)), np.zeros(len(found))
    system = np.concatenate([np.column_stack([u, -v, one, none]), np.column_stack([v, u, none, one])])
    a, b, c, d = np.linalg.lstsq(system, _ARCFACE.T.ravel(), rcond=None)[0]
    matrix = np.array([[a, -b, c], [b, a, d]])
    crop: Rgb = cv2.warpAffine(image, matrix, (IDENTITY_SIDE, IDENTITY_SIDE), flags=cv2.INTER_LINEAR)
    return crop


def face_crop(image: Rgb, points: Array64) -> Rgb:
    """The square (224, 224, 3) about a face's landmarks (68, 2), upright."""
    low, high = points.min(axis=0), points.max(axis=0)
    side = float((high - low).max()) * _MARGIN
    middle = (low + high) / 2 - [0, _RAISED * side]
    scale = EXPRESSION_SIDE / max(side, 1e-6)
    shift = (EXPRESSION_SIDE - 1) / 2 - scale * middle
    matrix = np.array([[scale, 0, shift[0]], [0, scale, shift[1]]])
    crop: Rgb = cv2.warpAffine(image, matrix, (EXPRESSION_SIDE, EXPRESSION_SIDE), flags=cv2.INTER_AREA)
    return crop


def _probe(path: Path, side: int) -> int:
    """The length of a network's feature, found in a process of its own."""
    mend = f"give an ONNX network that takes (1, 3, {side}, {side}) float32"
    command = [sys.executable, "-c", _PROBE, str(path.resolve()), str(side)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_PROBE_SECONDS, check=False)
        size = int(done.stdout.split()[-1]) if done.returncode == 0 else 0
    except (subprocess.TimeoutExpired, ValueError, IndexError):
        size = 0
    if size < 1:
        raise InputFileError("OpenCV cannot run it as a network of faces", where=path, mend=mend)
    return size
