"""Random numbers as a function of a name and an index, so that every process draws the same ones."""

from __future__ import annotations

import zlib

import numpy as np

from dataset.support.arrays import FloatArray, IntArray


def uniform(name: str, index: IntArray) -> FloatArray:
    """Return one number in (0, 1) for each index; the same for the same name and index (SplitMix64)."""
    with np.errstate(over="ignore"):
        z = np.asarray(index, dtype=np.int64).astype(np.uint64)
        z = z + (np.uint64(zlib.crc32(name.encode())) << np.uint64(32)) + np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z = z ^ (z >> np.uint64(31))
    return np.asarray(((z >> np.uint64(11)).astype(np.float64) + 0.5) * 2.0**-53, dtype=np.float64)


def normal(name: str, index: IntArray) -> FloatArray:
    """Return one standard normal number for each index (Box-Muller)."""
    radius = np.sqrt(-2.0 * np.log(uniform(f"{name}/radius", index)))
    return np.asarray(radius * np.cos(2.0 * np.pi * uniform(f"{name}/angle", index)), dtype=np.float64)


def generator(seed: int, name: str) -> np.random.Generator:
    """Return a random generator for this seed and name."""
    return np.random.default_rng([seed, zlib.crc32(name.encode())])
