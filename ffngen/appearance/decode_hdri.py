"""``python -m ffngen.appearance.decode_hdri SOURCE OUT.exr``: one surrounding in ffngen's form.

Run as a process of its own, with bounded memory: a hostile file may take it down, and nothing else. Exits with 1 and
one line on standard output where the file cannot be used.
"""

from __future__ import annotations

import resource
import sys
from pathlib import Path

import cv2
import numpy as np
import OpenEXR
from numpy.typing import NDArray

from ffngen.appearance.hdri import OWN_SHAPE

#: Address space, bytes.
_MEMORY = 12 << 30

#: Height / width of an equirectangular picture, and how far from it is still one.
_ASPECT, _TOLERANCE = 0.5, 0.02

#: The largest half float.
_BRIGHTEST = 65504.0


def main(source: str, out: str) -> None:
    """Decode, resize, write."""
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    picture = _read(Path(source))
    rows, columns = picture.shape[:2]
    if abs(rows / columns - _ASPECT) > _TOLERANCE:
        sys.exit(_refuse(f"{columns} x {rows} pixels; an equirectangular picture is twice as wide as high"))
    if not (picture > 0).any():
        sys.exit(_refuse("it is black"))
    picture = np.clip(np.nan_to_num(picture, nan=0.0, posinf=_BRIGHTEST), 0, _BRIGHTEST)
    height, width = OWN_SHAPE
    method = cv2.INTER_AREA if rows >= height else cv2.INTER_LINEAR
    resized = cv2.resize(picture, (width, height), interpolation=method).astype(np.float16)
    header = {"compression": OpenEXR.ZIP_COMPRESSION, "type": OpenEXR.scanlineimage}
    OpenEXR.File(header, {"RGB": np.ascontiguousarray(resized)}).write(out)


def _read(path: Path) -> NDArray[np.float32]:
    """Radiance (h, w, 3) float32, linear sRGB."""
    if path.suffix.lower() == ".hdr":
        bgr = cv2.imread(str(path), cv2.IMREAD_ANYDEPTH | cv2.IMREAD_COLOR)
        if bgr is None or bgr.dtype != np.float32:
            sys.exit(_refuse("not a Radiance .hdr file, or a damaged one"))
        return np.ascontiguousarray(bgr[..., ::-1])
    try:
        with OpenEXR.File(str(path), separate_channels=True) as file:
            channels = file.channels()
            if not {"R", "G", "B"} <= channels.keys():
                sys.exit(_refuse(f"no channels R, G, B (it has {', '.join(channels)})"))
            picture = np.stack([np.asarray(channels[name].pixels) for name in "RGB"], axis=-1)
            return np.asarray(picture, dtype=np.float32)
    except (RuntimeError, ValueError, MemoryError) as error:
        sys.exit(_refuse(f"not an EXR file, or a damaged one ({' '.join(str(error).split())})"))


def _refuse(what: str) -> int:
    print(what)
    return 1


if __name__ == "__main__":
    main(*sys.argv[1:])
