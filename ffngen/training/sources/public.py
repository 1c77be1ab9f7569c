"""The public sets in the layouts that their authors give them, and the published FacialFlowNet."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

from ffngen.atomic import read_bounded
from ffngen.errors import InputFileError
from ffngen.training.sources.files import PairFiles

_MAX_SPLIT_FILE = 1 << 20


def flying_chairs(root: Path, split: str) -> Iterator[PairFiles]:
    """``data/00001_img1.ppm``, ``_img2.ppm``, ``_flow.flo``; 1 (train) or 2 (val) a line in a split file."""
    folder = root / "data" if (root / "data").is_dir() else root
    flows = sorted(folder.glob("*_flow.flo"))
    wanted = {"train": "1"}.get(split, "2")
    lists = [name for name in ("FlyingChairs_train_val.txt", "chairs_split.txt") if (root / name).is_file()]
    if not lists:
        mend = "put FlyingChairs_train_val.txt there, which the set's authors give"
        raise InputFileError("has no list of its splits", where=root, mend=mend)
    numbers = read_bounded(root / lists[0], _MAX_SPLIT_FILE).decode("ascii", "replace").split()
    if len(numbers) != len(flows):
        what = f"lists {len(numbers)} pairs, and there are {len(flows)}"
        raise InputFileError(what, where=root / lists[0])
    for flow, number in zip(flows, numbers, strict=True):
        if number == wanted:
            stem = flow.name.removesuffix("_flow.flo")
            images = (_one_of(folder, f"{stem}_img{i}", (".ppm", ".png", ".jpg")) for i in (1, 2))
            yield PairFiles(*(_relative(root, path) for path in (*images, flow)))


def flying_things(root: Path, split: str) -> Iterator[PairFiles]:
    """FlyingThings3D: ``frames_cleanpass/TRAIN/A/0000/left/0006.png`` and optical_flow, backward where it is there."""
    part = "TRAIN" if split == "train" else "TEST"
    for folder in sorted(root.glob(f"frames_cleanpass/{part}/*/*/left")):
        frames = sorted(folder.glob("*.png"))
        scene = folder.relative_to(root / "frames_cleanpass").parent
        backward = (root / "optical_flow" / scene / "into_past").is_dir()
        for first, second in pairwise(frames):
            for start, end, way in ((first, second, "Future"), (second, first, "Past"))[: 1 + backward]:
                place = root / "optical_flow" / scene / f"into_{way.lower()}" / "left"
                flow = place / f"OpticalFlowInto{way}_{start.stem}_L.pfm"
                yield PairFiles(*(_relative(root, path) for path in (start, end, flow)))


def sintel(root: Path, split: str) -> Iterator[PairFiles]:
    """MPI Sintel: ``training/{clean,final}/SCENE/frame_0001.png``, ``training/flow``, ``training/invalid``."""
    _only_training(root, split)
    for kind in ("clean", "final"):
        for folder in sorted((root / "training" / kind).glob("*")):
            for first, second in pairwise(sorted(folder.glob("*.png"))):
                flow = root / "training" / "flow" / folder.name / f"{first.stem}.flo"
                invalid = root / "training" / "invalid" / folder.name / first.name
                image1, image2, truth = (_relative(root, path) for path in (first, second, flow))
                not_valid = _relative(root, invalid) if invalid.is_file() else None
                yield PairFiles(image1, image2, truth, invalid=not_valid)


def kitti(root: Path, split: str) -> Iterator[PairFiles]:
    """KITTI 2015: ``training/image_2/000000_10.png`` and ``_11.png``, ``training/flow_occ``."""
    _only_training(root, split)
    for flow in sorted((root / "training" / "flow_occ").glob("*_10.png")):
        images = root / "training" / "image_2"
        paths = (images / flow.name, images / flow.name.replace("_10.png", "_11.png"), flow)
        yield PairFiles(*(_relative(root, path) for path in paths))


def hd1k(root: Path, split: str) -> Iterator[PairFiles]:
    """HD1K: ``hd1k_input/image_2/000000_0000.png``, ``hd1k_flow_gt/flow_occ``."""
    _only_training(root, split)
    for first, second in pairwise(sorted((root / "hd1k_input" / "image_2").glob("*.png"))):
        if first.name.partition("_")[0] == second.name.partition("_")[0]:
            flow = root / "hd1k_flow_gt" / "flow_occ" / first.name
            yield PairFiles(*(_relative(root, path) for path in (first, second, flow)))


def facial_flow_net(root: Path, split: str) -> Iterator[PairFiles]:
    """The published FacialFlowNet: images i and i + 1 of a folder have the i-th mask and the i-th flows.

    :raises InputFileError: a folder whose files do not pair up.
    """
    for folder in sorted((root / "image" / "facial" / split).glob("*/*")):
        place = folder.relative_to(root / "image" / "facial")
        images = _files(folder, (".jpg", ".png"))
        facial, head = (_files(root / "flow" / kind / place, (".flo",)) for kind in ("facial", "head"))
        masks = _files(root / "mask" / place, (".npy",))
        for name, found, least in (("facial flows", facial, 0), ("head flows", head, 0), ("masks", masks, None)):
            fits = len(found) == len(images) - 1 if least == 0 else len(found) >= len(images) - 1
            if not fits:
                what = f"{len(images)} images and {len(found)} {name} do not pair up"
                raise InputFileError(what, where=folder, mend=f"{len(images) - 1} are needed")
        for i, (first, second) in enumerate(pairwise(images)):
            paths = (first, second, facial[i], head[i], masks[i])
            yield PairFiles(*(_relative(root, path) for path in paths))


LAYOUTS: dict[str, Callable[[Path, str], Iterator[PairFiles]]] = {
    "chairs": flying_chairs,
    "things": flying_things,
    "sintel": sintel,
    "kitti": kitti,
    "hd1k": hd1k,
    "ffn": facial_flow_net,
}


def _only_training(root: Path, split: str) -> None:
    if split != "train":
        raise InputFileError(f"its {split!r} split has no published flow", where=root, mend="use the split train")


def _files(folder: Path, suffixes: tuple[str, ...]) -> list[Path]:
    return sorted(path for path in folder.glob("*") if path.suffix.lower() in suffixes)


def _one_of(folder: Path, stem: str, suffixes: tuple[str, ...]) -> Path:
    for suffix in suffixes:
        if (folder / f"{stem}{suffix}").is_file():
            return folder / f"{stem}{suffix}"
    raise InputFileError("no such image", where=folder / f"{stem}{suffixes[0]}")


def _relative(root: Path, path: Path) -> str:
    return str(path.relative_to(root))
