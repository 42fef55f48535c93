"""Chains with numbers known in closed form."""

from typing import Any

from _sampling.cases import Case
from _sampling.chains import Chain
from _sampling.comparison import Comparison, Plan
from _sampling.weight_space import QUANTITIES


CASE = Case(2, "sigmoid", 60, 66, 0.5, 1e-2)
MEANS = (0.0, 0.0, 0.0, 0.0, 0.0)


def chain(**changes: Any) -> Chain:
    """100 draws of a millisecond, 50 of them effective: 500 effective draws a second; means 0 with errors 1."""
    fields: dict[str, Any] = {
        "sampler": "made up",
        "seed": 0,
        "settings": {},
        "warmup": 10,
        "draws": 100,
        "seconds_per_draw": 1e-3,
        "gradients_per_draw": 4.0,
        "acceptance": 0.8,
        "step_size": 0.1,
        "ess": dict.fromkeys(QUANTITIES, 50.0),
        "means": MEANS,
        "mcse": (1.0,) * 5,
        "reached": True,
        "scheme": "redundant",
        "first": None,
        "settled": None,
        "seconds": 12.0,
        "gradients": 3456,
        "first_draw_seconds": 2.0,
        "peak_megabytes": 500.0,
    }
    return Chain(**fields | changes)


def comparison(
    ours: list[Chain], peers: dict[str, list[Chain]], seconds: list[list[float]] | None = None
) -> Comparison:
    """Of chains that are there; ours took as long after the peers as before, if `seconds` does not say otherwise."""
    plan = Plan(
        100, 10, 100, 60.0, 0, len(ours), max((len(c) for c in peers.values()), default=1), "none", tuple(peers)
    )
    return Comparison(CASE, plan, ours, peers, seconds or [[1e-3, 1e-3] for _ in ours], True)
