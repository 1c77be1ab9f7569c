"""Fixtures of the packages that want a made head."""

from __future__ import annotations

import pytest
from made_head import make_head

from ffngen.head.model import HeadModel


@pytest.fixture(scope="session")
def made_head() -> HeadModel:
    """An ellipsoid with eyeballs; see :mod:`made_head`."""
    return make_head()
