"""A tiny run with everything kept, and the comparison of runs."""

from typing import Any

import numpy as np

import nonlazy as nl
from nonlazy.sampling import Record, Run
from tests.sampling.small_posteriors import general_task


POSTERIOR = nl.Posterior(nl.Network(5, 1, "sigmoid"), general_task(7, 9, test=4), 0.1, 0.7, 1.3)
SETTINGS: dict[str, Any] = dict(
    draws=8, seed=3, warmup=6, thin=2, moves="none", record=Record(snapshots=3, weights=True),
    chain_method="sequential", progress=False,
)  # fmt: skip


def sample(posterior: nl.Posterior = POSTERIOR, **changes) -> Run:
    """A run with the settings of the reference, some of them changed."""
    return nl.sample(posterior, **{**SETTINGS, **changes})


def assert_same_draws(one: Run, other: Run) -> None:
    """That every number that `one` keeps of its chains is in `other`, bit for bit."""
    assert one.complete and other.complete
    assert one.tree.children.keys() == other.tree.children.keys()
    for name, group in one.tree.children.items():
        for variable in group.data_vars:
            mine, theirs = group[variable], other.tree[name][variable]
            if "chain" in mine.dims:
                theirs = theirs.isel(chain=slice(0, mine.sizes["chain"]))
            np.testing.assert_array_equal(mine.values, theirs.values, err_msg=f"{name}/{variable}", strict=True)
