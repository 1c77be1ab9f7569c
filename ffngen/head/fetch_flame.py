"""What a licensed user has to download for FLAME, where it goes, and what is there.

FLAME's files are given out by its authors to whom registers with them; nothing here downloads them or asks for a
password. The names of archives and files are those of the authors' download page, as the fetching scripts of DECA,
MICA and SMIRK use them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from ffngen.errors import FfngenError, HeadModelError, InputFileError
from ffngen.head.arrays import REQUIRED_KEYS, FieldReader, model_arrays
from ffngen.head.companions import EYELID_NAMES, LANDMARK_NAME, TEMPLATE_NAMES, UV_ARRAY_NAMES
from ffngen.head.edition import find_edition
from ffngen.head.npz import MAX_BYTES, checked_size, read_npy, read_npz
from ffngen.head.obj import read_obj_uv
from ffngen.head.pickles import read_pickle

REGISTER_PAGE = "https://flame.is.tue.mpg.de"
DOWNLOAD_PAGE = "https://flame.is.tue.mpg.de/download.php"

#: SHA-256 of files as their authors publish them, each found alike in the code of several independent projects (for
#: FLAME 2023 in two). Others are unknown: the authors publish none.
KNOWN_SHA256 = {
    ("flame2020", "generic_model.pkl"): "efcd14cc4a69f3a3d9af8ded80146b5b6b50df3bd74cf69108213b144eba725b",
    ("flame2023", "flame2023.pkl"): "8fb1af0db1abb51053ead8fd1f2624a63d01c9602f4a4fb4ea23bd2c82017fa0",
    ("flame2023_open", "flame2023_Open.pkl"): "e75a0990728ba038c7da2a420ae4396f7ddd7781366c13026066c5b24f127623",
    ("", LANDMARK_NAME): "2881bdad8e61e87aad83a3df2e04655c534694089f68ca7144e7350da9e8ad62",
}


@dataclass(frozen=True)
class Product:
    """One version of FLAME on the download page.

    :param family: its family (:mod:`ffngen.head.edition`), and the name of its folder.
    :param title: as the page names it.
    :param archive: the file that the page gives.
    :param models: the model's names in the archive and under smplx, the one that is wanted first.
    :param licence: under which it is given out.
    :param used_by: whose parameters need it.
    """

    family: str
    title: str
    archive: str
    models: tuple[str, ...]
    licence: str
    used_by: str


_SMPLX_NAMES = ("FLAME_NEUTRAL.pkl", "FLAME_NEUTRAL.npz")
_RESEARCH = "non-commercial research (https://flame.is.tue.mpg.de/modellicense.html)"
PRODUCTS = (
    Product(
        "flame2020",
        "FLAME 2020",
        "FLAME2020.zip",
        ("generic_model.pkl", "female_model.pkl", "male_model.pkl", *_SMPLX_NAMES),
        _RESEARCH,
        "EMOCA, DECA, SMIRK, MICA, metrical-tracker",
    ),
    Product(
        "flame2023",
        "FLAME 2023 (versions with jaw rotation)",
        "FLAME2023.zip",
        ("flame2023.pkl", "flame2023_no_jaw.pkl", *_SMPLX_NAMES),
        _RESEARCH,
        "VHAP, GaussianAvatars",
    ),
    Product(
        "flame2023_open",
        "FLAME 2023 Open",
        "FLAME2023Open.zip",
        ("flame2023_Open.pkl", *_SMPLX_NAMES),
        "CC-BY-4.0",
        "who wants to publish what is made with it",
    ),
)
FAMILIES = tuple(product.family for product in PRODUCTS)


@dataclass(frozen=True)
class FileState:
    """One file that belongs beside a model, or the model itself.

    :param what: what it is for.
    :param source: where it comes from.
    :param required: whether FLAME is incomplete without it.
    :param path: where it lies, or where it should.
    :param state: ``present``, ``missing`` or ``damaged``.
    :param problem: what is wrong with it, or empty.
    :param arrays: name -> shape.
    :param sha256: hex, or None where it is missing.
    :param digest: ``as published``, ``another than published``, or ``not known``.
    """

    what: str
    source: str
    required: bool
    path: str
    state: str
    problem: str = ""
    arrays: dict[str, list[int]] | None = None
    sha256: str | None = None
    digest: str = "not known"


@dataclass(frozen=True)
class FlameState:
    """What lies in the folder of one version of FLAME."""

    product: Product
    folder: str
    files: tuple[FileState, ...]
    archive_here: bool

    @property
    def started(self) -> bool:
        """Whether anything of it is there."""
        return self.archive_here or any(file.state != "missing" for file in self.files)

    @property
    def complete(self) -> bool:
        """Whether all that is required is there and sound, and nothing is damaged."""
        return all(file.state == "present" or (file.state == "missing" and not file.required) for file in self.files)

    def as_json(self) -> dict[str, Any]:
        """JSON-ready."""
        return {
            **asdict(self.product),
            "page": DOWNLOAD_PAGE,
            "folder": self.folder,
            "archive_here": self.archive_here,
            "complete": self.complete,
            "files": [asdict(file) for file in self.files],
        }


def check_flame(folder: Path, families: Sequence[str] = FAMILIES) -> list[FlameState]:
    """What of FLAME lies in a folder, version by version; each has a subfolder named after its family.

    Every file is read without running anything in it.
    """
    return [_check_product(folder, product) for product in PRODUCTS if product.family in families]


def _check_product(folder: Path, product: Product) -> FlameState:
    place = folder / product.family
    files = (
        _check_model(place, product),
        _check(
            "texture coordinates (head template)",
            "head_template.obj of DECA's data, or head_template_mesh.obj of VHAP's asset/flame, or flame_vt.npy and "
            "flame_ft.npy of the PyPI package flame_model",
            _first_there(place, TEMPLATE_NAMES, UV_ARRAY_NAMES[:1]),
            _read_texture_coordinates,
        ),
        _check(
            "static landmark embedding",
            "flame_model/flame_static_embedding.pkl of https://github.com/soubhiksanyal/RingNet",
            place / LANDMARK_NAME,
            lambda path: _shapes(read_pickle(path, ("lmk_face_idx", "lmk_b_coords")), ("lmk_face_idx", "lmk_b_coords")),
        ),
        *(
            _check(
                f"{side} eyelid blendshape (SMIRK, MICA, metrical-tracker)",
                "flame/blendshapes of https://github.com/Zielon/metrical-tracker",
                place / name,
                lambda path: {"array": list(read_npy(path).shape)},
                # One lid alone is a fault.
                required=any((place / lid).exists() for lid in EYELID_NAMES),
            )
            for side, name in zip(("left", "right"), EYELID_NAMES, strict=True)
        ),
    )
    archive = any((at / product.archive).is_file() for at in (folder, place))
    return FlameState(product=product, folder=str(place), files=files, archive_here=archive)


def _check_model(place: Path, product: Product) -> FileState:
    def read(path: Path) -> dict[str, list[int]]:
        raw = read_npz(path, REQUIRED_KEYS) if path.suffix == ".npz" else read_pickle(path, (*REQUIRED_KEYS, "J"))
        shapes = _shapes(raw, REQUIRED_KEYS)
        model_arrays(FieldReader(path, raw))
        found = find_edition(path, family=None, stated=None).family
        if found != product.family:
            raise HeadModelError(f"is named as {found} is, but lies in the folder of {product.family}", where=path)
        return shapes

    path = _first_there(place, product.models)
    source = f"{product.title}: {product.archive} of {DOWNLOAD_PAGE}, unpacked"
    return _check("head model", source, path, read, family=product.family)


def _check(
    what: str,
    source: str,
    path: Path,
    read: Callable[[Path], dict[str, list[int]]],
    *,
    required: bool = True,
    family: str = "",
) -> FileState:
    state = FileState(what=what, source=source, required=required, path=str(path), state="missing")
    try:
        if not path.exists():
            return state
        digest = _sha256(path)
        known = KNOWN_SHA256.get((family, path.name))
        if known is not None:
            state = replace(state, digest="as published" if known == digest else "another than published")
        state = replace(state, sha256=digest)
        return replace(state, state="present", arrays=read(path))
    except (OSError, ValueError, FfngenError) as error:
        return replace(state, state="damaged", problem=_clause(error))


def _read_texture_coordinates(path: Path) -> dict[str, list[int]]:
    if path.suffix == ".obj":
        uv, faces = read_obj_uv(path)
        return {"vt": list(uv.coordinates.shape), "f": list(faces.shape)}
    other = path.parent / UV_ARRAY_NAMES[1]
    if not other.exists():
        raise InputFileError("is missing, and its texture coordinates are there", where=other)
    return {"vt": list(read_npy(path).shape), "ft": list(read_npy(other).shape)}


def _shapes(raw: dict[str, Any], keys: Sequence[str]) -> dict[str, list[int]]:
    missing = [key for key in keys if key not in raw]
    if missing:
        raise InputFileError(f"has no {', '.join(missing)}")
    return {key: list(value.shape) for key, value in raw.items()}


def _first_there(place: Path, *names: Sequence[str]) -> Path:
    wanted = [place / name for group in names for name in group]
    return next((path for path in wanted if path.exists()), wanted[0])


def _sha256(path: Path) -> str:
    checked_size(path, MAX_BYTES)
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _clause(error: Exception) -> str:
    """What is wrong, without the path, which stands beside it."""
    if isinstance(error, FfngenError):
        return str(FfngenError(error.what, mend=error.mend))
    return str(FfngenError(getattr(error, "strerror", None) or str(error)))
