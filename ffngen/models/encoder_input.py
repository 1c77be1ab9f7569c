"""How an image reaches the facial semantic encoder: as the encoder's weights were trained to see it."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional

from ffngen.models.config import EncoderInput
from ffngen.models.coordinates import STRIDE, pixel_grid, to_symmetric_range
from ffngen.models.resnet import SemanticEncoder

#: Mean and standard deviation of ImageNet's RGB in 0..1, with which both encoders were trained.
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)

#: DAD-3DHeads sees square images of this side, the image's longer side fitted, black around it.
DAD_SIDE = 256


def semantic_features(encoder: SemanticEncoder, image: Tensor, how: EncoderInput) -> Tensor:
    """Features (B, 512, H/8, W/8) of an image (B, 3, H, W) of RGB 0..255, both sides multiples of eight."""
    if how is EncoderInput.SYMMETRIC:
        return encoder(to_symmetric_range(image))
    if how is EncoderInput.IMAGENET:
        return encoder(_imagenet_range(image))
    return _features_at_dad_scale(encoder, image)


def _imagenet_range(image: Tensor) -> Tensor:
    mean = image.new_tensor(IMAGENET_MEAN)[:, None, None]
    std = image.new_tensor(IMAGENET_STD)[:, None, None]
    return (image / 255 - mean) / std


def _features_at_dad_scale(encoder: SemanticEncoder, image: Tensor) -> Tensor:
    height, width = image.shape[-2:]
    scale = DAD_SIDE / max(height, width)
    small = [max(1, round(height * scale)), max(1, round(width * scale))]
    resized = functional.interpolate(image, size=small, mode="bilinear", antialias=True)
    top, left = (DAD_SIDE - small[0]) // 2, (DAD_SIDE - small[1]) // 2
    square = functional.pad(resized, [left, DAD_SIDE - small[1] - left, top, DAD_SIDE - small[0] - top])
    features = encoder(_imagenet_range(square))
    return _resample(features, height, width, small, (left, top))


def _resample(features: Tensor, height: int, width: int, small: list[int], offset: tuple[int, int]) -> Tensor:
    """The square's features at every eighth pixel of the full image, bilinear, the border's repeated."""
    pixel = STRIDE * pixel_grid(height // STRIDE, width // STRIDE, device=features.device)
    factor = pixel.new_tensor([small[1] / width, small[0] / height])[:, None, None]
    in_square = (pixel + 0.5) * factor - 0.5 + pixel.new_tensor(offset)[:, None, None]
    side = features.shape[-1]
    points = (2 * in_square / STRIDE + 1) / side - 1
    points = points.permute(0, 2, 3, 1).expand(len(features), -1, -1, -1).to(features.dtype)
    return functional.grid_sample(features, points, padding_mode="border", align_corners=False)
