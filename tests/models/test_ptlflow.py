"""Forward passes against an independent implementation, where ptlflow is installed."""

import importlib.util

import pytest
import torch

from ffngen.models import fast_forward

if importlib.util.find_spec("ptlflow") is None:
    pytest.skip("ptlflow is not installed (pip install ptlflow)", allow_module_level=True)

BOUND = 1e-4


@pytest.mark.parametrize("name", ["raft", "gma", "skflow"])
@pytest.mark.parametrize("size", [(128, 160), (136, 200)])
def test_forward_is_that_of_ptlflow(name: str, size: tuple[int, int], ptlflow, network_of, image_pair) -> None:
    network, pair = network_of(name), image_pair(*size)
    oracle = ptlflow.get_model(name).eval()
    oracle.load_state_dict(network.state_dict(), strict=True)
    oracle.iters = 12
    with torch.no_grad():
        bgr = torch.stack(pair, 1).flip(2) / 255
        expected = oracle({"images": bgr})["flows"][:, 0]
        plain = network(*pair, 12).last.facial
        fast = fast_forward(network, *pair, 12).last.facial
    assert expected.abs().max() > 1
    assert (plain - expected).abs().max() <= BOUND
    assert (fast - expected).abs().max() <= BOUND
