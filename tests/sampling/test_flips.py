"""Flips: the low-rank likelihood ratios against plain ones, the symmetry, and the free direction."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats

from nonlazy import Network, Posterior
from nonlazy.activations import BUILTIN, get
from nonlazy.sampling._coordinates import coordinates
from nonlazy.sampling.kernels import _flips
from nonlazy.sampling.kernels._collapsed import invert, log_likelihood
from nonlazy.sampling.kernels._general_jump import features_of
from nonlazy.sampling.kernels._general_table import make_problem
from tests.sampling.small_posteriors import general_task


@pytest.mark.parametrize(("name", "sum_"), [("sigmoid", 1.0), ("tanh", 0.0), ("erf", 0.0)])
def test_mirror_images(name, sum_):
    assert abs(_flips.mirror(BUILTIN[name]) - sum_) < 1e-12


def test_an_activation_without_mirror_images_has_none():
    assert np.isnan(_flips.mirror(get(lambda z: jnp.exp(-jnp.logaddexp(0.0, -z - 0.3)), kind="sigmoidal")))


def example(activation="sigmoid", N=7):
    posterior = Posterior(Network(N, 1, activation), general_task(5, 9), 0.2, 0.7, 1.3)
    problem = jax.tree.map(jnp.asarray, make_problem(posterior, coordinates(posterior)))
    first = jnp.asarray(np.random.default_rng(1).standard_normal((N, problem.factor.shape[1])))
    return posterior.network.phi, problem, first


def forms_of(problem, U):
    rows = jnp.concatenate([jnp.full((1, U.shape[1]), problem.collapsed.gain), U - 0.5 * problem.collapsed.gain])
    inverse = invert(problem.collapsed, U)
    return _flips._Forms(rows @ inverse.matrix @ rows.T, rows @ inverse.dual, jnp.ones(U.shape[0]))


def test_ratios_are_those_of_the_likelihood_and_a_turn_leads_to_the_turned_state(float64):
    phi, problem, first = example()
    U = features_of(phi, problem, first)
    forms = forms_of(problem, U)
    chosen = jnp.array([[4, 0, 0], [1, 5, 0], [6, 2, 3]])
    member = jnp.array([[True, False, False], [True, True, False], [True, True, True]])
    change = _flips._changes(forms, chosen, member)
    for index in range(3):
        turned = chosen[index][member[index]]
        other = features_of(phi, problem, first.at[turned].multiply(-1.0))
        expected = log_likelihood(problem.collapsed, other) - log_likelihood(problem.collapsed, U)
        np.testing.assert_allclose(change.log_ratio[index], expected, rtol=1e-9)
        found = _flips._turn(forms, chosen[index], member[index], change.inverse[index])
        assert set(np.flatnonzero(found.sign < 0)) == set(turned.tolist())
        for ours, theirs in zip(found[:2], forms_of(problem, other)[:2], strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=1e-8, atol=1e-9)


def flip(phi, problem, first, attempts: int, seed: int = 0):
    U = features_of(phi, problem, first)
    draws = jax.random.uniform(jax.random.key(seed), (attempts, _flips.UNIFORMS))
    return _flips.flip(problem.collapsed, problem.mirror, invert(problem.collapsed, U), U, draws)


def test_odd_activations_turn_always_and_others_without_mirror_never(float64):
    phi, problem, first = example("tanh", N=40)
    sign, info = jax.jit(functools.partial(flip, phi, problem, attempts=200))(first)
    # A neuron drawn twice voids an attempt: 3 pairs of 40 in six of ten attempts, 1 in two of ten.
    assert int(info.accepted) > 0.85 * int(info.proposed) and {-1.0, 1.0} == set(np.asarray(sign).tolist())
    none = problem._replace(mirror=jnp.asarray(jnp.nan))
    sign, info = jax.jit(functools.partial(flip, phi, none, attempts=200))(first)
    assert int(info.accepted) == 0 and np.all(sign == 1.0)


def test_repeated_flips_reach_every_set_of_neurons_with_its_probability(float64):
    """All 16 sets of 4 neurons, given |z|: chi-squared of 4,000 independent chains, a false alarm in 1 of 10^5 runs."""
    phi, problem, first = example(N=4)
    signs = np.array(np.meshgrid(*[[1.0, -1.0]] * 4, indexing="ij")).reshape(4, -1).T
    each = jax.vmap(lambda s: log_likelihood(problem.collapsed, features_of(phi, problem, first * s[:, None])))
    exact = np.exp(np.asarray(each(jnp.asarray(signs))))
    exact /= exact.sum()
    chains = 4000

    def chain(key):
        U = features_of(phi, problem, first)
        draws = jax.random.uniform(key, (150, _flips.UNIFORMS))
        return _flips.flip(problem.collapsed, problem.mirror, invert(problem.collapsed, U), U, draws)[0]

    sign = np.asarray(jax.jit(jax.vmap(chain))(jax.random.split(jax.random.key(3), chains)))
    count = np.bincount(((1 - sign) / 2 @ [8, 4, 2, 1]).astype(int), minlength=16)
    usual = exact * chains > 5
    observed = np.append(count[usual], count[~usual].sum())
    expected = np.append(exact[usual], exact[~usual].sum()) * chains
    keep = expected > 0
    assert scipy.stats.chisquare(observed[keep], expected[keep]).pvalue > 1e-5
    # Power: sets are far from equally likely.
    assert scipy.stats.chisquare(count, np.full(16, chains / 16)).pvalue < 1e-5
