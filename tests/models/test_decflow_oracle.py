"""DecFlow as a whole against parts of other people's making: ptlflow's GMA and pytorchcv's ResNet-50.

The oracle is ptlflow's GMA whose context network is replaced by its own one, fused with pytorchcv's encoder by a
residual block written down here anew; facial and head flow are its outputs with either decoder's weights.
"""

import importlib.util

import pytest
import torch
from torch import nn

from ffngen.models import DecFlow, EncoderInput, Mode, fast_forward

for package in ("ptlflow", "pytorchcv"):
    if importlib.util.find_spec(package) is None:
        pytest.skip(f"{package} is not installed (pip install {package})", allow_module_level=True)

BOUND = 1e-4


class FusedContext(nn.Module):
    """Equation 5 of the paper, with the published code's input range for both encoders."""

    def __init__(self, cnet: nn.Module, weights: dict[str, torch.Tensor]) -> None:
        super().__init__()
        resnet = importlib.import_module("pytorchcv.models.resnet").resnet50()
        own = {}
        for name, tensor in weights.items():
            if name.startswith("dad_encoder.model."):
                index, _, rest = name.removeprefix("dad_encoder.model.").partition(".")
                own[f"{('init_block', 'stage1', 'stage2', 'stage3')[int(index)]}.{rest}"] = tensor
        missing = resnet.features.load_state_dict(own, strict=False)
        assert not missing.unexpected_keys
        self.cnet, self.features, self.weights = cnet, resnet.features, weights

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        semantic = self.features.stage2(self.features.stage1(self.features.init_block(image)))
        w = self.weights
        semantic = nn.functional.conv2d(semantic, w["change_dim.weight"], w["change_dim.bias"])
        both = torch.cat([self.cnet(image), semantic], 1)
        y = self._norm(nn.functional.conv2d(both, w["res1.conv1.weight"], padding=1), "res1.bn1").relu()
        y = self._norm(nn.functional.conv2d(y, w["res1.conv2.weight"], padding=1), "res1.bn2")
        skip = self._norm(nn.functional.conv2d(both, w["res1.adjustment.0.weight"]), "res1.adjustment.1")
        return (y + skip).relu()

    def _norm(self, x: torch.Tensor, name: str) -> torch.Tensor:
        mean, var, weight, bias = (
            self.weights[f"{name}.{part}"] for part in ("running_mean", "running_var", "weight", "bias")
        )
        return nn.functional.batch_norm(x, mean, var, weight, bias)


def test_both_decoders_are_the_oracles(ptlflow, network_of, image_pair) -> None:
    network = DecFlow(Mode.OFFICIAL, EncoderInput.SYMMETRIC).eval()
    network.load_state_dict(network_of("decflow").state_dict())
    weights = network.state_dict()
    pair = image_pair(128, 160)
    bgr = torch.stack(pair, 1).flip(2) / 255
    with torch.no_grad():
        plain = network(*pair, 12).last
        fast = fast_forward(network, *pair, 12).last
    for decoder, ours, quick in (
        ("update_block", plain.facial, fast.facial),
        ("update_block_head", plain.head, fast.head),
    ):
        oracle = ptlflow.get_model("gma").eval()
        own = {n: t for n, t in weights.items() if n.partition(".")[0] in ("fnet", "cnet", "att")}
        own |= {n.replace(decoder, "update_block", 1): t for n, t in weights.items() if n.startswith(f"{decoder}.")}
        oracle.load_state_dict(own, strict=True)
        oracle.iters = 12
        oracle.cnet = FusedContext(oracle.cnet, weights).eval()
        with torch.no_grad():
            expected = oracle({"images": bgr})["flows"][:, 0]
        assert expected.abs().max() > 1
        assert (ours - expected).abs().max() <= BOUND
        assert (quick - expected).abs().max() <= BOUND
