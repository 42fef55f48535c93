"""Schemes of classes that are all alike, against the general solver, which knows nothing of that."""

import math
from typing import Any, cast

import numpy as np
import pytest

import nonlazy as nl
from nonlazy.errors import InvalidInput
from nonlazy.figures.ours._symmetric_scheme import symmetric_scheme


def posterior(m, y_minus=0.0, T=1e-2, P=None, **task):
    P = 10 * m if P is None else P
    made = nl.tasks.toy(P=P, N0=P, class_ratios=(1 / m,) * m, y_minus=y_minus, **task)
    return nl.Posterior(nl.Network(P, 1, "sigmoid"), made, temperature=T)


# One size; two sizes; two sizes one of which is that of all classes.
@pytest.mark.parametrize(("m", "y_minus", "sizes"), [(4, 0.0, [2]), (5, 0.5, [3, 4]), (3, 0.5, [2, 3])])
def test_scheme_is_that_of_the_general_solver(m, y_minus, sizes):
    one = posterior(m, y_minus)
    found, expected = symmetric_scheme(one), cast(Any, nl.theory.solve(one, finite_size=False))
    assert expected.certified and found.residual < 1e-10
    assert found.free_energy == pytest.approx(expected.free_energy, abs=1e-10)
    assert found.size.tolist() == sizes and found.codes == sum(math.comb(m, k) for k in sizes) == len(expected.codes)
    active = np.asarray(expected.codes.active).sum(axis=1)
    for size, share, readout in zip(found.size, found.share, found.readout, strict=True):
        these = active == size
        assert expected.codes.fraction[these].sum() == pytest.approx(share, abs=1e-6)
        readouts = np.asarray(expected.codes.readout)[these]
        np.testing.assert_allclose(readouts.max(), readout.max(), atol=1e-6)
    missed = one.temperature * np.asarray(expected.dual_field)
    assert found.deviation == pytest.approx(float(np.sqrt((missed**2).mean())), rel=1e-6)


def test_fifty_classes_have_codes_of_half_of_them():
    found = symmetric_scheme(posterior(50, T=1e-3))
    assert found.size.tolist() == [25] and found.mean_size == 25 and found.deviation_of_size == 0
    assert found.codes == math.comb(50, 25) and found.residual < 1e-10
    # So many codes that no two of 300 neurons share one.
    assert found.distinct(300) == pytest.approx(300, abs=1e-3)


def test_expected_number_of_different_codes():
    found = symmetric_scheme(posterior(4))
    # Six codes: five neurons miss each with probability (5/6)^5.
    assert found.distinct(5) == pytest.approx(6 * (1 - (5 / 6) ** 5))


def test_classes_that_differ_are_refused():
    with pytest.raises(InvalidInput, match="equally many inputs"):
        symmetric_scheme(posterior(3, P=31))
    with pytest.raises(InvalidInput, match="one-hot"):
        symmetric_scheme(posterior(2, targets="binary"))
    with pytest.raises(InvalidInput, match="one sigmoidal hidden layer"):
        task = nl.tasks.toy(P=9, N0=9, class_ratios=(1 / 3,) * 3)
        symmetric_scheme(nl.Posterior(nl.Network(9, 1, "relu"), task, temperature=1e-2))
