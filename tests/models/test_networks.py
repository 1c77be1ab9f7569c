import pytest
import torch

from ffngen.errors import JobError
from ffngen.models import FlowNetwork, Mode, build

SIZES = {
    "raft": (5_257_536, 179),
    "gma": (5_879_873, 185),
    "skflow": (6_273_149, 245),
    "srflownet": (6_273_149, 245),
    "decflow": (20_085_442, 495),
}

#: Parameters and keys of each part of the published DecFlow.
DECFLOW_PARTS = {
    "fnet": (1_066_848, 32),
    "cnet": (1_069_728, 117),
    "update_block": (3_628_865, 32),
    "update_block_head": (3_628_865, 32),
    "att": (114_432, 4),
    "dad_encoder": (8_543_296, 258),
    "change_dim": (131_328, 2),
    "res1": (1_902_080, 18),
}

SHAPES = {
    "cnet.layer2.0.downsample.1.running_var": (96,),
    "cnet.layer2.0.norm3.num_batches_tracked": (),
    "fnet.conv2.weight": (256, 128, 1, 1),
    "update_block.encoder.convc1.weight": (256, 324, 1, 1),
    "update_block.encoder.convf1.weight": (128, 2, 7, 7),
    "update_block.encoder.conv.weight": (126, 256, 3, 3),
    "update_block.gru.convz1.weight": (128, 512, 1, 5),
    "update_block_head.gru.convq2.bias": (128,),
    "update_block.flow_head.conv2.weight": (2, 256, 3, 3),
    "update_block.mask.2.weight": (576, 256, 1, 1),
    "update_block_head.aggregator.gamma": (1,),
    "update_block.aggregator.to_v.weight": (128, 128, 1, 1),
    "att.to_qk.weight": (256, 128, 1, 1),
    "att.pos_emb.rel_height.weight": (319, 128),
    "att.pos_emb.rel_ind": (160, 160),
    "dad_encoder.model.0.conv.conv.weight": (64, 3, 7, 7),
    "dad_encoder.model.1.unit1.identity_conv.bn.weight": (256,),
    "dad_encoder.model.2.unit4.body.conv2.conv.weight": (128, 128, 3, 3),
    "dad_encoder.model.3.unit6.body.conv3.bn.running_mean": (1024,),
    "res1.conv1.weight": (256, 512, 3, 3),
    "res1.adjustment.1.bias": (256,),
    "change_dim.bias": (256,),
}

SKFLOW_SHAPES = {
    "update_block.encoder.convc1.conv_list.1.weight": (324, 1, 15, 15),
    "update_block.encoder.convc2.ffn2.2.weight": (192, 384, 1, 1),
    "update_block.gru.conv_list.1.weight": (512, 1, 7, 7),
    "update_block.gru.ffn1.0.weight": (768, 512, 1, 1),
    "update_block.flow_head.ffn2.2.weight": (2, 192, 1, 1),
    "update_block.flow_head.pw.bias": (128,),
}


@pytest.mark.parametrize("name", SIZES)
def test_parameters_and_keys_are_the_published_ones(name: str, network_of) -> None:
    network = network_of(name)
    assert (sum(p.numel() for p in network.parameters()), len(network.state_dict())) == SIZES[name]


def test_each_part_of_decflow_has_its_published_size(network_of) -> None:
    parts = dict(network_of("decflow").named_children())
    sizes = {name: (sum(p.numel() for p in m.parameters()), len(m.state_dict())) for name, m in parts.items()}
    assert sizes == DECFLOW_PARTS


@pytest.mark.parametrize(
    ("name", "shapes"), [("decflow", SHAPES), ("skflow", SKFLOW_SHAPES), ("srflownet", SKFLOW_SHAPES)]
)
def test_names_and_shapes_are_the_published_ones(name: str, shapes: dict[str, tuple[int, ...]], network_of) -> None:
    weights = network_of(name).state_dict()
    assert {key: tuple(weights[key].shape) for key in shapes} == shapes


@pytest.mark.parametrize("name", SIZES)
def test_one_flow_an_iteration_and_the_same_each_time(name: str, network_of, image_pair) -> None:
    network: FlowNetwork = network_of(name)
    pair = image_pair(64, 80, 2)
    with torch.no_grad():
        flows, again = network(*pair, 3), network(*pair, 3)
    assert [flow.shape for flow in flows.facial] == [(2, 2, 64, 80)] * 3
    assert (flows.head is not None) == (name == "decflow")
    assert torch.equal(flows.facial[-1], again.facial[-1])
    assert flows.facial[0].abs().max() > 0.1
    assert not torch.equal(flows.facial[0], flows.facial[1])


def test_expression_flow_is_facial_minus_head_flow(network_of, image_pair) -> None:
    with torch.no_grad():
        flows = network_of("decflow")(*image_pair(64, 64), 2)
    assert flows.head is not None and flows.expression is not None
    assert torch.equal(flows.expression[0], flows.facial[0] - flows.head[0])
    assert torch.equal(flows.last.expression, flows.facial[1] - flows.head[1])
    assert not torch.equal(flows.facial[1], flows.head[1])


@pytest.mark.parametrize("size", [(1, 1), (40, 200), (65, 79), (100, 127), (128, 160)])
def test_any_size(size: tuple[int, int], network_of, image_pair) -> None:
    with torch.no_grad():
        flow = network_of("gma")(*image_pair(*size), 2).last.facial
    assert flow.shape == (1, 2, *size)
    assert torch.isfinite(flow).all()


def test_each_image_of_a_batch_is_on_its_own(network_of, image_pair) -> None:
    network = network_of("decflow")
    first, second = image_pair(64, 64, 2)
    with torch.no_grad():
        together = network(first, second, 2).last
        alone = network(first[1:], second[1:], 2).last
    torch.testing.assert_close(together.head[1:], alone.head, atol=1e-4, rtol=0)


def test_attention_takes_part(network_of, image_pair) -> None:
    network = network_of("gma")
    pair = image_pair(64, 64)
    gamma = network.update_block.aggregator.gamma
    with torch.no_grad():
        with_it = network(*pair, 2).last.facial
        gamma.fill_(0)
        without = network(*pair, 2).last.facial
        gamma.fill_(0.8)
    assert (with_it - without).abs().max() > 1e-3


def test_the_seed_decides_the_weights_and_nothing_else() -> None:
    torch.manual_seed(5)
    before = torch.random.get_rng_state()
    one, same, other = build("gma", seed=0), build("gma", seed=0), build("gma", seed=1)
    assert torch.equal(torch.random.get_rng_state(), before)
    weight = "update_block.gru.convz1.weight"
    assert torch.equal(one.state_dict()[weight], same.state_dict()[weight])
    assert not torch.equal(one.state_dict()[weight], other.state_dict()[weight])


def test_decflow_says_what_it_is() -> None:
    network = build("decflow", mode="official")
    assert network.config.mode is Mode.OFFICIAL
    assert network.config.encoder_input == "symmetric"
    assert str(network.config.encoder_weights) == "random"
    assert not any(p.requires_grad for p in network.res1.parameters())
    assert not any(p.requires_grad for p in network.dad_encoder.parameters())
    assert all(p.requires_grad for p in build("decflow").res1.parameters())


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("flownet", {}),
        ("", {}),
        ("raft", {"mode": "paper"}),
        ("gma", {"encoder_source": "imagenet"}),
        ("decflow", {"mode": "both"}),
        ("decflow", {"encoder_weights": "x.pth"}),
        ("decflow", {"encoder_source": "imagenet"}),
        ("decflow", {"encoder_weights": "x.pth", "encoder_source": "clip"}),
    ],
)
def test_what_build_refuses(name: str, options: dict[str, str]) -> None:
    with pytest.raises(JobError) as caught:
        build(name, **options)
    assert "\n" not in str(caught.value)
