"""Augmentation is an equivariance: the flow of augmented images is the augmented flow."""

import cv2
import numpy as np
import pytest

from ffngen.training.augment import Augmentation, Colour, Window, centre_crop, draw, show
from ffngen.training.config import AugmentConfig
from ffngen.training.sample import LazySample, Rows, Sample

SIZE = (90, 70)


def affine(shape: tuple[int, int]) -> np.ndarray:
    """An affine flow, which bilinear resampling keeps exactly: u, v = A (x, y) + b."""
    y, x = np.mgrid[: shape[0], : shape[1]].astype(np.float64)
    return np.stack([0.03 * x - 0.02 * y + 1.5, 0.01 * x + 0.04 * y - 2], -1).astype(np.float32)


def smooth_image(shape: tuple[int, int], seed: int) -> np.ndarray:
    coarse = np.random.default_rng(seed).integers(0, 256, (shape[0] // 10, shape[1] // 10, 3), dtype=np.uint8)
    return cv2.resize(coarse, shape[::-1], interpolation=cv2.INTER_CUBIC)


def sample(size: tuple[int, int] = SIZE) -> Sample:
    shape = size[::-1]
    valid = np.ones(shape, dtype=bool)
    valid[5:9, 10:15] = False
    mask = np.zeros(shape, dtype=bool)
    mask[20:50, 30:60] = True
    facial = np.where(valid[..., None], affine(shape), np.float32(0))
    head = np.where(valid[..., None], 0.5 * affine(shape), np.float32(0))
    return Sample(smooth_image(shape, 0), smooth_image(shape, 1), facial, head, valid, mask)


def lazy(whole: Sample) -> tuple[LazySample, list[Rows]]:
    asked: list[Rows] = []

    def read(rows: Rows) -> Sample:
        asked.append(rows)
        parts = (whole.image1, whole.image2, whole.facial, whole.head, whole.valid, whole.mask)
        return Sample(*(part[rows.slice] for part in parts))

    return LazySample(*whole.valid.shape, read), asked


def source_point(window: Window, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where in the source a pixel of the output lies: centres of pixels are at integers."""
    if window.flip_x:
        x = window.out_width - 1 - x
    if window.flip_y:
        y = window.out_height - 1 - y
    return (
        (x + 0.5) * window.width / window.out_width - 0.5 + window.x,
        (y + 0.5) * window.height / window.out_height - 0.5 + window.y,
    )


@pytest.mark.parametrize("shift", [(0, 0), (5, -3)])
@pytest.mark.parametrize("flips", [(False, False), (True, False), (False, True), (True, True)])
@pytest.mark.parametrize(
    "rectangle", [(10, 8, 48, 48), (3, 2, 60, 36), (20, 10, 33, 51), (-10, 8, 110, 48), (10, -30, 40, 130)]
)
def test_flow_leads_where_the_source_flow_leads(
    flips: tuple[bool, bool], rectangle: tuple[int, int, int, int], shift: tuple[int, int]
) -> None:
    """A pixel and the end of its flow, taken back to the source, are a source point and the end of its flow."""
    whole = sample()
    window = Window(*rectangle, 48, 48, *flips, *shift)
    rows = window.rows(SIZE[1])
    shown = show(lazy(whole)[0].read(rows), window, rows, SIZE[1])
    y, x = np.mgrid[:48, :48].astype(np.float64)
    start = source_point(window, x, y)
    valid = shown.valid
    assert valid.sum() > 300
    true = np.stack([0.03 * start[0] - 0.02 * start[1] + 1.5, 0.01 * start[0] + 0.04 * start[1] - 2], -1)
    for flow, factor in ((shown.facial, 1.0), (shown.head, 0.5)):
        end = source_point(window.second, x + flow[..., 0], y + flow[..., 1])
        moved = np.stack([end[0] - start[0], end[1] - start[1]], -1)
        assert np.abs(moved - factor * true)[valid].max() < 2e-5
        assert not flow[~valid].any()


@pytest.mark.parametrize("shift", [(0, 0), (6, -4)])
def test_images_and_masks_go_with_the_flow(shift: tuple[int, int]) -> None:
    """The pixel that the flow starts from shows what the source shows there."""
    whole = sample()
    window = Window(11, 7, 60, 40, 48, 52, True, False, *shift)
    rows = window.rows(SIZE[1])
    shown = show(lazy(whole)[0].read(rows), window, rows, SIZE[1])
    y, x = np.mgrid[:52, :48].astype(np.float64)
    start = source_point(window, x, y)
    maps = [np.clip(part, 0, side - 1).astype(np.float32) for part, side in zip(start, SIZE, strict=True)]
    for image, source, offset in ((shown.image1, whole.image1, (0, 0)), (shown.image2, whole.image2, shift)):
        moved = [part + np.float32(by) for part, by in zip(maps, offset, strict=True)]
        expected = cv2.remap(source, *moved, cv2.INTER_LINEAR).astype(int)
        assert np.abs(image.astype(int) - expected)[2:-2, 2:-2].max() <= 6
    expected_mask = cv2.remap(whole.mask.astype(np.float32), *maps, cv2.INTER_LINEAR)
    certain = np.abs(expected_mask - 0.5) > 0.49
    assert (shown.mask == (expected_mask > 0.5))[certain].all()
    near_invalid = cv2.remap(whole.valid.astype(np.float32), *maps, cv2.INTER_LINEAR) < 1 - 1e-3
    assert not shown.valid[near_invalid].any()


def test_only_the_rows_of_the_crop_are_read() -> None:
    source, asked = lazy(sample())
    window = Window(10, 30, 40, 20, 40, 20)
    result = Augmentation(window, None, ())(source)
    assert asked == [Rows(30, 50)]
    np.testing.assert_array_equal(result.image1, sample().image1[30:50, 10:50])
    np.testing.assert_array_equal(result.facial, sample().facial[30:50, 10:50])


@pytest.mark.parametrize("size", [(20, 300), (300, 20), (30, 30), (97, 61)])
def test_any_size_gives_the_crop(size: tuple[int, int]) -> None:
    whole = sample((max(size[0], 61), max(size[1], 51)))
    parts = (whole.image1, whole.image2, whole.facial, whole.head, whole.valid, whole.mask)
    whole = Sample(*(part[: size[1], : size[0]] for part in parts))
    for seed in range(20):
        result = draw(AugmentConfig(shift_probability=0.7, max_shift=30), size, (64, 48), np.random.default_rng(seed))(
            lazy(whole)[0]
        )
        assert result.image1.shape == result.image2.shape == (48, 64, 3)
        assert result.facial.shape == result.head.shape == (48, 64, 2)
        assert result.valid.shape == result.mask.shape == (48, 64)
        assert result.image1.dtype == np.uint8
        assert result.facial.dtype == np.float32
        assert not result.facial[~result.valid].any()
        assert np.isfinite(result.facial).all()


def test_padding_is_not_valid() -> None:
    result = centre_crop(SIZE, (110, 90))(lazy(sample())[0])
    inside = np.zeros((90, 110), dtype=bool)
    inside[10:80, 10:100] = sample().valid
    np.testing.assert_array_equal(result.valid, inside)
    np.testing.assert_array_equal(result.image1[10:80, 10:100], sample().image1)
    assert not result.mask[:10].any()


def test_without_augmentation_nothing_changes() -> None:
    result = centre_crop(SIZE, SIZE)(lazy(sample())[0])
    for name in ("image1", "image2", "facial", "head", "valid", "mask"):
        np.testing.assert_array_equal(getattr(result, name), getattr(sample(), name))


def test_one_seed_one_result() -> None:
    def once(seed: int) -> Sample:
        return draw(AugmentConfig(), SIZE, (64, 48), np.random.default_rng(seed))(lazy(sample())[0])

    for name in ("image1", "image2", "facial", "head", "valid", "mask"):
        np.testing.assert_array_equal(getattr(once(5), name), getattr(once(5), name))
    assert not np.array_equal(once(5).image1, once(6).image1)


def test_colours_are_asymmetric_as_often_as_asked() -> None:
    always, never = (AugmentConfig(asymmetric_probability=p) for p in (1.0, 0.0))
    for seed in range(5):
        first, second = draw(always, SIZE, (48, 48), np.random.default_rng(seed)).colours
        assert not np.allclose(first.matrix, second.matrix)
        first, second = draw(never, SIZE, (48, 48), np.random.default_rng(seed)).colours
        np.testing.assert_array_equal(first.matrix, second.matrix)


def test_grey_stays_grey_and_brightness_scales() -> None:
    config = AugmentConfig(brightness=0, contrast=0, saturation=0.4, hue=0.4)
    grey = np.full((4, 4, 3), 100, dtype=np.uint8)
    for seed in range(5):
        colour = draw(config, SIZE, (48, 48), np.random.default_rng(seed)).colours[0]
        assert np.abs(colour(grey).astype(int) - 100).max() <= 1
    doubled = Colour(2 * np.eye(3), np.zeros(3))
    np.testing.assert_array_equal(doubled(grey), 200)


def test_erased_parts_are_the_second_images_alone() -> None:
    whole = sample()
    augmentation = Augmentation(Window(0, 0, *SIZE, *SIZE), None, ((20, 10, 15, 12),))
    result = augmentation(lazy(whole)[0])
    np.testing.assert_array_equal(result.image1, whole.image1)
    part = result.image2[10:22, 20:35]
    assert (part == part[0, 0]).all()
    assert np.abs(part[0, 0] - whole.image2.reshape(-1, 3).mean(0)).max() <= 1
    np.testing.assert_array_equal(result.image2[:10], whole.image2[:10])
    np.testing.assert_array_equal(result.facial, whole.facial)


@pytest.mark.parametrize("fields", [{"min_scale": 1, "max_scale": 0}, {"eraser_side": (9, 3)}, {"hue": 2}, {"x": 1}])
def test_faulty_settings_are_refused(fields: dict) -> None:
    with pytest.raises(ValueError):
        AugmentConfig(**fields)
