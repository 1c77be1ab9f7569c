"""Seeds of parts."""

from __future__ import annotations

import itertools

import numpy as np

from ffngen.seeds import derive_generator, derive_seed


def test_pinned() -> None:
    """Every dataset depends on these; they never change."""
    assert derive_seed(0) == 0x5FECEB66FFC86F38 >> 1  # SHA-256 of "0"
    assert derive_seed(0, "skin", "open-000001") == derive_seed(0, "skin", "open-000001")


def test_range() -> None:
    seeds = [derive_seed(seed, "part", i) for seed in (0, 1, 2**63 - 1) for i in range(1000)]
    assert min(seeds) >= 0
    assert max(seeds) < 2**63
    assert max(seeds) > 2**62


def test_every_part_has_its_own() -> None:
    """Seed 0 is a seed like any other, and names do not run into each other."""
    seeds = [
        derive_seed(seed, *names)
        for seed in range(10)
        for names in (
            *itertools.product(["skin", "scene", "light"], ["a", "b", "ab", ""]),
            ("skin",),
            ("skina",),
            ("skin", "a", "b"),
            (),
            ("1",),
            ("11",),
        )
    ]
    seeds += [derive_seed(seed) for seed in range(11, 1000)]
    assert len(set(seeds)) == len(seeds)


def test_neighbouring_seeds_are_independent() -> None:
    """No correlation between what neighbouring seeds and neighbouring parts draw."""
    draws = np.array([derive_generator(seed, "part").normal(size=2000) for seed in range(30)])
    parts = np.array([derive_generator(0, "part", i).normal(size=2000) for i in range(30)])
    for table in (draws, parts):
        correlation = np.corrcoef(table) - np.eye(30)
        # 435 pairs of 2000 draws: 5 standard deviations.
        assert np.abs(correlation).max() < 5 / np.sqrt(2000)
    bits = np.array([[(derive_seed(seed) >> bit) & 1 for bit in range(63)] for seed in range(4000)])
    assert np.abs(bits.mean(axis=0) - 0.5).max() < 5 * 0.5 / np.sqrt(4000)


def test_generators_start_at_the_beginning() -> None:
    assert derive_generator(1, "x").random() == derive_generator(1, "x").random()
