"""Each deliberate corruption of a dataset is caught, and called by its name."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from made_dataset import (
    BACKGROUND,
    HEIGHT,
    WIDTH,
    camera,
    closed_form,
    faults,
    finish_dataset,
    metadata_path,
    panels,
    sign,
    write_manifest,
    write_sequence,
)

from ffngen.atomic import write_atomic
from ffngen.dataset.arrays import encode_mask, encode_vertices, read_mask, read_vertices
from ffngen.dataset.layout import DATASET_FILE, Output, Record, SequenceKey
from ffngen.dataset.metadata import read_metadata
from ffngen.dataset.report import Fault
from ffngen.dataset.verify import verify_dataset
from ffngen.flow.exr import read_depth_exr, write_depth_exr
from ffngen.flow.files import FlowFormat, read_flow, write_flow
from ffngen.images import encode_png, read_image

pytest.importorskip("embreex")

SMILE = SequenceKey("train", "happy", "made-000001_e0_n3")
CALM = SequenceKey("test", "neutral", "made-000002_e0_n3")
OTHER = SequenceKey("train", "sad", "made-000003_e0_n3")


@pytest.fixture(scope="module")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("pristine")
    write_sequence(root, SMILE, identity="made-000001")
    write_sequence(root, CALM, identity="made-000002", neutral=True, flow_format=FlowFormat.EXR)
    write_sequence(root, OTHER, identity="made-000003", way=-1)
    finish_dataset(root)
    return root


@pytest.fixture
def dataset(pristine: Path, tmp_path: Path) -> Path:
    shutil.copytree(pristine, tmp_path / "dataset")
    return tmp_path / "dataset"


Change = Callable[[np.ndarray], np.ndarray]


def change_flow(output: Output, change: Change) -> Callable[[Path], None]:
    def corrupt(root: Path) -> None:
        metadata = read_metadata(metadata_path(root, SMILE))
        for t in metadata.layout.pair_frames:
            path = root / metadata.layout.file(output, t)
            changed = change(read_flow(path))
            header = path.read_bytes()[:12]
            path.write_bytes(header + np.ascontiguousarray(changed, "<f4").tobytes())

    return corrupt


def swap_files(output: Output, other: Output) -> Callable[[Path], None]:
    def corrupt(root: Path) -> None:
        layout = read_metadata(metadata_path(root, SMILE)).layout
        for t in layout.pair_frames:
            one, two = root / layout.file(output, t), root / layout.file(other, t)
            one_bytes, two_bytes = one.read_bytes(), two.read_bytes()
            one.write_bytes(two_bytes)
            two.write_bytes(one_bytes)

    return corrupt


def shift_frames(output: Output) -> Callable[[Path], None]:
    def corrupt(root: Path) -> None:
        layout = read_metadata(metadata_path(root, SMILE)).layout
        frames = layout.frames(output)
        contents = [(root / layout.file(output, t)).read_bytes() for t in frames]
        for t, content in zip(frames, contents[1:] + contents[:1], strict=True):
            (root / layout.file(output, t)).write_bytes(content)

    return corrupt


def half_pixel(root: Path) -> None:
    layout = read_metadata(metadata_path(root, SMILE)).layout
    for t in layout.pair_frames:
        mask = read_mask(root / layout.file(Output.MASK, t))[..., None] != 0
        for output, later in ((Output.FACIAL_FLOW, panels(t + 1, t + 1)), (Output.HEAD_FLOW, panels(t + 1, t))):
            flow = closed_form(panels(t, t), later, shift=0.5)[0]
            write_flow(root / layout.file(output, t), np.where(mask, flow, 0))


def change_depth(change: Change) -> Callable[[Path], None]:
    def corrupt(root: Path) -> None:
        layout = read_metadata(metadata_path(root, SMILE)).layout
        for t in layout.facial_frames:
            path = root / layout.file(Output.DEPTH, t)
            write_depth_exr(path, change(read_depth_exr(path)))

    return corrupt


def along_the_ray(depth: np.ndarray) -> np.ndarray:
    rays = camera().pixel_rays()[1]
    return np.where(depth < BACKGROUND, depth * np.linalg.norm(rays, axis=-1), depth).astype(np.float32)


def wrong_camera(root: Path) -> None:
    data = json.loads(metadata_path(root, SMILE).read_text())
    data["camera"]["K"][0][0] *= 1.01
    metadata_path(root, SMILE).write_text(json.dumps(data))


def small_flow_outside(flow: np.ndarray) -> np.ndarray:
    flow = flow.copy()
    flow[0, 0] = 1e-30
    return flow


def unknown_inside(flow: np.ndarray) -> np.ndarray:
    flow = flow.copy()
    flow[HEIGHT // 2, WIDTH // 2] = 1e10
    return flow


def not_a_number(flow: np.ndarray) -> np.ndarray:
    """As a writer that checks nothing would write it: our own refuses."""
    flow = flow.copy()
    flow[HEIGHT // 2, WIDTH // 2, 1] = np.nan
    return flow


def wrong_silhouette(root: Path) -> None:
    """Zero the flow on the outline only."""
    layout = read_metadata(metadata_path(root, SMILE)).layout
    for t in layout.pair_frames:
        mask = read_mask(root / layout.file(Output.MASK, t)) != 0
        inner = mask.copy()
        for axis in (0, 1):
            for step in (-1, 1):
                inner &= np.roll(mask, step, axis)
        path = root / layout.file(Output.FACIAL_FLOW, t)
        write_flow(path, np.where(inner[..., None], read_flow(path), 0))


def eroded_mask(root: Path) -> None:
    """A mask one pixel too small, with flow and all still zero outside it."""
    layout = read_metadata(metadata_path(root, SMILE)).layout
    for t in layout.facial_frames:
        path = root / layout.file(Output.MASK, t)
        mask = read_mask(path)
        write_atomic(path, encode_mask(np.minimum(mask, np.roll(mask, 1, axis=1))))


def moved_vertices(root: Path) -> None:
    path = root / read_metadata(metadata_path(root, SMILE)).layout.record(Record.VERTICES)
    vertices = read_vertices(path)
    write_atomic(path, encode_vertices(replace(vertices, facial=vertices.facial + np.float32(0.001))))


def change_image(output: Output, change: Change, only: int | None = None) -> Callable[[Path], None]:
    """Change every image of an output, or the one of a frame."""

    def corrupt(root: Path) -> None:
        layout = read_metadata(metadata_path(root, SMILE)).layout
        for t in layout.frames(output) if only is None else (only,):
            path = root / layout.file(output, t)
            write_atomic(path, encode_png(np.ascontiguousarray(change(read_image(path)))))

    return corrupt


def all_images(change: Change) -> Callable[[Path], None]:
    def corrupt(root: Path) -> None:
        change_image(Output.FACIAL_IMAGE, change)(root)
        change_image(Output.HEAD_IMAGE, change)(root)

    return corrupt


def exchange_images(root: Path) -> None:
    """Facial image t + 1 in the place of head-only image t + 1, and the other way round."""
    layout = read_metadata(metadata_path(root, SMILE)).layout
    for t in layout.frames(Output.HEAD_IMAGE):
        one, two = (root / layout.file(output, t) for output in (Output.FACIAL_IMAGE, Output.HEAD_IMAGE))
        one_bytes, two_bytes = one.read_bytes(), two.read_bytes()
        one.write_bytes(two_bytes)
        two.write_bytes(one_bytes)


def reverse_images(root: Path) -> None:
    layout = read_metadata(metadata_path(root, SMILE)).layout
    paths = [root / layout.file(Output.FACIAL_IMAGE, t) for t in layout.facial_frames]
    for path, content in zip(paths, [path.read_bytes() for path in reversed(paths)], strict=True):
        path.write_bytes(content)


def repeat_image(root: Path) -> None:
    layout = read_metadata(metadata_path(root, SMILE)).layout
    shutil.copy(root / layout.file(Output.FACIAL_IMAGE, 1), root / layout.file(Output.FACIAL_IMAGE, 2))


def foreign(output: Output) -> Callable[[Path], None]:
    """Files of another sequence, which moves the other way, in this one's place."""

    def corrupt(root: Path) -> None:
        here, there = (read_metadata(metadata_path(root, key)).layout for key in (SMILE, OTHER))
        for t in here.frames(output):
            shutil.copy(root / there.file(output, t), root / here.file(output, t))

    return corrupt


def foreign_images(root: Path) -> None:
    foreign(Output.FACIAL_IMAGE)(root)
    foreign(Output.HEAD_IMAGE)(root)


def foreign_truth(root: Path) -> None:
    for output in (Output.FACIAL_FLOW, Output.HEAD_FLOW, Output.MASK, Output.DEPTH):
        foreign(output)(root)


def shifted(image: np.ndarray) -> np.ndarray:
    matrix = np.float32([[1, 0, 2.5], [0, 1, 1.5]])
    return cv2.warpAffine(image, matrix, image.shape[1::-1], borderMode=cv2.BORDER_REPLICATE)


FACIAL, HEAD, OUTSIDE, MASK, DEPTH = Fault.FACIAL_FLOW, Fault.HEAD_FLOW, Fault.OUTSIDE_FLOW, Fault.MASK, Fault.DEPTH
#: Each corruption with the faults that must be named; silhouettes may suffer too.
CORRUPTIONS: dict[str, tuple[Callable[[Path], None], set[Fault]]] = {
    "u has the wrong sign": (change_flow(Output.FACIAL_FLOW, lambda f: f * np.float32([-1, 1])), {FACIAL}),
    "v has the wrong sign": (change_flow(Output.HEAD_FLOW, lambda f: f * np.float32([1, -1])), {HEAD}),
    "u and v are swapped": (change_flow(Output.FACIAL_FLOW, lambda f: f[..., ::-1]), {FACIAL}),
    "0.1 percent too long": (change_flow(Output.HEAD_FLOW, lambda f: f * np.float32(1.001)), {HEAD}),
    "off by one frame": (shift_frames(Output.FACIAL_FLOW), {FACIAL, OUTSIDE}),
    "head and facial exchanged": (swap_files(Output.FACIAL_FLOW, Output.HEAD_FLOW), {FACIAL, HEAD}),
    "half a pixel": (half_pixel, {FACIAL, HEAD}),
    "rounded to 1/64 px": (change_flow(Output.FACIAL_FLOW, lambda f: np.round(f * 64) / 64), {FACIAL}),
    "unknown inside": (change_flow(Output.FACIAL_FLOW, unknown_inside), {FACIAL}),
    "flow outside": (change_flow(Output.HEAD_FLOW, small_flow_outside), {OUTSIDE}),
    "wrong at the outline": (wrong_silhouette, {Fault.SILHOUETTE}),
    "stale mask": (shift_frames(Output.MASK), {MASK, OUTSIDE}),
    "eroded mask": (eroded_mask, {MASK, OUTSIDE}),
    "wrong camera": (wrong_camera, {FACIAL, HEAD, DEPTH}),
    "moved vertices": (moved_vertices, {FACIAL, HEAD, DEPTH}),
    "depth along the ray": (change_depth(along_the_ray), {DEPTH}),
    "depth in millimetres": (change_depth(lambda d: d * 1000), {DEPTH, Fault.BACKGROUND_DEPTH}),
    "no background": (
        change_depth(lambda d: np.where(d < BACKGROUND, d, np.inf).astype(np.float32)),
        {Fault.BACKGROUND_DEPTH},
    ),
    "not a number": (change_flow(Output.FACIAL_FLOW, not_a_number), {FACIAL}),
    "flow mirrored": (change_flow(Output.FACIAL_FLOW, lambda f: f[:, ::-1] * np.float32([-1, 1])), {FACIAL, OUTSIDE}),
    "flow backward": (change_flow(Output.HEAD_FLOW, lambda f: -f), {HEAD}),
    "flow of another sequence": (foreign_truth, {FACIAL, HEAD, MASK, DEPTH}),
    "facial and head-only images exchanged": (exchange_images, {Fault.IMAGE_EXCHANGE}),
    "images in reverse": (reverse_images, {Fault.IMAGE_MOTION}),
    "images off by one frame": (shift_frames(Output.FACIAL_IMAGE), {Fault.IMAGE_MOTION}),
    "head-only images off by one frame": (shift_frames(Output.HEAD_IMAGE), {Fault.IMAGE_MOTION}),
    "an image repeated": (repeat_image, {Fault.IMAGE_MOTION}),
    "images mirrored": (all_images(lambda image: image[:, ::-1]), {Fault.IMAGE_MOTION}),
    "images of another sequence": (foreign_images, {Fault.IMAGE_MOTION}),
    "an image shifted": (change_image(Output.FACIAL_IMAGE, shifted, 2), {Fault.IMAGE_BACKGROUND}),
    "an image with red and blue swapped": (
        change_image(Output.FACIAL_IMAGE, lambda image: image[..., ::-1], 2),
        {Fault.IMAGE_BACKGROUND},
    ),
    "an image darkened": (
        change_image(Output.HEAD_IMAGE, lambda image: image // 2, 3),
        {Fault.IMAGE_BACKGROUND},
    ),
}


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_corruption_is_named(dataset: Path, name: str) -> None:
    corrupt, expected = CORRUPTIONS[name]
    corrupt(dataset)
    sign(dataset, SMILE)
    write_manifest(dataset)
    report = verify_dataset(dataset)
    found = faults(report)
    assert expected <= found
    assert found - expected <= {Fault.SILHOUETTE, Fault.BACKGROUND_DEPTH} | (
        {OUTSIDE, MASK} if name in ("wrong camera", "moved vertices") else set()
    )
    assert all(str(SMILE) in failure.where for failure in report.failures)
    json.dumps(report.to_json(), allow_nan=False)


def rename_identity(root: Path) -> None:
    data = json.loads(metadata_path(root, CALM).read_text())
    data["identity"] = "made-000001"
    metadata_path(root, CALM).write_text(json.dumps(data))
    write_manifest(root)


def other_job(root: Path) -> None:
    data = json.loads(metadata_path(root, CALM).read_text())
    data["job_digest"] = "f" * 64
    metadata_path(root, CALM).write_text(json.dumps(data))
    write_manifest(root)


def foreign_dataset_file(root: Path) -> None:
    (root / DATASET_FILE).write_text(json.dumps({"digest": "f" * 64}))


def damaged_dataset_file(root: Path) -> None:
    (root / DATASET_FILE).write_text("[1")


def first_file(root: Path, output: Output) -> Path:
    layout = read_metadata(metadata_path(root, SMILE)).layout
    return root / layout.file(output, layout.frames(output)[0])


def truncate(root: Path) -> None:
    path = first_file(root, Output.FACIAL_FLOW)
    path.write_bytes(path.read_bytes()[:-100])


def flip_a_bit(root: Path) -> None:
    path = first_file(root, Output.FACIAL_IMAGE)
    data = bytearray(path.read_bytes())
    data[-20] ^= 1
    path.write_bytes(data)


def wrong_image_size(root: Path) -> None:
    write_atomic(first_file(root, Output.HEAD_IMAGE), encode_png(np.zeros((HEIGHT, WIDTH + 1, 3), np.uint8)))
    sign(root, SMILE)


def wrong_flow_size(root: Path) -> None:
    write_flow(first_file(root, Output.HEAD_FLOW), np.zeros((HEIGHT, WIDTH + 1, 2), np.float32))
    sign(root, SMILE)


def unlisted(root: Path) -> None:
    data = json.loads(metadata_path(root, SMILE).read_text())
    del data["files"][sorted(data["files"])[0]]
    data["files"]["../escape"] = {"bytes": 1, "sha256": "0" * 64}
    metadata_path(root, SMILE).write_text(json.dumps(data))


def bad_vertices(root: Path) -> None:
    (metadata_path(root, SMILE).parent / "vertices.npz").write_bytes(b"no archive")
    sign(root, SMILE)


def wrong_motion_scale(root: Path) -> None:
    data = json.loads(metadata_path(root, SMILE).read_text())
    data["motion_scale"] = 0.2
    metadata_path(root, SMILE).write_text(json.dumps(data))


def flip_a_digit(root: Path) -> None:
    path = metadata_path(root, SMILE)
    path.write_text(path.read_text().replace('"source": "made"', '"source": "mbde"'))


def changed_job(root: Path) -> None:
    path = root / DATASET_FILE
    path.write_text(path.read_text().replace('"seed": 0', '"seed": 1'))


def changed_row(root: Path) -> None:
    path = root / "manifest.parquet"
    rows = pq.read_table(path).to_pylist()
    rows[0]["pairs"] += 1
    pq.write_table(pa.Table.from_pylist(rows, schema=pq.read_schema(path)), path)


UNSOUND: dict[str, tuple[Callable[[Path], None], set[Fault]]] = {
    "motion scale": (wrong_motion_scale, {Fault.METADATA, Fault.STRAY_FILE, Fault.MANIFEST}),
    "a bit of the metadata": (flip_a_digit, {Fault.DIGEST}),
    "a bit of the job": (changed_job, {Fault.MIXED_JOBS}),
    "a row of the manifest": (changed_row, {Fault.MANIFEST}),
    "missing": (lambda root: first_file(root, Output.MASK).unlink(), {Fault.MISSING_FILE, Fault.UNREADABLE}),
    "truncated": (truncate, {Fault.FILE_SIZE, Fault.DIGEST, Fault.UNREADABLE}),
    "a bit": (flip_a_bit, {Fault.DIGEST, Fault.UNREADABLE}),
    "image size": (wrong_image_size, {Fault.IMAGE_SIZE}),
    "flow size": (wrong_flow_size, {Fault.UNREADABLE}),
    "stray": (lambda root: (root / "image" / "notes.txt").write_text("?") and None, {Fault.STRAY_FILE}),
    "one flow too many": (
        lambda root: shutil.copy(p := first_file(root, Output.FACIAL_FLOW), p.with_name("0009.flo")) and None,
        {Fault.STRAY_FILE},
    ),
    "split leak": (rename_identity, {Fault.SPLIT_LEAK}),
    "other job": (other_job, {Fault.MIXED_JOBS}),
    "foreign dataset.json": (foreign_dataset_file, {Fault.MIXED_JOBS}),
    "damaged dataset.json": (damaged_dataset_file, {Fault.MIXED_JOBS}),
    "file list": (unlisted, {Fault.FILE_LIST, Fault.MANIFEST}),
    "metadata": (
        lambda root: metadata_path(root, SMILE).write_text("{") and None,
        {Fault.METADATA, Fault.STRAY_FILE, Fault.MANIFEST},
    ),
    "vertices": (bad_vertices, {Fault.GEOMETRY, Fault.MANIFEST}),
    "no manifest": (lambda root: (root / "manifest.parquet").unlink(), {Fault.MISSING_FILE}),
    "damaged manifest": (lambda root: (root / "manifest.parquet").write_text("x") and None, {Fault.MANIFEST}),
}


@pytest.mark.parametrize("name", UNSOUND)
def test_unsound_dataset_is_named(dataset: Path, name: str) -> None:
    corrupt, expected = UNSOUND[name]
    corrupt(dataset)
    found = faults(verify_dataset(dataset))
    # Changed sizes of files make the manifest's byte counts stale, and changed metadata its digests.
    stale = {Fault.MANIFEST, *([Fault.DIGEST] if Fault.FILE_LIST in expected else [])}
    assert found - stale == expected - stale
    assert expected <= found | {Fault.MANIFEST}


@pytest.fixture(scope="module")
def pristine_moving(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("moving")
    write_sequence(root, SMILE, identity="made-000001", moves=True)
    write_sequence(root, CALM, identity="made-000002", neutral=True, flow_format=FlowFormat.COMPACT, moves=True)
    finish_dataset(root)
    return root


def test_truth_passes_before_a_moving_camera(pristine_moving: Path) -> None:
    report = verify_dataset(pristine_moving)
    assert report.passed, [str(failure) for failure in report.failures]
    for truth in report.truths:
        for errors in (truth.facial_flow, truth.head_flow, truth.background_flow):
            assert errors.pixels > 5000
            assert errors.max < 1e-3 and errors.p99 < 1e-4
        assert truth.depth.max < 1e-5 and truth.background_depth.max < 1e-5
    metadata = read_metadata(metadata_path(pristine_moving, SMILE))
    flow = read_flow(pristine_moving / metadata.layout.file(Output.FACIAL_FLOW, 1))
    beside = read_mask(pristine_moving / metadata.layout.file(Output.MASK, 1)) == 0
    depth = read_depth_exr(pristine_moving / metadata.layout.file(Output.DEPTH, 1))
    assert (np.abs(flow[beside]).mean(axis=0) > 0.3).all() and np.ptp(depth[beside]) > 0.01


def beside_only(change: Change) -> Callable[[Path], None]:
    """Change facial and head flow alike, beside the head."""

    def corrupt(root: Path) -> None:
        layout = read_metadata(metadata_path(root, SMILE)).layout
        for t in layout.pair_frames:
            beside = read_mask(root / layout.file(Output.MASK, t)) == 0
            for output in (Output.FACIAL_FLOW, Output.HEAD_FLOW):
                path = root / layout.file(output, t)
                flow = read_flow(path)
                write_flow(path, np.where(beside[..., None], change(flow), flow).astype(np.float32))

    return corrupt


def other_poses(change: Callable[[list[Any]], list[Any]]) -> Callable[[Path], None]:
    def corrupt(root: Path) -> None:
        data = json.loads(metadata_path(root, SMILE).read_text())
        data["camera_poses"] = change(data["camera_poses"])
        metadata_path(root, SMILE).write_text(json.dumps(data))

    return corrupt


def head_flow_apart(root: Path) -> None:
    """Head flow beside the head off by less than the bound on its error: expression flow is not 0 there."""
    layout = read_metadata(metadata_path(root, SMILE)).layout
    path = root / layout.file(Output.HEAD_FLOW, 1)
    flow, beside = read_flow(path), read_mask(root / layout.file(Output.MASK, 1)) == 0
    write_flow(path, (flow + np.float32(1e-4) * beside[..., None]).astype(np.float32))


BACK = Fault.BACKGROUND_FLOW
MOVING: dict[str, tuple[Callable[[Path], None], set[Fault]]] = {
    "the background stands still": (beside_only(lambda f: f * 0), {BACK}),
    "its flow is turned about": (beside_only(lambda f: -f), {BACK}),
    "its u and v are swapped": (beside_only(lambda f: f[..., ::-1]), {BACK}),
    "its flow is 0.2 percent too long": (beside_only(lambda f: f * np.float32(1.002)), {BACK}),
    "two flows beside the head": (head_flow_apart, {OUTSIDE}),
    "a plane that turns with the camera": (
        change_depth(lambda d: np.where(d > 2, BACKGROUND, d).astype(np.float32)),
        {Fault.BACKGROUND_DEPTH},
    ),
    "poses in another order": (other_poses(lambda poses: poses[::-1]), {FACIAL, HEAD, BACK, DEPTH}),
    "a camera that stood still": (other_poses(lambda poses: [poses[0]] * len(poses)), {FACIAL, HEAD, OUTSIDE}),
}


def test_the_noise_of_a_sensor_is_no_fault(dataset: Path) -> None:
    """A standard deviation of 4 grey levels, another in each picture."""
    rng = np.random.default_rng(3)

    def noisy(image: np.ndarray) -> np.ndarray:
        return np.clip(np.rint(image + rng.normal(scale=4, size=image.shape)), 0, 255).astype(np.uint8)

    all_images(noisy)(dataset)
    sign(dataset, SMILE)
    write_manifest(dataset)
    assert not verify_dataset(dataset).failures


@pytest.mark.parametrize("name", MOVING)
def test_corruption_before_a_moving_camera_is_named(pristine_moving: Path, tmp_path: Path, name: str) -> None:
    root = tmp_path / "dataset"
    shutil.copytree(pristine_moving, root)
    corrupt, expected = MOVING[name]
    corrupt(root)
    sign(root, SMILE)
    write_manifest(root)
    found = faults(verify_dataset(root))
    assert expected <= found
    allowed = {Fault.SILHOUETTE, Fault.BACKGROUND_DEPTH}
    if "camera that" in name or "poses" in name:
        allowed |= {OUTSIDE, MASK, DEPTH, Fault.IMAGE_MOTION, Fault.IMAGE_EXCHANGE, Fault.IMAGE_BACKGROUND}
    assert found - expected <= allowed
