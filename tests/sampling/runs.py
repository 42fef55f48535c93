"""A tiny run with everything kept, and the comparison of runs."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import jax
import numpy as np
import pytest

import nonlazy as nl
from nonlazy.sampling import Record, Run
from tests.sampling.small_posteriors import general_task


POSTERIOR = nl.Posterior(nl.Network(5, 1, "sigmoid"), general_task(7, 9, test=4), 0.1, 0.7, 1.3)
SETTINGS: dict[str, Any] = dict(
    draws=8, seed=3, warmup=6, thin=2, moves="none", record=Record(snapshots=3, weights=True),
    chain_method="sequential", progress=False,
)  # fmt: skip


def float64() -> AbstractContextManager[None]:
    """JAX in double precision."""
    enable = getattr(jax, "enable_x64", None)
    if enable is None:
        from jax.experimental import enable_x64 as enable
    return enable(True)


@contextmanager
def quick_compilation(folder: str) -> Iterator[None]:
    """Programs are little optimised and kept in `folder`, here and in the processes that are started here.

    Compiling takes nearly all the time of the tests that are about what happens around the numbers.
    """
    from jax.experimental.compilation_cache import compilation_cache

    settings = {
        "jax_disable_most_optimizations": True,
        "jax_compilation_cache_dir": folder,
        "jax_persistent_cache_min_compile_time_secs": 0,
        "jax_persistent_cache_min_entry_size_bytes": -1,
    }
    # Some settings are attributes of JAX's configuration, others are not.
    config = jax.config
    before = {name: getattr(config, name) if hasattr(config, name) else config.read(name) for name in settings}
    with pytest.MonkeyPatch.context() as environment:
        for name, value in settings.items():
            jax.config.update(name, value)
            environment.setenv(name.upper(), str(value))
        compilation_cache.reset_cache()
        try:
            yield
        finally:
            for name, value in before.items():
                jax.config.update(name, value)
            compilation_cache.reset_cache()


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


def assert_close(one: Run, other: Run) -> None:
    """That two runs of a few iterations in double precision are the same to rounding, which some hundred gradients
    make larger and single precision in the store rounds again."""
    assert one.complete and other.complete
    assert one.tree.children.keys() == other.tree.children.keys()
    for name, group in other.tree.children.items():
        for variable, values in group.data_vars.items():
            mine, theirs = np.asarray(one.tree[name][variable].values), np.asarray(values.values)
            assert mine.shape == theirs.shape and np.isfinite(theirs.astype(float)).all()
            np.testing.assert_allclose(mine, theirs, rtol=1e-6, atol=1e-6, err_msg=f"{name}/{variable}")
