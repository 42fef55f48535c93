"""Results of compiled functions in one transfer."""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
import pytest

from nonlazy.sampling._fetching import Fetched


class Pair(NamedTuple):
    whole: object
    table: object


def function(scale, x, shift):
    return x + shift, {"pair": Pair(jnp.int32(3) * shift.astype(jnp.int32), scale * x), "sum": jnp.sum(x)}


@pytest.mark.parametrize("batched", [False, True])
def test_results_come_as_they_are_named_and_shaped(batched):
    chains = (3,) if batched else ()
    x = np.arange(np.prod((*chains, 2, 4)), dtype=np.float32).reshape(*chains, 2, 4)
    shift = np.full(chains, 2.0, np.float32)
    call = Fetched(function, (None, 0, 0), batched, np.dtype("float32"))
    for _ in range(2):
        kept, fetched = call(np.float32(10.0), jnp.asarray(x), jnp.asarray(shift))
        np.testing.assert_array_equal(kept, x + 2.0)
        assert isinstance(fetched["pair"].table, np.ndarray) and fetched["pair"].table.dtype == np.float32
        np.testing.assert_array_equal(fetched["pair"].whole, np.full(chains, 6.0))
        np.testing.assert_array_equal(fetched["pair"].table, 10.0 * x)
        np.testing.assert_array_equal(fetched["sum"], x.sum((-2, -1)))
