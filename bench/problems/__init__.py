"""Problems to measure solvers with: `instance(family, size, seed)` is always the same problem.

One host each. `linear` and `concave` fall apart by resource; `bundle` takes resources in fixed proportions;
`nonconvex` adds thresholds, whole steps, costs per change, pairs and a group; `risk` bounds the variance of a
bundle; `seed4` is the four networks on one machine, from a poor split.
"""

from __future__ import annotations

from bench.problems.families import FAMILIES, FAMILY_NAMES, instance

__all__ = ["FAMILIES", "FAMILY_NAMES", "instance"]
