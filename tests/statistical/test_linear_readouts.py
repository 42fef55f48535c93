"""Readout covariance of linear networks, deeper and wider than in the quick tests."""

import pytest

from tests.sampling.linear_readouts import compare


@pytest.mark.statistical
@pytest.mark.parametrize(("N", "depth"), [(100, 3), (200, 1), (200, 2), (200, 3)])
def test_readout_covariance_is_exact(N, depth):
    compare(N, depth, draws=600)
