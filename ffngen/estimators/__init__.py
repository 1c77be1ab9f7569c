"""What estimates flow from two images: trained networks, classical methods, and no motion at all."""

from ffngen.estimators.open import Estimator, open_estimator

__all__ = ["Estimator", "open_estimator"]
