"""Theory against samples: averages of a kernel over classes, and codes that one of the two does not have."""

from dataclasses import replace

import numpy as np
import pytest

import nonlazy as nl
from nonlazy.figures._comparison import _distinct, class_blocks, comparison


def test_blocks_are_means_over_pairs_of_different_inputs():
    kernel = np.random.default_rng(0).standard_normal((5, 5))
    kernel = kernel + kernel.T
    labels = np.array([0, 1, 0, 1, 0])
    blocks = class_blocks(kernel, labels, 2)
    zeros, ones = [0, 2, 4], [1, 3]
    np.testing.assert_allclose(blocks[0, 1], kernel[np.ix_(zeros, ones)].mean())
    within = [kernel[i, j] for i in zeros for j in zeros if i != j]
    np.testing.assert_allclose(blocks[0, 0], np.mean(within))
    np.testing.assert_allclose(blocks[1, 1], kernel[1, 3])


def test_a_class_of_one_input_has_no_pairs_with_itself():
    blocks = class_blocks(np.eye(3), np.array([0, 0, 1]), 2)
    assert np.isnan(blocks[1, 1]) and blocks[0, 0] == 0


@pytest.fixture(scope="module")
def sigmoidal():
    task = nl.tasks.toy(P=40, N0=44, y_minus=0.5)
    posterior = nl.Posterior(nl.Network(40), task, temperature=1e-2)
    return nl.sample(posterior, draws=8, warmup=60, moves=None, chain_method="sequential", progress=False)


def test_a_code_that_the_theory_does_not_have_gets_a_row(sigmoidal):
    prediction = nl.theory.solve(sigmoidal.posterior)
    rows = {row.quantity: row for row in comparison(sigmoidal, prediction)}
    shares = {name: row for name, row in rows.items() if name.startswith("share of ")}
    assert sum(row.samples for row in shares.values()) == pytest.approx(1.0, abs=0.05)
    found = nl.diagnostics.fractions(sigmoidal)
    largest = "-".join(str(bit) for bit in found.codes[0])
    assert shares[f"share of {largest}"].samples == pytest.approx(found.shares[0], abs=1e-12)

    keep = [index for index, name in enumerate(prediction.codes.names) if name != largest]
    without = replace(prediction.codes, **{field: getattr(prediction.codes, field)[keep] for field in
                                           ("readout", "fraction", "activation", "active")})  # fmt: skip
    object.__setattr__(prediction, "codes", without)
    rows = {row.quantity: row for row in comparison(sigmoidal, prediction)}
    assert rows[f"share of {largest}"].theory == 0.0
    assert rows[f"share of {largest}"].samples == shares[f"share of {largest}"].samples
    for name, row in shares.items():
        assert rows[name].samples == row.samples


def test_wells_of_one_code_are_told_apart():
    assert _distinct(("1-0", "0-1", "1-0")) == ["1-0 (1)", "0-1", "1-0 (2)"]
