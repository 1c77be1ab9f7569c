"""A folder of textures that ``ffngen render --textures`` takes: one person after the other, what is done is kept.

``NAME.png`` is a person's texture; ``NAME/`` holds ``confidence.png``, ``preview.png`` and ``extraction.json``.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any

import numpy as np

from ffngen import __version__
from ffngen.atomic import read_bounded, sha256_file, write_atomic
from ffngen.dataset.layout import is_safe_name
from ffngen.errors import DatasetError, InputFileError
from ffngen.head.model import HeadModel
from ffngen.images import encode_png
from ffngen.texture.extract import extract_texture
from ffngen.texture.people import People, Person
from ffngen.texture.preview import preview

_RECORD, _CONFIDENCE, _PREVIEW = "extraction.json", "confidence.png", "preview.png"
_MAX_RECORD = 1 << 20


@dataclass(frozen=True)
class Written:
    """What became of one person.

    :param texture: the file.
    :param views: pictures that it was made of.
    :param seen: the share of the skin that a picture shows.
    :param kept: it was there already, made of the same.
    """

    identity: str
    texture: Path
    views: int
    seen: float
    kept: bool

    def to_json(self) -> dict[str, Any]:
        """A JSON-ready record."""
        return {**vars(self), "texture": str(self.texture)}


def write_textures(
    out: Path,
    people: People,
    model: HeadModel,
    *,
    size: int = 1024,
    overwrite: bool = False,
    progress: Callable[[str], None] = lambda what: None,
) -> Iterator[Written]:
    """Extract and write the texture of each person, in turn.

    :param out: a folder, made where it is missing.
    :param overwrite: make anew what is there, made of the same.
    :raises FfngenError: names that clash or cannot be files' names, a picture that cannot be read, a full disk.
    """
    names = [_name(person) for person in people.persons]
    for name in names:
        if names.count(name) > 1:
            mend = "extract them one by one, into folders of their own"
            raise InputFileError(f"{names.count(name)} people would be written to {name}.png", where=out, mend=mend)
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DatasetError(f"the folder cannot be made: {error.strerror}", where=out) from error
    for person, name in zip(people.persons, names, strict=True):
        yield _write(out, name, person, model, size, overwrite, progress)


def _name(person: Person) -> str:
    name = PurePath(person.identity).name
    if not is_safe_name(name):
        mend = "use letters, digits, '.', '_' and '-', no leading dot"
        raise InputFileError(f"{name[:80]!r} cannot be the name of a texture", where="identity", mend=mend)
    return name


def _write(
    out: Path, name: str, person: Person, model: HeadModel, size: int, overwrite: bool, progress: Callable[[str], None]
) -> Written:
    texture, folder = out / f"{name}.png", out / name
    views = [person.load(path) for path in person.photos]
    digest = hashlib.sha256(f"{__version__} {model.digest} {size}".encode())
    for view, path in zip(views, person.photos, strict=True):
        digest.update(sha256_file(path).encode() + json.dumps(view.camera.to_json()).encode())
        digest.update(np.ascontiguousarray(view.vertices, dtype=np.float32).tobytes())
    inputs = digest.hexdigest()
    before = _record(folder / _RECORD)
    if (
        not overwrite
        and texture.is_file()
        and before.get("inputs") == inputs
        and before.get("texture") == sha256_file(texture)
    ):
        return Written(person.identity, texture, len(views), float(before["seen"]), kept=True)
    extracted = extract_texture(model, views, size=size, progress=progress)
    progress("preview")
    folder.mkdir(exist_ok=True)
    content = encode_png(extracted.texture)
    record = {
        "identity": person.identity,
        "ffngen": __version__,
        **extracted.record,
        "inputs": inputs,
        "texture": hashlib.sha256(content).hexdigest(),
    }
    grey = np.repeat(extracted.confidence[..., None], 3, axis=2)
    write_atomic(folder / _CONFIDENCE, encode_png(grey))
    write_atomic(folder / _PREVIEW, encode_png(preview(model, person.neutral, views[0], extracted)))
    write_atomic(folder / _RECORD, (json.dumps(record, indent=1) + "\n").encode())
    write_atomic(texture, content)
    return Written(person.identity, texture, len(views), extracted.record["seen"], kept=False)


def _record(path: Path) -> dict[str, Any]:
    """What an earlier run wrote; nothing where there is none or it is damaged."""
    try:
        record = json.loads(read_bounded(path, _MAX_RECORD))
        return record if isinstance(record, dict) and isinstance(record.get("seen"), float) else {}
    except (InputFileError, ValueError, RecursionError):
        return {}
