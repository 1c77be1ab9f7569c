import pytest
import torch

from ffngen.errors import JobError
from ffngen.models import FlowNetwork, FlowSequence, build, freeze_for_stage


def _lively(mode: str) -> FlowNetwork:
    network = build("decflow", seed=3, mode=mode)
    with torch.no_grad():
        for decoder in network.decoders():
            decoder.aggregator.gamma.fill_(0.8)
    return network


def _train(network: FlowNetwork, pair: tuple[torch.Tensor, torch.Tensor], steps: int = 3) -> None:
    """Some steps of stage 2 towards random flows, as a training loop takes them."""
    optimizer = torch.optim.AdamW([p for p in network.parameters() if p.requires_grad], lr=1e-3, weight_decay=0.1)
    generator = torch.Generator().manual_seed(0)
    for _ in range(steps):
        network.train()
        noise = [image + 20 * torch.randn(image.shape, generator=generator) for image in pair]
        flows: FlowSequence = network(*noise, 2)
        target = torch.randn(flows.facial[0].shape, generator=generator)
        head, expression = flows.last.head, flows.last.expression
        loss = (head - target).abs().mean() + (expression - target).abs().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


def _evaluated(network: FlowNetwork, pair: tuple[torch.Tensor, torch.Tensor]) -> FlowSequence:
    network.eval()
    with torch.no_grad():
        return network(*pair, 2)


def test_stage_2_of_the_paper_keeps_every_bit_of_facial_flow(image_pair) -> None:
    pair = image_pair(64, 64, 2)
    network = _lively("paper")
    freeze_for_stage(network, 2, "paper")
    before = _evaluated(network, pair)
    weights = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    _train(network, pair)
    after = _evaluated(network, pair)
    assert all(torch.equal(a, b) for a, b in zip(after.facial, before.facial, strict=True))
    assert not torch.equal(after.head[-1], before.head[-1])
    changed = {name.split(".")[0] for name, t in network.state_dict().items() if not torch.equal(t, weights[name])}
    assert changed == {"update_block_head"}
    network.train()
    with torch.no_grad():
        assert torch.equal(network(*pair, 2).facial[-1], before.facial[-1])


def test_stage_2_of_the_published_code_drifts(image_pair) -> None:
    pair = image_pair(64, 64, 2)
    network = _lively("official")
    freeze_for_stage(network, 2, "official")
    before = _evaluated(network, pair)
    weights = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    _train(network, pair)
    after = _evaluated(network, pair)
    assert (after.facial[-1] - before.facial[-1]).abs().max() > 1e-3
    changed = {name.split(".")[0] for name, t in network.state_dict().items() if not torch.equal(t, weights[name])}
    assert changed == {"update_block_head", "change_dim", "cnet", "dad_encoder", "res1"}


@pytest.mark.parametrize(
    ("stage", "mode", "trained"),
    [
        (1, "paper", {"fnet", "cnet", "att", "update_block", "change_dim", "res1"}),
        (2, "paper", {"update_block_head"}),
        (1, "official", {"fnet", "cnet", "att", "update_block", "update_block_head", "change_dim"}),
        (2, "official", {"update_block_head", "change_dim"}),
    ],
)
def test_what_each_stage_trains(stage: int, mode: str, trained: set[str]) -> None:
    network = build("decflow", mode=mode)
    freeze_for_stage(network, stage)
    network.train()
    with_gradient = {name.split(".")[0] for name, p in network.named_parameters() if p.requires_grad}
    without = {name.split(".")[0] for name, p in network.named_parameters() if not p.requires_grad}
    assert with_gradient == trained
    assert not with_gradient & without
    moving = {
        name.split(".")[0]
        for name, module in network.named_modules()
        if isinstance(module, torch.nn.BatchNorm2d) and module.training
    }
    everything = {"cnet", "dad_encoder", "res1"}
    assert moving == {"official": everything, "paper": set() if stage == 2 else everything - {"dad_encoder"}}[mode]


def test_the_semantic_encoder_of_the_paper_is_frozen_from_the_start() -> None:
    network = build("decflow").train()
    assert network.training and network.res1.bn1.training
    assert not any(module.training for module in network.dad_encoder.modules())
    assert all(module.training for module in build("decflow", mode="official").train().modules())


@pytest.mark.parametrize(("name", "stage"), [("gma", 2), ("raft", 0), ("decflow", 3), ("decflow", 0)])
def test_unknown_stages_are_refused(name: str, stage: int) -> None:
    with pytest.raises(JobError) as caught:
        freeze_for_stage(build(name), stage)
    assert "\n" not in str(caught.value)


def test_a_baseline_is_trained_whole() -> None:
    network = build("gma").requires_grad_(False)
    freeze_for_stage(network, 1)
    assert all(p.requires_grad for p in network.parameters())
