"""Where samples come from: ffngen's datasets, the published FacialFlowNet, and the public optical-flow sets."""

from ffngen.training.sources.open import open_source

__all__ = ["open_source"]
