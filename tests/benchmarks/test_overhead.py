"""A gradient is timed as draws take it."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from _sampling import overhead
from _sampling.overhead import in_block


def test_calls_with_the_same_settings_follow_each_other_and_the_first_is_not_timed():
    calls = []

    def run(control):
        calls.append(control)
        return len(calls)

    assert in_block(run, "few") == [2, 3, 4, 5, 6]
    assert in_block(run, "many") == [8, 9, 10, 11, 12]
    assert calls == ["few"] * 6 + ["many"] * 6


@pytest.mark.parametrize("like", [jnp.float32(3.0), np.float32(3.0), np.full(2, 3.0)])
def test_settings_stay_the_kind_of_array_that_the_chain_has(like):
    filled = overhead._filled(like, 0.25)
    assert isinstance(filled, jax.Array) is isinstance(like, jax.Array)
    assert filled.dtype == like.dtype and filled.shape == np.shape(like) and np.all(np.asarray(filled) == 0.25)


def test_settings_come_to_the_fused_iteration_once_a_block(monkeypatch):
    from nonlazy.sampling import _fused_iteration

    heard = []
    listen = _fused_iteration.FusedIteration._listen

    def listening(self, problem, control, state):
        told = self._told
        listen(self, problem, control, state)
        heard.append(self._told is not told)

    monkeypatch.setattr(_fused_iteration.FusedIteration, "_listen", listening)
    monkeypatch.setattr(overhead, "_SECONDS", 0.0)
    found = overhead.draw_and_gradient(
        overhead.Size(N=12, P=10, L=1, activation="sigmoid", temperature=0.1).posterior(), 40, "none"
    )
    # 15 pairs or more: three blocks of six calls of each, with one conversion in a block.
    assert heard[-36:] == ([True] + [False] * 5) * 6
    assert found["gradient_ms"] > 0 and found["gradients_per_draw"] > 2
