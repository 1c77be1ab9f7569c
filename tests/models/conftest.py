"""Small images, and networks whose every part has an effect."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
import torch
from torch import Tensor

from ffngen.models import FlowNetwork, build


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def enliven(network: FlowNetwork) -> FlowNetwork:
    """Attention that counts (gamma is 0 in a fresh network) and batch norms that do something."""
    generator = torch.Generator().manual_seed(7)
    for name, tensor in network.state_dict().items():
        if name.endswith("gamma"):
            tensor.fill_(0.8)
        elif name.endswith("running_mean"):
            tensor.copy_(0.1 * torch.randn(tensor.shape, generator=generator))
        elif name.endswith("running_var"):
            tensor.copy_(0.5 + torch.rand(tensor.shape, generator=generator))
    return network


@pytest.fixture(scope="session")
def network_of() -> Callable[[str], FlowNetwork]:
    """A lively network in evaluation mode, by name; shared, so not to be changed."""
    made: dict[str, FlowNetwork] = {}

    def get(name: str) -> FlowNetwork:
        if name not in made:
            made[name] = enliven(build(name, seed=3)).eval()
        return made[name]

    return get


@pytest.fixture(scope="session")
def image_pair() -> Callable[..., tuple[Tensor, Tensor]]:
    """Two smooth random images (B, 3, height, width), RGB 0..255, of which the second is the first moved."""

    def make(height: int = 128, width: int = 160, batch: int = 1) -> tuple[Tensor, Tensor]:
        generator = torch.Generator().manual_seed(11)
        coarse = torch.rand(batch, 3, height // 6 + 4, width // 6 + 4, generator=generator)
        fine = torch.nn.functional.interpolate(coarse, size=(height + 4, width + 4), mode="bicubic")
        fine = fine.clamp(0, 1).mul(255).round()
        return fine[..., :height, :width].contiguous(), fine[..., 2 : height + 2, 3 : width + 3].contiguous()

    return make


@pytest.fixture(scope="session")
def ptlflow():
    """The package, for tests that have found it installed."""
    from ffngen.estimators.ptlflow import import_ptlflow

    return import_ptlflow()
