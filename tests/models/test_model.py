from pathlib import Path

import numpy as np
import pytest
import torch

from ffngen.errors import InputFileError, JobError
from ffngen.models import FlowModel, load, save


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


def test_along_a_sequence(network_of, arrays) -> None:
    model = FlowModel(network_of("raft"), iterations=1)
    frames = [*arrays, arrays[0]]
    flows = list(model.along(frames))
    assert len(flows) == 2
    np.testing.assert_array_equal(flows[1].facial, model(arrays[1], arrays[0]).facial)


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
