import pytest
import torch

from ffngen.models import build, fast_forward, freeze_for_stage
from ffngen.models.fast import HoistedGRU, encode, needs_low_memory, refine_together

NAMES = ("raft", "gma", "skflow", "srflownet", "decflow")
BOUND = 1e-4


@pytest.mark.parametrize("low_memory", [False, True])
@pytest.mark.parametrize("name", NAMES)
def test_fast_is_plain(name: str, low_memory: bool, network_of, image_pair) -> None:
    network, pair = network_of(name), image_pair(100, 125, 2)
    with torch.no_grad():
        plain = network(*pair, 5)
        fast = fast_forward(network, *pair, 5, low_memory=low_memory)
    assert len(fast.facial) == 1
    assert plain.last.facial.abs().max() > 1
    for flow, expected in zip(fast.last, plain.last, strict=True):
        assert (flow is None) == (expected is None)
        if flow is not None:
            assert (flow - expected).abs().max() <= BOUND


def test_every_iteration_is_plain(network_of, image_pair) -> None:
    network, pair = network_of("decflow"), image_pair(64, 80)
    with torch.no_grad():
        plain = network(*pair, 4)
        fast = fast_forward(network, *pair, 4, every_iteration=True)
        facial = fast_forward(network, *pair, 4, facial_only=True)
    assert len(fast.facial) == len(fast.head) == 4
    for flow, expected in zip(fast.facial + fast.head, plain.facial + plain.head, strict=True):
        assert (flow - expected).abs().max() <= BOUND
    assert facial.head is None
    assert (facial.facial[0] - plain.facial[-1]).abs().max() <= BOUND


def test_gradients_are_plain(network_of, image_pair) -> None:
    network, pair = network_of("decflow"), image_pair(64, 64)
    parameters = [p for p in network.parameters() if p.requires_grad]

    def gradients(flows) -> list[torch.Tensor]:
        loss = sum(f.square().mean() + h.abs().mean() for f, h in zip(flows.facial, flows.head, strict=True))
        return [g for g in torch.autograd.grad(loss, parameters, allow_unused=True) if g is not None]

    plain = gradients(network(*pair, 3))
    fast = gradients(fast_forward(network, *pair, 3, every_iteration=True, low_memory=False))
    assert len(plain) == len(fast) > 100
    for found, expected in zip(fast, plain, strict=True):
        assert (found - expected).abs().max() <= 1e-4 + 1e-3 * expected.abs().max()


@pytest.mark.parametrize("batched", [False, True])
def test_a_frozen_decoder_is_no_part_of_the_backward_pass(batched: bool, image_pair) -> None:
    """Stage 2: only the head decoder learns; its gradients are the plain path's."""
    torch.manual_seed(0)
    network = build("decflow")
    with torch.no_grad():
        for decoder in network.decoders():
            decoder.aggregator.gamma.fill_(0.7)
    freeze_for_stage(network, 2)
    pair = image_pair(64, 64)
    parameters = [p for p in network.parameters() if p.requires_grad]

    def gradients(facial, head) -> tuple[torch.Tensor, ...]:
        assert not any(flow.requires_grad for flow in facial)
        return torch.autograd.grad(sum((f - h).abs().mean() for f, h in zip(facial, head, strict=True)), parameters)

    plain = network(*pair, 3)
    encoded = encode(network, *pair, low_memory=False)
    fast = refine_together(
        network.decoders(), network.att, encoded, 3, every_iteration=True, low_memory=False, batched=batched
    )
    for found, expected in zip(gradients(*fast), gradients(plain.facial, plain.head), strict=True):
        assert (found - expected).abs().max() <= 1e-4 + 1e-3 * expected.abs().max()


@pytest.mark.parametrize("low_memory", [False, True])
def test_batched_decoders_are_the_decoders(low_memory: bool, network_of, image_pair) -> None:
    network = network_of("decflow")
    images = image_pair(64, 80, 2)
    with torch.no_grad():
        encoded = encode(network, *images, low_memory=low_memory)
        single, together = (
            refine_together(
                network.decoders(),
                network.att,
                encoded,
                3,
                every_iteration=True,
                low_memory=low_memory,
                batched=batched,
            )
            for batched in (False, True)
        )
    for found, expected in zip(together, single, strict=True):
        for flow, other in zip(found, expected, strict=True):
            assert (flow - other).abs().max() <= BOUND


def test_hoisted_gru_is_the_gru(network_of) -> None:
    gru = network_of("gma").update_block.gru
    generator = torch.Generator().manual_seed(0)
    hidden, context, motion, shared = (torch.randn(2, 128, 6, 7, generator=generator) for _ in range(4))
    with torch.no_grad():
        expected = gru(hidden, torch.cat([context, motion, shared], 1))
        found = HoistedGRU(gru, context)(hidden, torch.cat([motion, shared], 1))
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)


def test_memory_is_spared_above_a_size() -> None:
    assert not needs_low_memory(torch.empty(1, 3, 480, 480, device="meta"))
    assert needs_low_memory(torch.empty(1, 3, 1024, 1024, device="meta"))
