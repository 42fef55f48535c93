import numpy as np
import pytest

from nonlazy.errors import InvalidInput
from nonlazy.theory.sigmoidal import (
    alternative_schemes,
    critical_temperature,
    fractions_by_temperature,
    solve_sigmoidal_classes,
    transitions,
)
from tests.theory.sigmoidal.problems import toy_posterior


def test_transitions_of_the_toy_task():
    """Reference values of the two transitions in -1/2 < y- <= 0.6: 0.03209 and 0.47728."""
    curve = transitions(toy_posterior(P=40), np.linspace(-0.4, 0.6, 11))
    np.testing.assert_allclose(curve.transitions, [0.03209, 0.47728], atol=1.5e-5)
    three = ("1-1-0", "1-0-1", "0-1-1")
    assert [set(scheme) for scheme in curve.schemes] == [{*three, "1-0-0"}, set(three), {*three, "1-1-1"}]
    assert curve.certified.all() and curve.residual.max() < 1e-9
    np.testing.assert_allclose(curve.fraction.sum(axis=1), 1, atol=1e-12)


def test_codes_enter_with_vanishing_share():
    edge = transitions(toy_posterior(P=40), np.array([0.4, 0.5])).transitions[0]
    beyond = solve_sigmoidal_classes(toy_posterior(P=40, y_minus=edge + 1e-4), finite_size=False)
    shares = dict(zip(beyond.codes.names, beyond.codes.fraction, strict=True))
    assert 0 < shares["1-1-1"] < 2e-3


def test_critical_temperature():
    posterior = toy_posterior(P=40)
    critical = critical_temperature(posterior)
    assert critical == pytest.approx(0.0820, abs=5e-5)
    curve = fractions_by_temperature(posterior, np.array([0.01, critical * 0.999, critical * 1.001]))
    assert list((curve.fraction > 0).sum(axis=1) > 1) == [True, True, False]
    assert curve.fraction[0, curve.codes.index("1-1-1")] == pytest.approx(0.0889, abs=6e-5)
    assert curve.certified.all()


def test_a_single_target_has_no_critical_temperature():
    with pytest.raises(InvalidInput, match="one code"):
        critical_temperature(toy_posterior(P=20, ratios=(1.0,), y_minus=0.0))


def test_alternative_schemes_cost_more_and_solve_the_task():
    posterior = toy_posterior(P=40, y_minus=-0.3)
    schemes = alternative_schemes(posterior, 2)
    excess = [scheme.excess for scheme in schemes]
    assert excess[0] == 0 and np.all(np.diff(excess) > 0)
    assert excess[1] == pytest.approx(0.0042353, abs=1e-6)
    assert set(schemes[1].codes.names) == {"1-1-0", "1-0-1", "0-1-1"}
    for scheme in schemes:
        codes = scheme.codes
        outputs = np.einsum("n,nc,nr->cr", codes.fraction, codes.activation, codes.readout)
        np.testing.assert_allclose(outputs, np.where(np.eye(3) > 0, 1.0, -0.3), atol=1e-8)
        # The quenched theory at the scheme's own shares is the scheme.
        shares = {tuple(int(on) for on in row): float(f) for row, f in zip(codes.active, codes.fraction, strict=True)}
        frozen = solve_sigmoidal_classes(posterior, False, shares)
        assert frozen.free_energy == pytest.approx(scheme.free_energy, abs=1e-9)


def test_bad_requests():
    posterior = toy_posterior(P=40)
    with pytest.raises(InvalidInput, match="rising"):
        transitions(posterior, np.array([0.5, 0.1]))
    with pytest.raises(InvalidInput, match="count"):
        alternative_schemes(posterior, 0)
    with pytest.raises(InvalidInput, match="0 or more"):
        fractions_by_temperature(posterior, np.array([-0.1, 0.1]))
