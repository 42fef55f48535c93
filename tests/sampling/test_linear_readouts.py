"""Linear networks at N = P = 100; deeper and wider ones are in tests/statistical."""

import pytest

from tests.sampling.linear_readouts import compare


@pytest.mark.parametrize("depth", [1, 2])
def test_readout_covariance_is_exact(depth):
    compare(100, depth, draws=250)
