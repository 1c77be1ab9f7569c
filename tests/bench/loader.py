"""Loading for training: pairs a second against a loader of the published kind, with the same number of workers.

The rival does what RAFT's and DecFlow's published loaders do, in their order: decode both images and both flows
whole, change the colours with Pillow, resize everything, then flip and crop. Both read one folder in the published
FacialFlowNet layout, made here, of 512 x 512 images, and give crops of 480 x 480. The bound is for flow as .flo, which
is all that the rival reads; ffngen's rates with flow in EXR, in its compact format, and in WebDataset shards of that
are measured in the same rounds.

    python tests/bench/loader.py [--json] [--quick] [--workers 2]
"""

from __future__ import annotations

import json
import tarfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from io import BytesIO
from itertools import islice
from pathlib import Path
from statistics import median

import click
import cv2
import numpy as np
import torch
from _measure import report, scratch_folder
from PIL import Image, ImageEnhance
from torch.utils.data import DataLoader, Dataset

from ffngen.dataset.arrays import encode_mask
from ffngen.dataset.layout import SHARDS_FILE
from ffngen.dataset.shards import (
    FACIAL,
    HEAD,
    IMAGE1,
    IMAGE2,
    INDEX_FILE,
    MASK,
    PAIR,
    ShardsRecord,
    encode_index,
    index_shard,
    shard_name,
)
from ffngen.flow.files import write_flow
from ffngen.images import encode_jpeg
from ffngen.training.batches import BatchStream
from ffngen.training.config import AugmentConfig, SourceConfig
from ffngen.training.sources import open_source
from ffngen.training.sources.files import FileSource

SIDE, CROP, BATCH, PAIRS = 512, 480, 6, 24
RATIO_BOUND = 3.0
SUFFIXES = (".flo", ".exr", ".cflo")


def make_folder(root: Path) -> None:
    """One sequence: images with the detail of photographs, smooth flow in three formats, a disc as mask."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:SIDE, :SIDE].astype(np.float32)
    place = Path("train", "happy", "subject")
    folders = {name: root / name / place for name in ("image/facial", "flow/facial", "flow/head", "mask")}
    for folder in folders.values():
        folder.mkdir(parents=True)
    for i in range(PAIRS + 1):
        coarse = rng.integers(0, 256, (SIDE // 8, SIDE // 8, 3), dtype=np.uint8)
        image = cv2.resize(coarse, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC)
        image = np.clip(image + rng.normal(0, 6, image.shape), 0, 255).astype(np.uint8)
        (folders["image/facial"] / f"{i:04d}.jpg").write_bytes(encode_jpeg(image))
        if i < PAIRS:
            flow = np.stack([np.sin(x / 90 + i), np.cos(y / 70)], -1) * 3
            for name, values in (("flow/facial", flow), ("flow/head", 0.5 * flow)):
                for suffix in SUFFIXES:
                    write_flow(folders[name] / f"{i:04d}{suffix}", values)
            mask = ((x - 256) ** 2 + (y - 256) ** 2 < 180**2).astype(np.uint8)
            (folders["mask"] / f"{i:04d}.npy").write_bytes(encode_mask(mask))


def make_shards(root: Path) -> None:
    """The same pairs as one shard."""
    shards = root / "shards"
    shards.mkdir()
    source = open_source(SourceConfig(kind="ffn", path=str(root)))
    assert isinstance(source, FileSource)
    with tarfile.open(shards / shard_name("train", 0), "w") as tar:
        for i, pair in enumerate(source.pairs):
            mask = BytesIO()
            Image.fromarray(np.load(root / str(pair.mask)) * 255).save(mask, "PNG")
            members = {
                f"{IMAGE1}.jpg": (root / pair.image1).read_bytes(),
                f"{IMAGE2}.jpg": (root / pair.image2).read_bytes(),
                FACIAL: (root / pair.facial).with_suffix(".cflo").read_bytes(),
                HEAD: (root / str(pair.head)).with_suffix(".cflo").read_bytes(),
                MASK: mask.getvalue(),
                PAIR: json.dumps({"width": SIDE, "height": SIDE}).encode(),
            }
            for name, content in members.items():
                member = tarfile.TarInfo(f"happy/subject/{i:04d}.{name}")
                member.size = len(content)
                tar.addfile(member, BytesIO(content))
    (shards / INDEX_FILE).write_bytes(encode_index(index_shard(shards / shard_name("train", 0))))
    record = ShardsRecord(dataset="made", digest="", pairs_per_shard=PAIRS, pairs={"train": PAIRS})
    (shards / SHARDS_FILE).write_bytes(record.encode())


class PublishedKind(Dataset[tuple[torch.Tensor, ...]]):
    """The straightforward loader."""

    def __init__(self, root: Path, config: AugmentConfig) -> None:
        place = Path("train", "happy", "subject")
        self.images, self.facial, self.head, self.masks = (
            sorted((root / name / place).glob(f"*{suffix}"))
            for name, suffix in (
                ("image/facial", ".jpg"),
                ("flow/facial", ".flo"),
                ("flow/head", ".flo"),
                ("mask", ".npy"),
            )
        )
        self.config = config

    def __len__(self) -> int:
        return 10**6

    def __getitem__(self, number: int) -> tuple[torch.Tensor, ...]:
        rng = np.random.default_rng(number)
        index = number % PAIRS
        images = [np.array(Image.open(self.images[index + i])).astype(np.uint8)[..., :3] for i in (0, 1)]
        flows = [_read_flo(paths[index]) for paths in (self.facial, self.head)]
        mask = np.load(self.masks[index])
        images = self._colours(images, rng)
        if rng.random() < self.config.eraser_probability:
            mean = images[1].reshape(-1, 3).mean(0)
            for _ in range(rng.integers(1, 3)):
                x, y, w, h = rng.integers(0, SIDE), rng.integers(0, SIDE), rng.integers(50, 100), rng.integers(50, 100)
                images[1][y : y + h, x : x + w] = mean
        images, flows, mask = self._space(images, flows, mask, rng)
        tensors = [torch.from_numpy(np.array(image)).permute(2, 0, 1).float() for image in images]
        tensors += [torch.from_numpy(np.array(flow)).permute(2, 0, 1).float() for flow in flows]
        valid = (flows[0].__abs__().max(-1) < 1000).astype(np.float32)
        return (*tensors, torch.from_numpy(np.array(mask)), torch.from_numpy(valid))

    def _colours(self, images: list[np.ndarray], rng: np.random.Generator) -> list[np.ndarray]:
        if rng.random() < self.config.asymmetric_probability:
            return [self._jitter(image, rng) for image in images]
        return list(np.split(self._jitter(np.concatenate(images), rng), 2))

    def _jitter(self, array: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        image = Image.fromarray(array)
        for change in rng.permutation(4):
            if change < 3:
                kind = (ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color)[change]
                image = kind(image).enhance(rng.uniform(0.6, 1.4))
            else:
                hue, saturation, value = image.convert("HSV").split()
                turned = np.array(hue, dtype=np.uint8) + np.uint8(rng.integers(0, 256))
                image = Image.merge("HSV", (Image.fromarray(turned), saturation, value)).convert("RGB")
        return np.array(image, dtype=np.uint8)

    def _space(
        self, images: list[np.ndarray], flows: list[np.ndarray], mask: np.ndarray, rng: np.random.Generator
    ) -> tuple[list[np.ndarray], list[np.ndarray], np.ndarray]:
        least = (CROP + 8) / SIDE
        scale = 2 ** rng.uniform(self.config.min_scale, self.config.max_scale)
        scales = [scale, scale]
        if rng.random() < self.config.stretch_probability:
            scales = [s * 2 ** rng.uniform(-self.config.max_stretch, self.config.max_stretch) for s in scales]
        fx, fy = (max(s, least) for s in scales)
        if rng.random() < self.config.spatial_probability:
            images = [cv2.resize(i, None, fx=fx, fy=fy, interpolation=cv2.INTER_LINEAR) for i in images]
            flows = [cv2.resize(f, None, fx=fx, fy=fy, interpolation=cv2.INTER_LINEAR) * [fx, fy] for f in flows]
            mask = cv2.resize(mask, None, fx=fx, fy=fy, interpolation=cv2.INTER_NEAREST)
        if rng.random() < 0.5:
            images = [i[:, ::-1] for i in images]
            flows = [f[:, ::-1] * [-1.0, 1.0] for f in flows]
            mask = mask[:, ::-1]
        y = rng.integers(0, images[0].shape[0] - CROP + 1)
        x = rng.integers(0, images[0].shape[1] - CROP + 1)
        part = (slice(y, y + CROP), slice(x, x + CROP))
        return [i[part] for i in images], [f[part] for f in flows], mask[part]


def _read_flo(path: Path) -> np.ndarray:
    with path.open("rb") as file:
        np.fromfile(file, np.float32, 1)
        width, height = np.fromfile(file, np.int32, 2)
        return np.fromfile(file, np.float32, 2 * width * height).reshape(height, width, 2)


def published(root: Path, workers: int) -> Iterator[object]:
    """Batches of the rival."""
    return iter(DataLoader(PublishedKind(root, AugmentConfig()), BATCH, num_workers=workers, worker_init_fn=_quiet))


def ours(form: str, root: Path, workers: int) -> Iterator[object]:
    """Batches of ffngen's loader; the flow's suffix is the form, or it is ``shards``."""
    if form == "shards":
        source = open_source(SourceConfig(path=str(root / form)))
    else:
        flo = open_source(SourceConfig(kind="ffn", path=str(root)))
        assert isinstance(flo, FileSource)
        pairs = [
            replace(p, facial=p.facial.replace(".flo", form), head=str(p.head).replace(".flo", form)) for p in flo.pairs
        ]
        source = FileSource(form, root, pairs)
    return BatchStream(((source, 1.0),), BATCH, (CROP, CROP), AugmentConfig(), 0, workers).steps(0, 10**6)


def _quiet(number: int) -> None:
    torch.set_num_threads(1)
    cv2.setNumThreads(0)


def pairs_per_second(stream: Iterator[object], batches: int) -> float:
    """After the start, and after what was prepared ahead meanwhile."""
    for _ in islice(stream, 8):
        pass
    start = time.perf_counter()
    for _ in islice(stream, batches):
        pass
    return batches * BATCH / (time.perf_counter() - start)


@click.command()
@click.option("--workers", default=2, show_default=True)
@click.option("--repeats", default=3, show_default=True)
@click.option("--quick", is_flag=True, help="Few batches, which show that the bench runs and little more.")
@click.option("--json", "as_json", is_flag=True)
def main(workers: int, repeats: int, quick: bool, as_json: bool) -> None:
    """Measure both loaders in turn."""
    torch.set_num_threads(1)
    cv2.setNumThreads(0)
    paths: dict[str, Callable[[Path, int], Iterator[object]]] = {"published kind": published}
    paths |= {form: partial(ours, form) for form in (*SUFFIXES, "shards")}
    rates: dict[str, list[float]] = {name: [] for name in paths}
    with scratch_folder() as root:
        make_folder(root)
        make_shards(root)
        for _ in range(1 if quick else repeats):
            for name, path in paths.items():
                rates[name].append(pairs_per_second(path(root, workers), 5 if quick else 25))
    ratio = median(b / a for a, b in zip(rates["published kind"], rates[".flo"], strict=True))
    summary = {
        "bench": "loader",
        "workers": workers,
        "pairs_per_second": rates,
        "ratio": ratio,
        "ratio_bound": RATIO_BOUND,
        "within_bounds": ratio >= RATIO_BOUND,
    }
    lines = [
        f"{SIDE}x{SIDE} pairs, crops of {CROP}, {workers} workers: "
        + ", ".join(f"{name} {median(values):.1f} pairs/s" for name, values in rates.items()),
        f".flo against the published kind: ratio {ratio:.2f} (bound {RATIO_BOUND})",
    ]
    report(summary, as_json, lines)


if __name__ == "__main__":
    main()
