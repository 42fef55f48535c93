import numpy as np
import pytest

import nonlazy as nl
from nonlazy.theory.deep._class_kernel import ClassKernel
from nonlazy.theory.deep._field_law import FieldLaw
from nonlazy.theory.deep._problem import class_problem
from nonlazy.theory.deep._quadrature import Rule, fitted_nodes, refined
from nonlazy.theory.deep._readout_layer import Composition, solve_readout
from nonlazy.theory.deep._site import sigmoid, site_averages


KERNEL = ClassKernel(
    np.array([[0.30, 0.235, 0.235], [0.235, 0.305, 0.23], [0.235, 0.23, 0.305]]), np.array([0.087, 0.066, 0.066])
)


def problem_of(P=60, y_minus=0.5, temperature=0.01, **settings):
    return class_problem(nl.Posterior(nl.Network(P, 2), nl.tasks.toy(P, P, y_minus=y_minus), temperature, **settings))


def test_site_averages_are_derivatives_and_direct_integrals():
    u, v, d, delta = np.array([[0.4, -1.0]]), np.array([[3.0, -2.0]]), np.array([0.3, 1.0]), np.array([0.5, -0.2])
    site = site_averages(u, v, d, delta, 100)
    z = np.linspace(-12, 12, 40001)
    for c in range(2):
        weight = np.exp(-((z - u[0, c]) ** 2) / (2 * d[c]) + v[0, c] * sigmoid(z) - 0.5 * delta[c] * sigmoid(z) ** 2)
        total = weight.sum()
        mean_z = weight @ z / total
        variance_z = weight @ (z - mean_z) ** 2 / total
        assert site.g[0, c] == pytest.approx(np.log(total * (z[1] - z[0]) / np.sqrt(2 * np.pi * d[c])), abs=1e-9)
        assert site.mean[0, c] == pytest.approx(weight @ sigmoid(z) / total, abs=1e-9)
        assert site.square[0, c] == pytest.approx(weight @ sigmoid(z) ** 2 / total, abs=1e-9)
        assert site.force[0, c] == pytest.approx((mean_z - u[0, c]) / d[c], abs=1e-8)
        assert site.stiffness[0, c] == pytest.approx((1 - variance_z / d[c]) / d[c], abs=1e-7)
        covariance = weight @ ((z - mean_z) * sigmoid(z)) / total
        assert site.mixed[0, c] == pytest.approx(covariance / d[c], abs=1e-8)


def test_gradient_and_hessian_of_a_field_law():
    generator = np.random.default_rng(1)
    factor = np.linalg.cholesky(KERNEL.block)
    law = FieldLaw(np.array([30.0, 15.0, 15.0]), factor, KERNEL.excess, generator.normal(size=(3, 2)), np.ones(3), 40)
    x, size = generator.normal(size=(4, 5)), 1e-5
    _, site = law.log_density(x)
    gradient, hessian = law.gradient(x, site), law.hessian(site)
    for k in range(5):
        step = size * np.eye(5)[k]
        above, site_above = law.log_density(x + step)
        below, site_below = law.log_density(x - step)
        np.testing.assert_allclose((above - below) / (2 * size), gradient[:, k], rtol=1e-6, atol=1e-6)
        change = law.gradient(x + step, site_above) - law.gradient(x - step, site_below)
        np.testing.assert_allclose(change / (2 * size), hessian[:, :, k], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("rule", [Rule(12, product=True), Rule(12)])
def test_mixture_quadrature_against_a_grid(rule):
    """Two classes, one output, no forward fields: a two-well law in one dimension, integrated on a grid."""
    law = FieldLaw(np.array([20.0, 12.0]), np.zeros((2, 0)), np.ones(2), np.array([[0.8], [-1.0]]), np.zeros(2), 40)
    nodes = fitted_nodes(law, rule)
    log_density, site = law.log_density(nodes.x)
    weight = np.exp(log_density + nodes.log_weight)
    x = np.linspace(-40, 40, 20001)[:, None]
    grid_density, grid_site = law.log_density(x)
    grid = np.exp(grid_density) * (x[1, 0] - x[0, 0])
    assert weight.sum() == pytest.approx(grid.sum(), rel=2e-3)
    np.testing.assert_allclose(
        weight @ site.mean / weight.sum(), grid @ grid_site.mean / grid.sum(), atol=2e-3, err_msg=str(rule)
    )


def single_layer_field(problem, points=121, reach=4.0):
    """The one-layer dual on a grid over readouts, minimised over t by BFGS: two outputs."""
    import scipy.optimize

    axis = np.linspace(-reach, reach, points)
    a = np.stack(np.meshgrid(axis, axis, indexing="ij"), axis=-1).reshape(-1, 2)
    rows, P = problem.counts, problem.P

    def value(flat):
        t = flat.reshape(problem.targets.shape)
        h = a @ t.T
        site = site_averages(np.zeros_like(h), h, np.ones(len(rows)), np.zeros(len(rows)), 40)
        exponent = site.g @ rows - 0.5 * P * np.sum(a**2, axis=1)
        peak = exponent.max()
        weight = np.exp(exponent - peak)
        total = np.log(weight.sum() * (axis[1] - axis[0]) ** 2 * P / (2 * np.pi)) + peak
        moment = np.einsum("n,nc,nm->cm", weight / weight.sum(), site.mean, a)
        linear = np.sum(rows[:, None] * (0.5 * problem.temperature * t**2 - t * problem.targets))
        slope = rows[:, None] * (moment - problem.targets + problem.temperature * t)
        return (total + linear) / P, slope.reshape(-1) / P

    start = 2.0 * problem.targets.reshape(-1)
    found = scipy.optimize.minimize(value, start, jac=True, method="BFGS", options={"gtol": 1e-9})
    return found.x.reshape(problem.targets.shape), found.fun


def test_the_readout_layer_on_independent_inputs_is_the_single_layer_theory():
    """No class part in the kernel below and unit variance: one hidden layer, against a grid over its readouts."""
    task = nl.tasks.toy(40, 40, class_ratios=(0.6, 0.4), y_minus=0.2)
    problem = class_problem(nl.Posterior(nl.Network(40, 2), task, 0.02))
    t, value = single_layer_field(problem)
    kernel = ClassKernel(np.zeros((2, 2)), np.ones(2))
    layer = solve_readout(problem, kernel, t * 0.8, Rule(13), order=40)
    assert layer.error < 1e-8
    np.testing.assert_allclose(layer.t, t, atol=0.02)
    assert layer.value / problem.P == pytest.approx(value, abs=2e-5)


def test_single_layer_fractions_of_the_three_class_task():
    """Reference: rho = (1/2, 1/4, 1/4), y- = 1/2, T = 0.01, P = 160, one hidden layer: 0.093 in 1-1-1."""
    problem = problem_of(160)
    t = np.array([[3.8, -0.5, -0.5], [-1.4, 6.8, -0.8], [-1.4, -0.8, 6.8]])
    layer = solve_readout(problem, ClassKernel(np.zeros((3, 3)), np.ones(3)), t, Rule(11), order=40)
    activation = np.exp(layer.well_weight).T @ layer.site.mean
    redundant = np.all(activation > 0.5, axis=1)
    assert layer.share[redundant].sum() == pytest.approx(0.093, abs=1.5e-3)


@pytest.mark.parametrize("composition", [None, "quenched"])
def test_the_readout_layers_slope_is_the_residual(composition):
    problem = problem_of()
    if composition is not None:
        codes = np.array([[1, 1, 0], [1, 0, 1], [0, 1, 1], [1, 1, 1]], dtype=float)
        composition = Composition(codes, np.array([0.3, 0.3, 0.25, 0.15]))
    start = np.array([[3.8, -0.7, -0.7], [-1.5, 7.0, -1.2], [-1.5, -1.2, 7.0]])
    solved = solve_readout(problem, KERNEL, start, Rule(9), composition=composition, tolerance=1e-10)
    assert solved.error < 1e-9
    # The minimum: every shift of t on the same nodes raises the value, by the same in both directions at first order.
    for index in ((0, 0), (1, 2)):
        shifted = []
        for sign in (1, -1):
            t = solved.t.copy()
            t[index] += sign * 1e-3
            held = solve_readout(problem, KERNEL, t, Rule(9), solved.nodes, composition, tolerance=np.inf)
            shifted.append(held.value - solved.value)
        assert min(shifted) > 0
        assert abs(shifted[0] - shifted[1]) < 0.05 * max(shifted)


def test_more_nodes_bring_the_averages_closer():
    problem = problem_of()
    start = np.array([[3.8, -0.7, -0.7], [-1.5, 7.0, -1.2], [-1.5, -1.2, 7.0]])
    layers = [solve_readout(problem, KERNEL, start, Rule(8))]
    for size in (11, 13):
        layers.append(solve_readout(problem, KERNEL, layers[0].t, Rule(size), refined(layers[0].nodes, Rule(size))))
    coarse, fine, finest = (layer.backward()[0] for layer in layers)
    assert np.abs(fine - finest).max() < 0.5 * np.abs(coarse - finest).max()
    assert np.abs(fine - finest).max() < 2e-3 * np.abs(finest).max()
