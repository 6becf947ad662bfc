"""Fleets to measure solvers with: many hosts at once, as arrays; the same for the same seed."""

from __future__ import annotations

import numpy as np

from bench.problems.families import CAPACITY
from orch.model.resources import RESOURCES
from orch.solvers.arrays import Bundles, Curves

HORIZON_H = 24.0
SEGMENTS = 4


def concave_fleet(hosts: int, nodes: int = 10, seed: int = 0) -> Curves:
    """Power laws of four resources, a present split that gives away 90 %, proportional costs of moving."""
    draw = np.random.default_rng([seed, hosts, nodes, 1])
    shape = (hosts, nodes, len(RESOURCES))
    size = np.array([CAPACITY[name] for name in RESOURCES])
    capacity = size * draw.uniform(0.5, 1.5, (hosts, len(RESOURCES)))
    present = draw.random(shape)
    present *= 0.9 * (capacity / present.sum(axis=1))[:, None, :]
    power = draw.uniform(0.3, 0.9, shape)
    scale = draw.uniform(0.01, 0.3, shape) / capacity[:, None, :] ** power
    least = np.where(draw.random(shape) < 0.3, 0.1 * present, 0.0)
    most = capacity[:, None, :] * draw.uniform(0.2, 1.0, shape)
    unit_usd = draw.uniform(0.0, 1.0, shape) / capacity[:, None, :]
    return Curves(
        capacity,
        scale,
        power,
        present,
        least,
        np.maximum(most, least),
        unit_usd,
        np.ones(shape, dtype=bool),
        HORIZON_H,
    )


def bundle_fleet(hosts: int, nodes: int = 10, seed: int = 0) -> Bundles:
    """Half the nodes take all resources in a proportion of their own, half take each resource by itself."""
    draw = np.random.default_rng([seed, hosts, nodes, 2])
    kinds = len(RESOURCES)
    size = np.array([CAPACITY[name] for name in RESOURCES])
    mixed = nodes // 2
    owner = np.concatenate([np.arange(mixed), np.repeat(np.arange(mixed, nodes), kinds)])
    count = len(owner)
    capacity = size * draw.uniform(0.5, 1.5, (hosts, kinds))
    takes = np.zeros((hosts, count, kinds))
    takes[:, :mixed] = size / 16.0 * draw.uniform(0.2, 1.8, (hosts, mixed, kinds))
    takes[:, mixed:] = np.tile(np.diag(size / 16.0), (nodes - mixed, 1))
    levels = 16.0 * 3.0 / nodes * draw.uniform(0.5, 1.5, (hosts, count, 1))
    width = np.repeat(levels / SEGMENTS, SEGMENTS, axis=2)
    falls = np.concatenate(
        [np.ones((hosts, count, 1)), draw.uniform(0.4, 0.9, (hosts, count, SEGMENTS - 1))], axis=2
    )
    top = draw.uniform(0.05, 0.3, (hosts, count, 1)) * np.where(np.arange(count) < mixed, 1.0, 0.3)[None, :, None]
    worth = np.cumprod(falls, axis=2) * top / levels
    floor = np.zeros((hosts, nodes, kinds))
    floor[:] = 0.02 * capacity[:, None, :] / nodes * 10.0
    return Bundles(capacity, floor, owner, takes, width, worth, np.ones((hosts, count), dtype=bool), HORIZON_H)
