"""Why an aim is missed, and what was tried: beside its figure, so that nobody has to ask.

Times are of one core of a shared AMD EPYC.
"""

from __future__ import annotations

PHASES = (
    "Of 4 to 5 ms from problem to proof, checking the problem takes 0.3, its menu of options 1.2, prices 1.3, the "
    "enumeration 0.6 to 1.5 (of a few problems 10 and more) and the answer 0.4, beside 11 to 15 ms of HiGHS. "
)

CONIC = (
    "cvxpy hands its problem to the same Clarabel, whose iterations are half of our time at 50 nodes and most of "
    "cvxpy's: only what lies around them can be saved. Helped: the variance as one product of arrays, the "
    "covariance made an array once (1.8 to 2.2 times at 50 nodes)."
)

CONCAVE = (
    "HiGHS's presolve takes this family apart, and is three to four times as quick as without: both are shown. It "
    "is above the aim beside HiGHS without presolve."
)

BUNDLE = (
    "At the edge: runs of one afternoon lie between 37 and 41 times with the extra, on a quiet machine, for "
    "HiGHS's own time varies by a tenth; at a tenth of the hosts it is less, and less on a busy machine."
)

HOUSE = (
    "Twelve ticks a minute are asked, answered by the emulated networks, read, booked, valued and recorded for "
    "four nodes, and two plans a minute are made: at ten thousand times real time that is 6 ms for all of it. "
    "Helped: few changes and steps are branched over linear programs that start warm, which makes a decision 1.7 "
    "times as quick."
)

SEARCHES = (
    "The menu and the prices, with which the search begins, take about half of a fifth of HiGHS's time at 50 "
    "nodes, so that little is left; the inner solve is NumPy's, the compiled one of the aim is not written. On a "
    "busy machine budgets by the wall's clock shrink for both."
)

REASONS: tuple[tuple[str, str, str], ...] = (
    (
        "non-convex, 10 nodes, proof, times as fast, NumPy",
        "",
        PHASES + "Arrays of forty options are too small for NumPy: what is left is the cost of some hundred "
        "calls. Helped: incomes worked out once per node, the checker's sums made once.",
    ),
    (
        "non-convex, 10 nodes, proof, aim with the extra",
        "",
        PHASES + "No compiled form is written: it could take away prices and enumeration, and what remains, from "
        "values to arrays and back, would still allow about six times, not fifty. The aim's prototype was handed "
        "arrays and gave arrays back.",
    ),
    ("genetic", "", SEARCHES),
    ("annealing", "", SEARCHES),
    ("conic", "cvxpy, Clarabel", CONIC),
    ("concave", "HiGHS, presolve on", CONCAVE),
    ("bundle", "", BUNDLE),
    ("the whole house", "", HOUSE),
)
"""How an aim begins, beside which peer (empty: any), and why it is missed where it is."""


def why_missed(aim: str, peer: str) -> str:
    """What is known about missing an aim; empty when nothing is."""
    return next((why for begins, other, why in REASONS if aim.startswith(begins) and other in ("", peer)), "")
