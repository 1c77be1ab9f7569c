"""Linear models of FLAME's texture: a mean and directions, with a person's coefficients.

Three files are in use, told apart by their keys; each is (S, S, 3) and (S, S, 3, K), or the same flattened, with row 0
at v = 1 of FLAME's own layout:

| file | keys | values |
| --- | --- | --- |
| ``FLAME_texture.npz``, of registered FLAME users | ``mean``, ``tex_dir`` | sRGB of 0 to 255, blue first |
| ``FLAME_albedo_from_BFM.npz``, of BFM_to_FLAME | ``MU``, ``PC`` | sRGB of 0 to 1, blue first |
| ``albedoModel2020_FLAME_albedoPart.npz``, of AlbedoMM | ``MU``, ``PC``, ``specMU`` | linear light, red first |

The first two are what DECA and EMOCA decode their texture codes with (DECA ``decalib/models/FLAME.py``, ``FLAMETex``).
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ffngen.appearance.colour import linear_to_srgb
from ffngen.appearance.textures import SMALLEST, Worn
from ffngen.atomic import sha256_file
from ffngen.errors import HeadModelError, InputFileError
from ffngen.head.model import HeadModel
from ffngen.head.npz import read_npz
from ffngen.head.uv import cylindrical_uv

Array32 = NDArray[np.float32]

#: The suffix by which a model is told from a folder of pictures.
SUFFIX = ".npz"

#: FLAME_albedo_from_BFM.npz is 1.26 GB of float64.
_MAX_BYTES = 2 << 30

#: Directions that are kept: as many as DECA and EMOCA have coefficients. The first carry nearly all variance.
KEPT = 50

#: Drawn coefficients are standard normal, but not beyond so many deviations.
_FARTHEST = 2.5

_LARGEST = 2048


@dataclass(frozen=True, eq=False)
class AlbedoModel:
    """A texture for each vector of coefficients.

    :param path: the file.
    :param mean: (S, S, 3) float32, red first.
    :param basis: (S, S, 3, K) float32, per standard deviation; K <= :data:`KEPT`.
    :param linear: values are linear light, not sRGB; both of [0, 1].
    :param digest: sha256 of the file.
    """

    path: Path
    mean: Array32
    basis: Array32
    linear: bool
    digest: str

    @classmethod
    def open(cls, path: str | Path) -> AlbedoModel:
        """Read a model.

        :raises InputFileError: a file that is missing, damaged, too large, or none of the three.
        """
        path = Path(path)
        arrays = read_npz(path, ("mean", "tex_dir", "MU", "PC", "specMU"), max_bytes=_MAX_BYTES)
        for mean_key, basis_key, scale in (("mean", "tex_dir", 255.0), ("MU", "PC", 1.0)):
            if mean_key in arrays and basis_key in arrays:
                linear = mean_key == "MU" and "specMU" in arrays
                mean = _numbers(arrays[mean_key], mean_key, path)
                size = _side(mean.size, mean_key, path)
                basis = _numbers(arrays[basis_key], basis_key, path)
                if basis.ndim < 2 or basis.size != mean.size * basis.shape[-1]:
                    what = f"{basis_key!r} has the shape {basis.shape}, which does not fit {mean_key!r}"
                    raise InputFileError(what, where=path, mend=_MEND)
                kept = basis.reshape(size, size, 3, -1)[..., :KEPT]
                order = slice(None) if linear else slice(None, None, -1)
                return cls(
                    path,
                    np.ascontiguousarray(mean.reshape(size, size, 3)[..., order], dtype=np.float32) / np.float32(scale),
                    np.ascontiguousarray(kept[..., order, :], dtype=np.float32) / np.float32(scale),
                    linear,
                    sha256_file(path),
                )
        raise InputFileError("holds no model of textures", where=path, mend=_MEND)

    def require_layout(self, model: HeadModel) -> None:
        """Refuse a head whose atlas is laid out otherwise.

        :raises HeadModelError: it is no FLAME, or FLAME's own texture coordinates are not beside it.
        """
        if not model.family.startswith("flame") or model.uv is None:
            what = f"is a model of FLAME's textures, and the head is {model.family}'s"
            raise HeadModelError(what, where=self.path, mend="give a FLAME model with --head")
        if np.array_equal(model.uv.coordinates, cylindrical_uv(model.template, model.faces).coordinates):
            what = "needs FLAME's own texture coordinates, which the head model does not have"
            raise HeadModelError(what, where=self.path, mend=f"put head_template.obj beside {model.path}")

    def worn_by(self, code: NDArray[np.float64] | None, rng: np.random.Generator) -> Worn:
        """The texture of a person.

        :param code: (K',) the coefficients that a tracker found, of which the first :data:`KEPT` are taken; or None:
            then they are drawn.
        :param rng: of the person's seed.
        """
        count = self.basis.shape[-1]
        drawn = np.clip(rng.standard_normal(count), -_FARTHEST, _FARTHEST)
        used = (drawn if code is None else code[:count]).astype(np.float32)
        # Direction by direction: no BLAS, whose sums may depend on the number of threads.
        texture = self.mean.copy()
        for k, coefficient in enumerate(used):
            texture += coefficient * self.basis[..., k]
        encoded = linear_to_srgb(texture) if self.linear else np.rint(255 * np.clip(texture, 0, 1)).astype(np.uint8)
        source = "seed" if code is None else "tracker"
        digest = hashlib.sha256(used.tobytes()).hexdigest()[:12]
        record = {"texture_from": source, "texture_code": [round(float(c), 6) for c in used]}
        return Worn(encoded, f"{self.path.name}#{digest}", record)


_MEND = "give FLAME_texture.npz, FLAME_albedo_from_BFM.npz, AlbedoMM's FLAME part, or a folder of images"


def _numbers(array: NDArray[np.generic], name: str, path: Path) -> NDArray[np.generic]:
    if array.dtype.kind not in "fiu" or array.size == 0:
        raise InputFileError(f"{name!r} holds {array.dtype}, not numbers", where=path, mend=_MEND)
    if array.dtype.kind == "f" and not np.isfinite(array.min() + array.max()):
        raise InputFileError(f"{name!r} holds a value that is not finite", where=path, mend="copy the file again")
    return array


def _side(count: int, name: str, path: Path) -> int:
    size = math.isqrt(count // 3)
    if size * size * 3 != count or not SMALLEST <= size <= _LARGEST:
        raise InputFileError(f"{name!r} is no square texture of {SMALLEST} texels or more", where=path, mend=_MEND)
    return size
