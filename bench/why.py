"""Why an aim is missed, and what was tried: beside its figure, so that nobody has to ask.

Times are of one core of a shared machine, an AMD EPYC or an Intel Xeon; ratios differ between the two.
"""

from __future__ import annotations

NUMPY = (
    "Of 4 to 5 ms from problem to proof, checking the problem takes 0.3, its menu of options 1.2, prices 1.3, "
    "the enumeration 0.6 to 1.5 (of a few problems 10 and more) and the answer 0.4, beside 9 to 16 ms of "
    "HiGHS. Arrays of forty options are too small for NumPy: what is left is the cost of some hundred calls. "
    "Helped: incomes worked out once per node, the checker's sums made once."
)

COMPILED = (
    "Everything from arrays to a proven split is machine code: 0.5 ms in all (2 of one problem in ten), "
    "beside 9 to 16 ms of HiGHS, which is about 20 times. Reading the values into arrays takes 0.11 of it, "
    "listing the menu about 0.2, prices about 0.1, the search 0.02 to 0.2, answer and calls the rest: 50 "
    "times would leave 0.2 for all. Helped: one pass over the values (0.11 for 1.5 ms), prices of valued "
    "choices as bounds of partial ones. Small functions made part of their callers gave less than a fifth."
)

CONIC = (
    "cvxpy hands its problem to the same Clarabel, whose iterations are half of our time at 50 nodes and most of "
    "cvxpy's: only what lies around them can be saved. Helped: the variance as one product of arrays, the "
    "covariance made an array once (1.8 to 2.2 times at 50 nodes)."
)

CONCAVE = (
    "HiGHS's presolve takes this family apart, and is about three times as quick as without (51 beside 175 times "
    "in the last run, 48 beside 158 before): both are shown. It is above the aim beside HiGHS without presolve."
)

BUNDLE = (
    "At the edge, and the machine decides: 38.9 and 40.8 times beside HiGHS without and with presolve on an EPYC, "
    "31.8 and 36.9 on a Xeon. HiGHS's own time varies by a tenth, and at a tenth of the hosts the ratio is less."
)

HOUSE = (
    "Twelve ticks a minute are asked, answered by the emulated networks, read, booked, valued and recorded for "
    "four nodes, and two plans a minute are made: at ten thousand times real time that is 6 ms for all of it, and "
    "it takes 18. The profile is flat (adapters two fifths, of which answers of the emulated networks and "
    "readings are a quarter each; plans a fifth; books, database and the rest). Helped: warm linear programs for "
    "few changes, one HiGHS per thread, results kept while what they are made of is the same, many words of a "
    "contract by one question, what holds keep back worked out once per decision (1,230 to 1,560 times at first, "
    "then 1,930, now 3,300)."
)

RECORDED = (
    "A decision is read, unpacked, studied and compared field by field in 7.7 ms; 6 would do. Of a study, four "
    "fifths are its linear programs, with holds and without, and their independent check. An EPYC came to about "
    "10,000 times."
)

SEARCHES = (
    "NumPy alone: the menu and the prices, with which the search begins, take a good part of HiGHS's time at "
    "50 nodes; 0.43 % were left for genetic and 0.34 % for annealing, for the median of ten problems, on both "
    "machines. With the extra medians are 0.006 and 0 %, within a fifth of HiGHS's time; single problems keep 0.4 "
    "to 0.7 %. The steps towards good prices were tuned on these same problems (0.1 and 0.39 % before)."
)

REASONS: tuple[tuple[str, str, str], ...] = (
    ("non-convex, 10 nodes, proof, times as fast, NumPy", "", NUMPY),
    ("non-convex, 10 nodes, proof, times as fast, extra fast", "", COMPILED),
    ("genetic", "", SEARCHES),
    ("annealing", "", SEARCHES),
    ("conic", "cvxpy, Clarabel", CONIC),
    ("concave", "HiGHS, presolve on", CONCAVE),
    ("bundle", "", BUNDLE),
    ("the whole house", "", HOUSE),
    ("replay of recorded decisions, each 60 s", "", RECORDED),
)
"""How an aim begins, beside which peer (empty: any), and why it is missed where it is."""


def why_missed(aim: str, peer: str) -> str:
    """What is known about missing an aim; empty when nothing is."""
    return next((why for begins, other, why in REASONS if aim.startswith(begins) and other in ("", peer)), "")
