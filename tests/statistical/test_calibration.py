"""The family of calibrated tests over all samplers: one false alarm in a thousand seeds over all rows together."""

import pytest

from tests.statistical.calibration import FAMILY_WISE, ROWS, SHARE, p_value


pytestmark = pytest.mark.statistical


def test_the_shares_add_up():
    assert abs(len(ROWS) * SHARE - FAMILY_WISE) < 1e-12
    assert len({row.name for row in ROWS}) == len(ROWS)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_samplers_leave_the_posterior_as_it_is(row):
    assert p_value(row, 1) > SHARE
