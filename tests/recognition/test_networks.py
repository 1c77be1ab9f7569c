"""The classifiers' forms."""

from __future__ import annotations

import torch
from torch import nn

from ffngen.recognition.classifier import classifier_settings
from ffngen.recognition.mmnet import AttentionBlock, MMNet
from ffngen.recognition.ststnet import FILTERS, STSTNet


class ThreeStreams(nn.Module):
    """STSTNet as it is drawn: three convolutions with 3, 5 and 8 filters, each with all that follows."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.streams = nn.ModuleList(
            nn.Sequential(nn.Conv2d(3, n, 3, padding=2), nn.ReLU(), nn.BatchNorm2d(n), nn.MaxPool2d(3, 3, 1))
            for n in (3, 5, 8)
        )
        self.head = nn.Linear(400, classes)

    def forward(self, motion: torch.Tensor) -> torch.Tensor:
        joined = torch.cat([stream(motion) for stream in self.streams], 1)
        return self.head(nn.functional.avg_pool2d(joined, 2).flatten(1))


def test_one_convolution_is_the_three_streams() -> None:
    torch.manual_seed(0)
    drawn, ours = ThreeStreams(5), STSTNet(5)
    with torch.no_grad():
        start = 0
        for stream, filters in zip(drawn.streams, FILTERS, strict=True):
            here = slice(start, start + filters)
            for name in ("weight", "bias"):
                getattr(ours.streams[0], name)[here] = getattr(stream[0], name)
            start += filters
        ours.head.load_state_dict(drawn.head.state_dict())
    motion = torch.randn(7, 3, 28, 28)
    ours.streams[4].p = 0.0
    torch.testing.assert_close(ours(motion, torch.zeros(7, 3, 14, 14)), drawn(motion))
    # As published: 16 filters of 3 x 3 x 3 with biases, batch norm, and 400 features to the classes.
    assert sum(p.numel() for p in ours.parameters()) == 16 * 28 + 2 * 16 + 401 * 5


def test_mmnet_at_the_published_width() -> None:
    network = MMNet(3, width=1.0)
    assert network.stem[0].out_channels == 180
    assert [block.body[0].out_channels for block in network.blocks] == [128, 128, 256, 512]
    assert network.head[2].in_features == 512 * 196


def test_mmnet_uses_motion_and_face() -> None:
    torch.manual_seed(0)
    network = MMNet(3).eval()
    motion, face = torch.randn(2, 3, 224, 224), torch.rand(2, 3, 14, 14)
    logits = network(motion, face)
    assert logits.shape == (2, 3)
    assert not torch.allclose(logits, network(torch.zeros_like(motion), face))
    assert not torch.allclose(logits, network(motion, torch.zeros_like(face)))


def test_attention_goes_on() -> None:
    """A place where the attention before is 0 has none, and no features."""
    block = AttentionBlock(4, 4, 2).eval()
    before = torch.ones(1, 1, 8, 8)
    before[..., :4, :] = 0
    features, attention = block(torch.randn(1, 4, 8, 8), before)
    assert attention.shape == (1, 1, 4, 4)
    assert not attention[..., :2, :].any()
    assert not features[..., :2, :].any()
    assert attention[..., 2:, :].all()


def test_settings() -> None:
    settings = classifier_settings("mmnet", epochs=3, width=0.5, augment=False)
    assert (settings.epochs, settings.width, settings.augment, settings.size) == (3, 0.5, False, 224)
    assert classifier_settings("ststnet").learning_rate == 2e-3
