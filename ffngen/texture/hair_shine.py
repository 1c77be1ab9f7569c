"""What lamps leave on hair: smooth hair shines by more than a head's coarse lighting can tell.

Black hair reflects a hundredth of the light as its colour, and where a lamp stands right several times that as gloss.
What is known is how much gloss is usually left, and that a person's hair is of about one colour. The most likely colour
is between what was seen and the hair's typical one, the nearer to the latter the darker the hair is. Only the broad
band is changed: strands and parting stay as they were seen.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ffngen.texture.blend import Blended

Array64 = NDArray[np.float64]

#: Albedo that gloss adds, as a standard deviation; and by what share of its typical colour a person's hair differs.
_LEFT, _VARIES = 0.06, 0.3

#: The least share of a channel that is the hair's own.
_LEAST_MATT = 0.1


def without_shine(blended: Blended, scalp: NDArray[np.bool_], hair: Array64) -> Blended:
    """Views that were blended, with the hair's shine taken away.

    :param scalp: (V,) bool: vertices where there is hair for sure.
    :param hair: (3,) its typical albedo, linear.
    """
    seen = np.exp(blended.broad[scalp])
    own = (_VARIES * hair.mean()) ** 2
    shine = (seen - hair).mean(axis=1, keepdims=True) * _LEFT**2 / (own + _LEFT**2)
    # Gloss takes all of no channel.
    shine = np.minimum(shine, (1 - _LEAST_MATT) * seen.min(axis=1, keepdims=True))
    broad = blended.broad.copy()
    broad[scalp] = np.log(seen - shine)
    return replace(blended, broad=broad)
