from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch

from ffngen.errors import InputFileError, JobError
from ffngen.models import FlowModel, Flows, ModelConfig, load, save
from ffngen.models.scaling import at_scale
from ffngen.models.tiling import BYTES_PER_PIXEL, spans, tiled


@pytest.fixture(scope="module")
def arrays() -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(0)
    first = generator.integers(0, 256, (70, 90, 3), dtype=np.uint8)
    return first, np.roll(first, 2, 1)


def test_arrays_in_arrays_out(tmp_path: Path, network_of, arrays) -> None:
    save(network_of("decflow"), tmp_path / "c.safetensors")
    flows = load(tmp_path / "c.safetensors", iterations=2)(*arrays)
    for flow in flows:
        assert flow.shape == (70, 90, 2)
        assert flow.dtype == np.float32
    np.testing.assert_array_equal(flows.expression, flows.facial - flows.head)
    tensors = [torch.from_numpy(a).permute(2, 0, 1)[None].float() for a in arrays]
    with torch.no_grad():
        expected = network_of("decflow")(*tensors, 2).last
    assert np.abs(flows.facial - expected.facial[0].permute(1, 2, 0).numpy()).max() <= 1e-4
    assert np.abs(flows.head - expected.head[0].permute(1, 2, 0).numpy()).max() <= 1e-4


def test_tensors_in_tensors_out(network_of, arrays) -> None:
    model = FlowModel(network_of("gma"), iterations=2)
    tensors = [torch.from_numpy(a).permute(2, 0, 1) for a in arrays]
    one = model(*tensors)
    batch = model(*(t[None].float() for t in tensors))
    assert one.facial.shape == (2, 70, 90)
    assert torch.equal(batch.facial[0], one.facial)
    assert one.head is None and one.expression is None
    np.testing.assert_array_equal(model(*arrays).facial, one.facial.permute(1, 2, 0))


def test_plain_path_is_the_network_itself(network_of, arrays) -> None:
    plain = FlowModel(network_of("raft"), iterations=3, plain=True)(*arrays)
    tensors = [torch.from_numpy(a).permute(2, 0, 1)[None].float() for a in arrays]
    with torch.no_grad():
        expected = network_of("raft")(*tensors, 3).last.facial[0]
    np.testing.assert_array_equal(plain.facial, expected.permute(1, 2, 0))


def test_iterations_of_a_call(network_of, arrays) -> None:
    model = FlowModel(network_of("raft"), iterations=3)
    one = model(*arrays, iterations=1).facial
    np.testing.assert_array_equal(one, FlowModel(network_of("raft"), iterations=1)(*arrays).facial)
    assert not np.array_equal(one, model(*arrays).facial)
    for bad in (0, -1, 2.5, True):
        with pytest.raises(JobError, match="iterations"):
            model(*arrays, iterations=bad)


@pytest.mark.parametrize("name", ["raft", "decflow"])
def test_along_a_sequence(name: str, network_of, arrays) -> None:
    model = FlowModel(network_of(name), iterations=2)
    frames = [*arrays, arrays[0]]
    flows = list(model.along(frames))
    assert len(flows) == 2
    for found, pair in zip(flows, ((0, 1), (1, 2)), strict=True):
        for flow, expected in zip(found, model(*(frames[i] for i in pair)), strict=True):
            assert (flow is None) == (expected is None)
            assert flow is None or np.abs(flow - expected).max() <= 1e-4


def test_frames_of_two_sizes(network_of, arrays) -> None:
    with pytest.raises(InputFileError, match=r"frame 1: 90 x 60 pixels, the first has 90 x 70"):
        list(FlowModel(network_of("raft"), iterations=1).along([arrays[0], arrays[1][:60]]))


def test_enlarged_images_give_flow_of_the_image(network_of, arrays) -> None:
    """A stand-in for a network that sees twice the size finds twice the motion."""
    seen = []

    def twice(image1: torch.Tensor, image2: torch.Tensor) -> Flows:
        seen.append(image1.shape)
        flow = torch.ones(1, 2, *image1.shape[-2:]) * torch.tensor([4.0, -6.0])[None, :, None, None]
        return Flows(flow, None, None)

    image = torch.zeros(1, 3, 35, 50)
    flows = at_scale(twice, image, image, 2.0)
    assert seen == [(1, 3, 70, 100)]
    assert flows.facial.shape == (1, 2, 35, 50)
    assert torch.allclose(flows.facial[0, :, 7, 8], torch.tensor([2.0, -3.0]))
    assert flows.head is None
    network = network_of("raft")
    config = network.config
    try:
        network.config = config.model_copy(update={"input_scale": 2.0})
        model = FlowModel(network, iterations=1)
        (along,) = model.along(arrays)
        flows = model(*arrays)
    finally:
        network.config = config
    assert flows.facial.shape == (70, 90, 2)
    assert np.abs(flows.facial - along.facial).max() <= 1e-4


def test_an_untrained_head_decoder_gives_no_flow(tmp_path: Path, network_of, arrays) -> None:
    network = network_of("decflow")
    config = network.config
    try:
        network.config = config.model_copy(update={"facial_only": True})
        save(network, tmp_path / "c.safetensors")
    finally:
        network.config = config
    model = load(tmp_path / "c.safetensors", iterations=1)
    for flows in (model(*arrays), *model.along(arrays)):
        assert flows.facial.shape == (70, 90, 2)
        assert flows.head is None
        assert flows.expression is None


@pytest.mark.parametrize("size", [(300, 420), (256, 700), (530, 260)])
def test_tiles_are_the_whole(size: tuple[int, int]) -> None:
    """A stand-in whose flow depends on the pixel's colour alone is found whole, and every pixel is covered."""

    class ByColour:
        config = ModelConfig(network="raft")

        def __call__(self, image1: np.ndarray, image2: np.ndarray) -> Flows:
            assert image1.shape[0] <= 256 and image1.shape[1] <= 256
            flow = image1[..., :2].astype(np.float32)
            return Flows(flow, None, None)

    image = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
    bound = 256**2 * BYTES_PER_PIXEL / 2**30
    flows = tiled(ByColour(), image, image, bound)
    np.testing.assert_allclose(flows.facial, image[..., :2], atol=1e-3)
    assert flows.head is None


def test_a_bound_without_room_for_a_tile(network_of) -> None:
    image = np.zeros((600, 600, 3), np.uint8)
    with pytest.raises(JobError, match="too few for a tile"):
        tiled(FlowModel(network_of("raft")), image, image, 1e-3)


@pytest.mark.parametrize(("length", "side"), [(100, 100), (101, 100), (1000, 256), (700, 256)])
def test_spans_cover_and_overlap(length: int, side: int) -> None:
    parts = spans(length, side)
    assert parts[0].start == 0
    assert parts[-1].stop == length
    assert all(part.stop - part.start <= side for part in parts)
    assert all(b.start <= a.stop - side // 4 + 1 for a, b in pairwise(parts))


GOOD = np.zeros((70, 90, 3), np.uint8)


@pytest.mark.parametrize(
    ("first", "second", "words"),
    [
        (GOOD, GOOD[:60], "the images are"),
        (GOOD, torch.zeros(3, 70, 90), "the images are"),
        (GOOD.astype(np.float32), GOOD, "image1: not an image: ndarray float32"),
        (GOOD[..., 0], GOOD, "image1: not an image"),
        (np.zeros((70, 90, 4), np.uint8), GOOD, "image1: not an image"),
        (GOOD[:0], GOOD[:0], "image1: not an image"),
        (torch.zeros(70, 90, 3), GOOD, "image1: not an image"),
        (torch.zeros(1, 1, 3, 9, 9), GOOD, "image1: not an image"),
        (torch.zeros(3, 70, 90), torch.full((3, 70, 90), float("nan")), "image2: .* not finite"),
        (None, GOOD, "image1: not an image: NoneType"),
        ([[1]], GOOD, "image1: not an image: list"),
    ],
)
def test_what_is_no_pair_of_images(first, second, words: str, network_of) -> None:
    with pytest.raises(InputFileError, match=words) as caught:
        FlowModel(network_of("raft"), iterations=1)(first, second)
    assert "\n" not in str(caught.value)
