"""Posterior means of a run, also of one that was interrupted before it wrote them."""

import numpy as np
from jaxtyping import Float

from nonlazy.sampling import Run


def outputs(
    run: Run, *, test: bool = False
) -> tuple[Float[np.ndarray, "chain input output"], Float[np.ndarray, "chain input output"]]:
    """Mean and variance of f(X) over the draws of each chain, `(chain, input, output)` both."""
    stored = run.tree["posterior_predictive"]["f_test" if test else "f"]
    means, variances = [], []
    for chain in range(run.chains):
        values = np.asarray(stored.isel(chain=chain).values, dtype=np.float64)
        means.append(values.mean(axis=0))
        variances.append(values.var(axis=0))
    return np.stack(means), np.stack(variances)
