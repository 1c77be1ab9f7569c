"""Each layout, written as its authors give it, and read back."""

from __future__ import annotations

import struct
from pathlib import Path

import cv2
import numpy as np
import pytest
from made_dataset import make_dataset
from PIL import Image

from ffngen.dataset.arrays import encode_mask
from ffngen.dataset.read import FlowDataset
from ffngen.errors import DatasetError, FfngenError, InputFileError
from ffngen.flow.files import FlowFormat, read_flow, write_flow
from ffngen.flow.kitti import read_flow_kitti
from ffngen.flow.pfm import read_flow_pfm
from ffngen.flow.values import known
from ffngen.training.cache import FlowCache
from ffngen.training.config import SourceConfig
from ffngen.training.sample import Rows, Sample
from ffngen.training.sources import open_source

H, W = 20, 30


def flow(number: int) -> np.ndarray:
    y, x = np.mgrid[:H, :W].astype(np.float32)
    return np.stack([0.25 * x + number, -0.5 * y], -1)


def image(path: Path, value: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (W, H), (value, 10, 20)).save(path)


def flo(path: Path, number: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_flow(path, flow(number))


def pfm(path: Path, number: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    values = np.concatenate([flow(number), np.zeros((H, W, 1), np.float32)], -1)[::-1]
    path.write_bytes(f"PF\n{W} {H}\n-1.0\n".encode() + values.astype("<f4").tobytes())


def kitti_flow(path: Path, number: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    valid = np.ones((H, W))
    valid[3:5] = 0
    values = np.concatenate([flow(number) * 64 + 2**15, valid[..., None]], -1).astype(np.uint16)
    cv2.imwrite(str(path), values[..., ::-1])


def chairs(root: Path) -> None:
    for i in (1, 2, 3):
        flo(root / "data" / f"{i:05d}_flow.flo", i)
        image(root / "data" / f"{i:05d}_img1.ppm", i)
        image(root / "data" / f"{i:05d}_img2.ppm", 100 + i)
    (root / "FlyingChairs_train_val.txt").write_text("1\n2\n1\n")


def things(root: Path) -> None:
    for i in (6, 7):
        image(root / "frames_cleanpass/TRAIN/A/0000/left" / f"{i:04d}.png", i)
        for way in ("Future", "Past"):
            folder = root / "optical_flow/TRAIN/A/0000" / f"into_{way.lower()}" / "left"
            pfm(folder / f"OpticalFlowInto{way}_{i:04d}_L.pfm", i)


def sintel(root: Path) -> None:
    for i in (1, 2, 3):
        for kind in ("clean", "final"):
            image(root / "training" / kind / "alley_1" / f"frame_{i:04d}.png", i)
        if i < 3:
            flo(root / "training/flow/alley_1" / f"frame_{i:04d}.flo", i)
            path = root / "training/invalid/alley_1" / f"frame_{i:04d}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            invalid = np.zeros((H, W), np.uint8)
            invalid[:, :4] = 255
            Image.fromarray(invalid).save(path)


def kitti(root: Path) -> None:
    for i in (0, 1):
        image(root / "training/image_2" / f"{i:06d}_10.png", i)
        image(root / "training/image_2" / f"{i:06d}_11.png", 100 + i)
        kitti_flow(root / "training/flow_occ" / f"{i:06d}_10.png", i)


def hd1k(root: Path) -> None:
    for sequence in (0, 1):
        for i in (0, 1, 2):
            image(root / "hd1k_input/image_2" / f"{sequence:06d}_{i:04d}.png", i)
            kitti_flow(root / "hd1k_flow_gt/flow_occ" / f"{sequence:06d}_{i:04d}.png", i)


def ffn(root: Path) -> None:
    place = Path("train/happy/someone")
    for i in (1, 2, 3):
        image(root / "image/facial" / place / f"{i:04d}.jpg", 100)
        if i < 3:
            flo(root / "flow/facial" / place / f"{i:04d}.flo", i)
            flo(root / "flow/head" / place / f"{i:04d}.flo", 10 + i)
            mask = np.zeros((H, W), np.uint8)
            mask[5:15] = 1
            path = root / "mask" / place / f"{i:04d}.npy"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(encode_mask(mask))


#: kind -> (how it is written, how many pairs train has, the first pair's images' red, and number of its flow)
LAYOUTS = {
    "chairs": (chairs, 2, (1, 101), 1),
    "things": (things, 2, (6, 7), 6),
    "sintel": (sintel, 4, (1, 2), 1),
    "kitti": (kitti, 2, (0, 100), 0),
    "hd1k": (hd1k, 4, (0, 1), 0),
    "ffn": (ffn, 2, (100, 100), 1),
}


def read(root: Path, kind: str, index: int = 0, rows: Rows = Rows(0, H)) -> Sample:  # noqa: B008 - a constant
    return open_source(SourceConfig(kind=kind, path=str(root)))[index].read(rows)


@pytest.mark.parametrize("kind", LAYOUTS)
def test_layouts(kind: str, tmp_path: Path) -> None:
    write, count, reds, number = LAYOUTS[kind]
    write(tmp_path)
    source = open_source(SourceConfig(kind=kind, path=str(tmp_path)))
    assert len(source) == count
    assert source.has_heads == (kind == "ffn")
    lazy = source[0]
    assert (lazy.height, lazy.width) == (H, W)
    sample = lazy.read(Rows(0, H))
    assert abs(int(sample.image1[0, 0, 0]) - reds[0]) <= 1
    assert abs(int(sample.image2[0, 0, 0]) - reds[1]) <= 1
    expected = {"sintel": np.mgrid[:H, :W][1] >= 4, "kitti": ~np.isin(np.mgrid[:H, :W][0], (3, 4))}
    expected["hd1k"] = expected["kitti"]
    valid = expected.get(kind, np.ones((H, W), bool))
    np.testing.assert_array_equal(sample.valid, valid)
    np.testing.assert_allclose(sample.facial[valid], flow(number)[valid], atol=1 / 128)
    assert not sample.facial[~valid].any()
    part = lazy.read(Rows(4, 9))
    for name in ("image1", "image2", "facial", "valid", "mask"):
        np.testing.assert_array_equal(getattr(part, name), getattr(sample, name)[4:9])
    if kind == "ffn":
        np.testing.assert_allclose(sample.head, flow(11))
        assert sample.mask.sum() == 10 * W


def test_things_go_both_ways(tmp_path: Path) -> None:
    things(tmp_path)
    sample = read(tmp_path, "things", 1)
    assert sample.image1[0, 0, 0] == 7
    assert sample.image2[0, 0, 0] == 6
    np.testing.assert_allclose(sample.facial, flow(7))


@pytest.mark.parametrize("form", list(FlowFormat))
def test_ffngens_own(form: FlowFormat, tmp_path: Path) -> None:
    root = make_dataset(tmp_path / "made", {"train": 2, "val": 1}, form)
    source = open_source(SourceConfig(path=str(root)))
    pairs = list(FlowDataset(root, splits=("train",)))
    assert len(source) == len(pairs) == 4
    for i, pair in enumerate(pairs):
        sample = source[i].read(Rows(10, 90))
        np.testing.assert_array_equal(sample.image2, pair.image2[10:90])
        np.testing.assert_array_equal(sample.facial, pair.facial_flow[10:90])
        np.testing.assert_array_equal(sample.head, pair.head_flow[10:90])
        np.testing.assert_array_equal(sample.mask, pair.mask[10:90] > 0)
        assert sample.valid.all()
    assert source.digest() == open_source(SourceConfig(path=str(root))).digest()
    assert source.digest() != open_source(SourceConfig(path=str(root), split="val")).digest()


def test_a_cache_gives_what_the_files_hold(tmp_path: Path) -> None:
    root = make_dataset(tmp_path / "made", {"train": 1}, FlowFormat.EXR)
    cache = FlowCache(tmp_path / "cache", 2**30)
    plain = open_source(SourceConfig(path=str(root)))
    cached = open_source(SourceConfig(path=str(root)), cache)
    for _ in range(2):
        for i in range(len(plain)):
            a, b = (source[i].read(Rows(5, 60)) for source in (plain, cached))
            np.testing.assert_array_equal(a.facial, b.facial)
            np.testing.assert_array_equal(a.head, b.head)
    kept = list((tmp_path / "cache").rglob("*.flo"))
    assert len(kept) == 4
    # A cached file that is damaged is made again; a source file that changed is another one.
    kept[0].write_bytes(b"PIEH")
    np.testing.assert_array_equal(cached[0].read(Rows(0, 60)).facial, plain[0].read(Rows(0, 60)).facial)
    path = next((root / "flow" / "facial").rglob("*.exr"))
    write_flow(path, 2 * read_flow(path))
    for i in range(len(plain)):
        np.testing.assert_array_equal(cached[i].read(Rows(0, 60)).facial, plain[i].read(Rows(0, 60)).facial)


def test_a_full_cache_costs_nothing_but_time(tmp_path: Path) -> None:
    write_flow(tmp_path / "a.exr", flow(1))
    cache = FlowCache(tmp_path / "cache", 0)
    np.testing.assert_array_equal(cache.read(tmp_path / "a.exr", slice(2, 5)), flow(1)[2:5])
    assert not list((tmp_path / "cache").rglob("*.flo"))


@pytest.mark.parametrize(
    ("kind", "spoil", "words"),
    [
        ("ffngen", lambda root: ffn(root), "for the published FacialFlowNet say kind: ffn"),
        ("ffngen", lambda root: None, "not an ffngen dataset"),
        ("sintel", lambda root: None, "holds no pair"),
        ("chairs", lambda root: (chairs(root), (root / "FlyingChairs_train_val.txt").unlink()), "has no list"),
        ("chairs", lambda root: (chairs(root), (root / "FlyingChairs_train_val.txt").write_text("1")), "lists 1 pairs"),
        ("chairs", lambda root: (chairs(root), (root / "data/00001_img1.ppm").unlink()), "no such image"),
        ("ffn", lambda root: (ffn(root), next((root / "flow/head").rglob("*.flo")).unlink()), "do not pair up"),
        (
            "ffn",
            lambda root: (ffn(root), image(root / "image/facial/train/happy/someone/0009.jpg", 1)),
            "do not pair up",
        ),
    ],
)
def test_folders_at_fault(kind: str, spoil, words: str, tmp_path: Path) -> None:
    spoil(tmp_path)
    with pytest.raises(FfngenError, match=words):
        open_source(SourceConfig(kind=kind, path=str(tmp_path)))


def test_splits_without_sequences(tmp_path: Path) -> None:
    root = make_dataset(tmp_path / "made", {"val": 1})
    with pytest.raises(DatasetError, match="has no sequence in train; it has val"):
        open_source(SourceConfig(path=str(root)))
    sintel(tmp_path / "sintel")
    with pytest.raises(InputFileError, match="'val' split has no published flow"):
        open_source(SourceConfig(kind="sintel", path=str(tmp_path / "sintel"), split="val"))


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (
            lambda root: image_of_size(root / "training/clean/alley_1/frame_0002.png", (W, H + 1)),
            "frame_0002.png: 30 x 21",
        ),
        (lambda root: write_flow(root / "training/flow/alley_1/frame_0001.flo", flow(1)[:, :9]), "9 x 20 pixels"),
        (lambda root: write_flow(root / "training/flow/alley_1/frame_0001.flo", flow(1)[:9]), "30 x 9 pixels"),
        (
            lambda root: write_flow(root / "training/flow/alley_1/frame_0001.flo", np.tile(flow(1), (2, 1, 1))),
            "30 x 40",
        ),
        (lambda root: (root / "training/clean/alley_1/frame_0001.png").write_bytes(b"PNG"), "not an image"),
        (lambda root: (root / "training/flow/alley_1/frame_0001.flo").unlink(), "frame_0001.flo: cannot be read"),
        (lambda root: (root / "training/flow/alley_1/frame_0001.flo").write_bytes(b"x" * 50), "not a .flo file"),
    ],
)
def test_files_at_fault(spoil, words: str, tmp_path: Path) -> None:
    sintel(tmp_path)
    spoil(tmp_path)
    with pytest.raises(InputFileError, match=words):
        read(tmp_path, "sintel")


def image_of_size(path: Path, size: tuple[int, int]) -> None:
    Image.new("RGB", size).save(path)


def test_motion_that_is_not_finite_is_not_valid(tmp_path: Path) -> None:
    sintel(tmp_path)
    values = flow(1)
    values[7, 8] = np.nan, 3
    values[9, 9] = 1e10, 0
    path = tmp_path / "training/flow/alley_1/frame_0001.flo"
    path.write_bytes(struct.pack("<4sii", b"PIEH", W, H) + values.astype("<f4").tobytes())
    sample = read(tmp_path, "sintel")
    assert not sample.valid[7, 8]
    assert not sample.valid[9, 9]
    assert np.isfinite(sample.facial).all()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"PF",
        b"Pf\n3 2\n-1\n" + bytes(72),
        b"PF\n3 2\n-1\n" + bytes(71),
        b"PF\n0 2\n-1\n",
        b"PF\n999999 999999\n-1\n",
    ],
)
def test_damaged_pfm(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.pfm").write_bytes(content)
    with pytest.raises(InputFileError, match=r"a\.pfm"):
        read_flow_pfm(tmp_path / "a.pfm")


def test_pfm_of_either_byte_order(tmp_path: Path) -> None:
    values = np.arange(18, dtype=np.float32).reshape(2, 3, 3)
    for scale, order in (("-1.0", "<f4"), ("1.0", ">f4")):
        (tmp_path / "a.pfm").write_bytes(f"PF\n3 2\n{scale}\n".encode() + values[::-1].astype(order).tobytes())
        np.testing.assert_array_equal(read_flow_pfm(tmp_path / "a.pfm"), values[..., :2])


def test_kitti_png(tmp_path: Path) -> None:
    kitti_flow(tmp_path / "a.png", 3)
    found = read_flow_kitti(tmp_path / "a.png")
    assert known(found).sum() == (H - 2) * W
    np.testing.assert_allclose(found[known(found)], flow(3)[known(found)], atol=1 / 64)
    for damaged in (b"", (tmp_path / "a.png").read_bytes()[:60]):
        (tmp_path / "b.png").write_bytes(damaged)
        with pytest.raises(InputFileError, match=r"b\.png"):
            read_flow_kitti(tmp_path / "b.png")
    Image.new("RGB", (4, 4)).save(tmp_path / "c.png")
    with pytest.raises(InputFileError, match="16-bit RGB PNG is needed"):
        read_flow(tmp_path / "c.png")
