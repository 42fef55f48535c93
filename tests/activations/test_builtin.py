"""Every activation: its values by an independent formula, its derivative, NumPy and JAX alike."""

import math
import pickle

import jax.numpy as jnp
import numpy as np
import pytest

from nonlazy.activations import BUILTIN, Activation, get
from nonlazy.errors import InvalidInput


GRID = np.linspace(-5, 5, 41) + 0.013
FORMULAS = {
    "linear": lambda z: z,
    "sigmoid": lambda z: (1 + math.erf(math.sqrt(math.pi) * z / 2)) / 2,
    "relu": lambda z: z if z > 0 else 0.0,
    "softplus": lambda z: math.log(1 + math.exp(z)),
    "requ": lambda z: z * z if z > 0 else 0.0,
    "tanh": lambda z: 1 - 2 / (math.exp(2 * z) + 1),
    "erf": math.erf,
}


def test_every_activation_has_a_formula_here():
    assert set(FORMULAS) == set(BUILTIN)


@pytest.mark.parametrize("name", FORMULAS)
def test_values(name):
    expected = np.array([FORMULAS[name](z) for z in GRID])
    np.testing.assert_allclose(BUILTIN[name](GRID), expected, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("name", FORMULAS)
def test_slope_is_the_derivative(name):
    step = 1e-5
    phi = BUILTIN[name]
    # Two errors: of rounding, 1e-16 / step, and of order step^2.
    np.testing.assert_allclose(phi.slope(GRID), (phi(GRID + step) - phi(GRID - step)) / (2 * step), atol=1e-9)


@pytest.mark.parametrize("name", FORMULAS)
def test_numpy_and_jax_agree_in_single_precision(name):
    phi = BUILTIN[name]
    z = GRID.astype(np.float32)
    for own, theirs in ((phi(z), phi(jnp.asarray(z))), (phi.slope(z), phi.slope(jnp.asarray(z)))):
        assert own.dtype == np.float32 and theirs.dtype == jnp.float32
        np.testing.assert_allclose(own, np.asarray(theirs), rtol=2e-5, atol=2e-6)


@pytest.mark.parametrize("name", [name for name, phi in BUILTIN.items() if phi.degree is not None])
def test_degree_of_homogeneity(name):
    phi = BUILTIN[name]
    np.testing.assert_allclose(phi(3.0 * GRID), 3.0**phi.degree * phi(GRID), rtol=1e-12)


def test_softplus_does_not_overflow():
    np.testing.assert_array_equal(BUILTIN["softplus"](np.array([-800.0, 800.0])), [0.0, 800.0])


def test_a_function_of_ones_own_is_differentiated():
    phi = get(lambda z: jnp.sin(z) / 2, kind="sigmoidal")
    assert phi.kind == "sigmoidal"
    np.testing.assert_allclose(phi.slope(GRID.astype(np.float32)), np.cos(GRID) / 2, atol=1e-6)


def test_an_activation_is_its_own():
    phi = Activation("bump", "sigmoidal", lambda z, xp: xp.exp(-z * z))
    assert get(phi) is phi
    assert repr(phi) == "Activation('bump', kind='sigmoidal')"


def test_refusals():
    with pytest.raises(InvalidInput, match="'rlu' is not known: choose one of linear, sigmoid"):
        get("rlu")
    with pytest.raises(InvalidInput, match="kind="):
        get(lambda z: z)


@pytest.mark.parametrize("name", BUILTIN)
def test_activations_survive_a_way_to_another_process(name):
    assert pickle.loads(pickle.dumps(BUILTIN[name])) is BUILTIN[name]


def test_an_activation_of_ones_own_with_a_known_name_stays_ones_own():
    mine = Activation("sigmoid", "sigmoidal", np.tanh)
    copied = pickle.loads(pickle.dumps(mine))
    assert copied == mine and copied is not BUILTIN["sigmoid"]
