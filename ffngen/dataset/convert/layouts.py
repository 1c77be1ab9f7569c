"""A dataset's pairs in the layouts of public sets, which their loaders expect: images as they are, flow re-encoded.

| layout | images | facial flow |
| --- | --- | --- |
| ``ffn`` | ``image/{facial,head}/SPLIT/EMOTION/SEQUENCE/0001.jpg`` | ``flow/{facial,head}/.../0001.flo`` |
| ``sintel`` | ``training/clean/SCENE/frame_0001.png`` | ``training/flow/SCENE/frame_0001.flo`` |
| ``kitti`` | ``training/image_2/000000_10.png``, ``_11.png`` | ``training/flow_occ/000000_10.png`` |
| ``things`` | ``frames_cleanpass/TRAIN/A/0000/left/0006.png`` | ``optical_flow/TRAIN/A/0000/into_future/left/*.pfm`` |
| ``spring`` | ``train/0001/frame_left/frame_left_0001.png`` | ``train/0001/flow_FW_left/flow_FW_left_0001.flo5`` |

These are the published FacialFlowNet's (with masks as .npy), MPI Sintel's, KITTI 2015's (16-bit steps of 1/64 px),
FlyingThings3D's and Spring's. Spring's flow has four values for each pixel of the image, in a grid of twice its size,
and loaders take one of them or all: here all four are the pixel's own.

Sintel, KITTI, FlyingThings and Spring know one motion and one sequence of images, so that head flow has no place there.
FlyingThings (``into_past``) and Spring (``flow_BW_left``) have backward flow, too, which a dataset with
backward labels gives.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np

from ffngen.atomic import link_or_copy, read_bounded, write_atomic
from ffngen.dataset.labels.layout import LabelKind, LabelOutput
from ffngen.dataset.labels.record import label_layout, read_labels
from ffngen.dataset.layout import Output, SequenceKey
from ffngen.dataset.metadata import SequenceMetadata
from ffngen.dataset.read import FlowDataset
from ffngen.errors import DatasetError, InputFileError
from ffngen.flow.files import read_flow, write_flow
from ffngen.flow.flo import encode_flo
from ffngen.flow.kitti import encode_flow_kitti
from ffngen.flow.pfm import encode_flow_pfm
from ffngen.flow.values import known
from ffngen.images import encode_jpeg, encode_png, read_image

Layout = Literal["ffn", "sintel", "kitti", "things", "spring"]

_RECORD = "converted.txt"
_MAX_FILE_BYTES = 1 << 30
#: Pixels: PFM has no unknown motion, and loaders that judge by its length, as RAFT's, leave this out.
_BEYOND = 1e8
#: FlyingThings numbers scenes with four digits, below a letter.
_SCENES = 10_000


@dataclass(frozen=True)
class Converted:
    """How many sequences and pairs the folder holds, and how many files this run wrote."""

    sequences: int
    pairs: int
    written: int


@dataclass(frozen=True)
class _File:
    """A file to be written, relative to the folder: a copy, or what a function makes of the source's path.

    The function gives the content as :func:`ffngen.atomic.write_atomic` takes it.
    """

    target: str
    source: Path
    encode: Callable[[Path], bytes | Callable[[Path], None]] | None = None


@dataclass(frozen=True)
class _Place:
    """How many sequences, and how many pairs, come before a sequence."""

    sequence: int
    pair: int


def convert_files(
    dataset: Path,
    out: Path,
    layout: Layout,
    *,
    splits: tuple[str, ...],
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Converted:
    """Write a dataset's pairs in another layout; files that are there already are kept.

    :param out: a new or empty folder, or one that an earlier run of the same conversion left.
    :param splits: which splits; for the public layouts, whose training set they become.
    :param progress: called with the sequences done and their total.
    :raises FfngenError: the dataset cannot be read, or ``out`` cannot be written to.
    """
    data = FlowDataset(dataset, splits=splits)
    if not len(data):
        raise DatasetError(f"has no sequence in {' or '.join(splits)}", where=dataset)
    _claim(out, f"{layout} {','.join(splits)} {FlowDataset(dataset).digest()}\n")
    written = pairs = 0
    for number, key in enumerate(data.sequences):
        metadata = data.metadata(key)
        for file in _LAYOUTS[layout](data, metadata, _Place(number, pairs)):
            written += _write(file, out)
        pairs += len(metadata.layout.pair_frames)
        progress(number + 1, len(data.sequences))
    return Converted(len(data.sequences), len(data), written)


def _claim(out: Path, record: str) -> None:
    path = out / _RECORD
    if path.is_file():
        if read_bounded(path, 1 << 16).decode("utf-8", "replace") == record:
            return
        raise DatasetError("holds another conversion", where=out, mend="name another folder")
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise DatasetError("holds files already", where=out, mend="name an empty or new folder")
    out.mkdir(parents=True, exist_ok=True)
    write_atomic(path, record.encode())


def _write(file: _File, out: Path) -> bool:
    target = out / file.target
    if target.exists():
        return False
    target.parent.mkdir(parents=True, exist_ok=True)
    if file.encode is None:
        link_or_copy(file.source, target, _MAX_FILE_BYTES)
    else:
        try:
            write_atomic(target, file.encode(file.source))
        except ValueError as error:
            raise InputFileError(f"cannot be written in that layout: {error}", where=file.source) from error
    return True


def _flo(path: Path) -> bytes:
    flow = read_flow(path)
    return encode_flo(flow, known(flow))


def _kitti(path: Path) -> bytes:
    flow = read_flow(path)
    return encode_flow_kitti(flow, known(flow))


def _pfm(path: Path) -> bytes:
    return encode_flow_pfm(read_flow(path))


def _no_motion_known(path: Path) -> bytes:
    return encode_flow_pfm(np.full_like(read_flow(path), _BEYOND))


def _flo5(path: Path) -> Callable[[Path], None]:
    flow = read_flow(path).repeat(2, axis=0).repeat(2, axis=1)
    return lambda temporary: write_flow(temporary, flow, known(flow))


def _png(path: Path) -> bytes:
    return encode_png(read_image(path))


def _jpg(path: Path) -> bytes:
    return encode_jpeg(read_image(path))


def _image(source: Path, target: str) -> _File:
    """An image under a name whose suffix says its format; linked where it has that already."""
    suffix = Path(target).suffix
    return _File(target, source, None if source.suffix == suffix else {".png": _png, ".jpg": _jpg}[suffix])


def _flow(source: Path, target: str, encode: Callable[[Path], bytes]) -> _File:
    return _File(target, source, None if source.suffix == Path(target).suffix == ".flo" else encode)


def _scene(key: SequenceKey) -> str:
    return f"{key.split}_{key.emotion}_{key.sequence}"


def _backward(data: FlowDataset, metadata: SequenceMetadata) -> list[tuple[int, Path]]:
    """The frames t+1 and their files of backward facial flow; none where the sequence has no such labels."""
    record = read_labels(data.root, metadata)
    if record is None or LabelKind.BACKWARD not in record.kinds or not record.fits(metadata):
        return []
    layout = label_layout(metadata)
    frames = [frame + 1 for frame in metadata.layout.pair_frames]
    return [(frame, data.root / layout.file(LabelOutput.FACIAL_BACKWARD, frame)) for frame in frames]


def _ffn(data: FlowDataset, metadata: SequenceMetadata, place: _Place) -> Iterator[_File]:
    layout = metadata.layout
    # The published layout, which is not spread.
    published = replace(layout, key=replace(layout.key, is_spread=False))
    for output in (Output.FACIAL_IMAGE, Output.HEAD_IMAGE, Output.FACIAL_FLOW, Output.HEAD_FLOW, Output.MASK):
        for frame in layout.frames(output):
            path, source = published.file(output, frame), data.root / layout.file(output, frame)
            if output in (Output.FACIAL_IMAGE, Output.HEAD_IMAGE):
                yield _image(source, str(path.with_suffix(".jpg")))
            elif output is Output.MASK:
                yield _File(str(path), source)
            else:
                yield _flow(source, str(path.with_suffix(".flo")), _flo)


def _sintel(data: FlowDataset, metadata: SequenceMetadata, place: _Place) -> Iterator[_File]:
    layout, scene = metadata.layout, _scene(metadata.key)
    for i, frame in enumerate(layout.facial_frames, 1):
        image = data.root / layout.file(Output.FACIAL_IMAGE, frame)
        yield _image(image, f"training/clean/{scene}/frame_{i:04d}.png")
    for i, frame in enumerate(layout.pair_frames, 1):
        flow = data.root / layout.file(Output.FACIAL_FLOW, frame)
        yield _flow(flow, f"training/flow/{scene}/frame_{i:04d}.flo", _flo)


def _kitti_2015(data: FlowDataset, metadata: SequenceMetadata, place: _Place) -> Iterator[_File]:
    layout = metadata.layout
    for i, frame in enumerate(layout.pair_frames, place.pair):
        for name, t in (("10", frame), ("11", frame + 1)):
            image = data.root / layout.file(Output.FACIAL_IMAGE, t)
            yield _image(image, f"training/image_2/{i:06d}_{name}.png")
        flow = data.root / layout.file(Output.FACIAL_FLOW, frame)
        yield _flow(flow, f"training/flow_occ/{i:06d}_10.png", _kitti)


def _things(data: FlowDataset, metadata: SequenceMetadata, place: _Place) -> Iterator[_File]:
    layout = metadata.layout
    letter, scene = divmod(place.sequence, _SCENES)
    folder = f"TRAIN/{chr(ord('A') + letter)}/{scene:04d}"
    for frame in layout.facial_frames:
        image = data.root / layout.file(Output.FACIAL_IMAGE, frame)
        yield _image(image, f"frames_cleanpass/{folder}/left/{frame:04d}.png")
    for frame in layout.pair_frames:
        flow = data.root / layout.file(Output.FACIAL_FLOW, frame)
        name = f"OpticalFlowIntoFuture_{frame:04d}_L.pfm"
        yield _flow(flow, f"optical_flow/{folder}/into_future/left/{name}", _pfm)
    for i, (frame, flow) in enumerate(_backward(data, metadata)):
        stem = f"optical_flow/{folder}/into_past/left/OpticalFlowIntoPast_"
        if i == 0:
            # That set has one for its first image too, and loaders count on it: without it all flows move up by one.
            yield _File(f"{stem}{frame - 1:04d}_L.pfm", flow, _no_motion_known)
        yield _flow(flow, f"{stem}{frame:04d}_L.pfm", _pfm)


def _spring(data: FlowDataset, metadata: SequenceMetadata, place: _Place) -> Iterator[_File]:
    layout, scene = metadata.layout, f"train/{place.sequence + 1:04d}"
    for i, frame in enumerate(layout.facial_frames, 1):
        image = data.root / layout.file(Output.FACIAL_IMAGE, frame)
        yield _image(image, f"{scene}/frame_left/frame_left_{i:04d}.png")
    for i, frame in enumerate(layout.pair_frames, 1):
        flow = data.root / layout.file(Output.FACIAL_FLOW, frame)
        yield _File(f"{scene}/flow_FW_left/flow_FW_left_{i:04d}.flo5", flow, _flo5)
    for i, (_, flow) in enumerate(_backward(data, metadata), 2):
        yield _File(f"{scene}/flow_BW_left/flow_BW_left_{i:04d}.flo5", flow, _flo5)


_LAYOUTS: dict[str, Callable[[FlowDataset, SequenceMetadata, _Place], Iterator[_File]]] = {
    "ffn": _ffn,
    "sintel": _sintel,
    "kitti": _kitti_2015,
    "things": _things,
    "spring": _spring,
}
