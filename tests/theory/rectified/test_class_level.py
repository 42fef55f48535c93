"""The class-level solver against closed forms, brute force and its own dual."""

import numpy as np
import pytest
import scipy.optimize
from scipy.special import ndtr

import nonlazy as nl
from nonlazy.theory.rectified import solve_rectified
from nonlazy.theory.rectified._ball import dual_ball
from nonlazy.theory.rectified._bulk_bound import bound_tables, bulk_is_global
from nonlazy.theory.rectified._class_solver import solve_classes
from nonlazy.theory.rectified._classes import ClassProblem, bulk_energy, bulk_minimum, equations
from nonlazy.theory.rectified._finite_size import bulk_law
from nonlazy.theory.rectified._single_input import SingleInput
from tests.theory.rectified.random_tasks import check, largest_ball_value, random_posterior


def solve(ratios=(0.5, 0.25, 0.25), y_minus=-0.5, scale=1.0, temperature=0.0, activation="relu", P=200, **settings):
    task = nl.tasks.toy(P=P, N0=P, class_ratios=ratios, y_plus=scale, y_minus=scale * y_minus)
    posterior = nl.Posterior(nl.Network(P, activation=activation), task, temperature, **settings)
    return solve_rectified(posterior, finite_size=False)


def by_class(prediction):
    """Outliers in the order of the class that they code."""
    order = np.argsort(np.argmax(prediction.outliers.preactivation, axis=1))
    return prediction.outliers.readout[order], prediction.outliers.preactivation[order]


def closed_form(ratios, Y, T):
    """One outlier a class: theory.md II.3, by plain iteration with G(h) = 1/2 + e^(h^2/2) Phi(h)."""
    rho = np.array(ratios)
    a0 = np.zeros(Y.shape[1])
    h = np.zeros(len(rho))
    for _ in range(500):
        e = np.exp(h**2 / 2)
        s = (h * e * ndtr(h) + 1 / np.sqrt(2 * np.pi)) / (0.5 + e * ndtr(h))
        r = Y - np.outer(s, a0)
        length = np.linalg.norm(r, axis=1)
        v = r / length[:, None]
        a0 = (np.sqrt(rho) * s) @ v
        h = (v @ a0) / np.sqrt(rho)
    weight = np.sqrt(rho) * length - T
    return np.sqrt(weight)[:, None] * v, np.sqrt(weight / rho), a0, s


@pytest.mark.parametrize(("y_minus", "temperature"), [(-0.5, 0.0), (-0.5, 0.2), (-1.0, 0.0), (0.0, 0.1)])
def test_one_outlier_a_class_is_the_closed_form(y_minus, temperature):
    ratios = (0.5, 0.25, 0.25)
    prediction = solve(ratios, y_minus, temperature=temperature)
    Y = y_minus + (1 - y_minus) * np.eye(3)
    abar, own, a0, s = closed_form(ratios, Y, temperature)
    readout, z = by_class(prediction)
    assert prediction.certified
    assert prediction.residual < 1e-12
    np.testing.assert_allclose(readout, abar, atol=1e-10)
    np.testing.assert_allclose(z, np.diag(own), atol=1e-10)
    np.testing.assert_allclose(prediction.bulk.readout, a0, atol=1e-10)
    np.testing.assert_allclose(prediction.bulk.activation, s, atol=1e-10)


def test_weights_fall_linearly_with_temperature_until_an_outlier_is_gone():
    cold, warm = solve(), solve(temperature=0.3)
    for a, b in zip(by_class(cold)[0], by_class(warm)[0], strict=True):
        assert a @ a - b @ b == pytest.approx(0.3, abs=1e-10)
    lightest = np.min(cold.outliers.weight)
    assert len(solve(temperature=lightest + 0.01).outliers) == 1
    assert len(solve(temperature=1.0).outliers) == 0
    assert solve(temperature=1.0).certified


@pytest.mark.parametrize(
    ("ratios", "y_minus", "scale", "activation", "energy"),
    [
        ((0.5, 0.25, 0.25), -0.5, 1.0, "relu", 2.0845040151),
        ((1 / 3, 1 / 3, 1 / 3), -0.5, 1.0, "relu", 1.5 * np.sqrt(2)),
        ((0.5, 0.25, 0.25), -0.5, 1.0, "softplus", 2.075482),
        ((0.5, 0.25, 0.25), -0.5, 1.0, "requ", 1.539956),
    ],
)
def test_free_energies_of_the_design_notes(ratios, y_minus, scale, activation, energy):
    # P = 300, so that the classes have exactly these shares.
    assert solve(ratios, y_minus, scale, activation=activation, P=300).free_energy == pytest.approx(energy, rel=5e-7)


def test_two_classes_and_six():
    task = nl.tasks.toy(P=100, N0=100, targets="binary")
    binary = solve_rectified(nl.Posterior(nl.Network(100, activation="relu"), task, 0.0), finite_size=False)
    assert binary.certified
    assert len(binary.outliers) == 2
    assert binary.free_energy == pytest.approx(np.sqrt(2), abs=1e-10)
    np.testing.assert_allclose(binary.bulk.readout, 0, atol=1e-10)
    six = ClassProblem(np.full(6, 1 / 6), -0.1 + 1.1 * np.eye(6), 0.0, SingleInput())
    solved = solve_classes(six)
    assert len(solved.solution.outliers) == 6
    assert abs(solved.gap) < 1e-9


@pytest.mark.parametrize(("share", "scale"), [(0.8, 0.1), (0.8, 0.2), (0.7, 0.05), (0.7, 0.1), (0.6, 0.02)])
def test_the_bulk_codes_a_dominant_class_with_small_targets(share, scale):
    prediction = solve((share, (1 - share) / 2, (1 - share) / 2), scale=scale, P=1000)
    assert prediction.certified
    assert len(prediction.outliers) == 2
    np.testing.assert_allclose(prediction.outliers.preactivation[:, 0], 0, atol=1e-9)


def test_outliers_that_are_not_unique_are_reported():
    prediction = solve(y_minus=0.5)
    assert prediction.certified
    assert "one of many" in prediction.certificate
    assert "one of many" not in solve().certificate


def test_one_output_by_direct_minimisation():
    """m = 1, C = 2: the primal as a function of the bulk alone, minimised without derivatives."""
    rho, y = np.array([0.7, 0.3]), np.array([1.0, -0.6])
    X = nl.tasks.toy(P=100, N0=100).X
    task = nl.tasks.from_arrays(X, np.repeat(y, [70, 30])[:, None], np.repeat([0, 1], [70, 30]))
    prediction = solve_rectified(nl.Posterior(nl.Network(100, activation="relu"), task, 0.0), finite_size=False)
    single = SingleInput()

    def primal(x):
        a0, h = x[0], x[1:]
        g, s, _, _ = single.cumulants(h)
        rest = y - s * a0
        # With one output, all outliers of one sign are one: |a| |z| at a z = rest.
        outliers = sum(np.sqrt(rho @ np.maximum(sign * rest, 0.0) ** 2) for sign in (1, -1))
        return 0.5 * a0**2 + rho @ (h * s - g) + outliers

    generator = np.random.default_rng(0)
    found = [
        scipy.optimize.minimize(
            primal, generator.normal(0, 0.5, 3), method="Nelder-Mead", options={"xatol": 1e-8, "fatol": 1e-12}
        ).fun
        for _ in range(6)
    ]
    assert prediction.free_energy == pytest.approx(min(found), abs=1e-9)


def test_jacobian_of_the_equations():
    generator = np.random.default_rng(0)
    problem = ClassProblem(np.array([0.2, 0.3, 0.5]), generator.standard_normal((3, 2)), 0.1, SingleInput(1.3))
    parts = [generator.standard_normal(shape) for shape in ((3, 2), (2,), (4, 2))]
    x = np.concatenate([part.ravel() for part in parts])

    def at(x):
        return equations(problem, x[:6].reshape(3, 2), x[6:8], x[8:].reshape(4, 2))

    numeric = np.array([(at(x + d)[0] - at(x - d)[0]) / 2e-6 for d in 1e-6 * np.eye(x.size)]).T
    np.testing.assert_allclose(at(x)[1], numeric, atol=1e-7)


@pytest.mark.parametrize("seed", range(6))
def test_ball_by_enumeration_is_the_ball_by_ascent(seed):
    generator = np.random.default_rng(seed)
    C, m = generator.integers(2, 7), generator.integers(1, 5)
    t, ratios = generator.standard_normal((C, m)), generator.dirichlet(np.ones(C))
    assert dual_ball(t, ratios).norm == pytest.approx(largest_ball_value(t, ratios), rel=1e-9)


def test_ball_with_degenerate_eigenvalues():
    t = np.vstack([np.eye(3), np.eye(3)])
    assert dual_ball(t, np.full(6, 1 / 6)).norm == pytest.approx(1 / 3)
    # The plane's eigenvalue 1 has no vector on which both classes are active and the third is not, save on its edges.
    angles = np.array([0.0, 2.0, 4.0]) * np.pi / 3
    star = np.column_stack([np.cos(angles), np.sin(angles)])
    assert dual_ball(star, np.full(3, 1.0)).norm == pytest.approx(largest_ball_value(star, np.full(3, 1.0)), rel=1e-9)


@pytest.mark.parametrize("sharpness", [np.inf, 1.0, 3.0])
def test_cumulants_are_derivatives_and_averages(sharpness):
    single = SingleInput(sharpness)
    h = np.linspace(-6, 6, 49)
    g, s, variance, third = single.cumulants(h)
    for values, slope in ((g, s), (s, variance), (variance, third)):
        index = next(i for i, part in enumerate((g, s, variance)) if part is values)
        plus, minus = single.cumulants(h + 1e-5)[index], single.cumulants(h - 1e-5)[index]
        np.testing.assert_allclose((plus - minus) / 2e-5, slope, rtol=1e-5, atol=1e-7)
    z = np.linspace(-12, 18, 300001)
    density = np.exp(2.0 * single.phi(z) - z**2 / 2) / np.sqrt(2 * np.pi)
    assert np.log(np.trapezoid(density, z)) == pytest.approx(single.cumulants(np.array([2.0]))[0][0], abs=1e-8)


@pytest.mark.parametrize("sharpness", [np.inf, 1.0])
def test_bound_tables_bound(sharpness):
    single = SingleInput(sharpness)
    tables = bound_tables(single)
    generator = np.random.default_rng(0)
    low = generator.uniform(-10, 10, 200)
    high = low + generator.exponential(1.0, 200)
    inside = low + (high - low) * generator.uniform(0, 1, (500, 200))
    g, _, _, _ = (part.reshape(inside.shape) for part in single.cumulants(inside.ravel()))
    psi = g - 0.5 * np.maximum(inside, 0.0) ** 2
    bound = tables.largest_psi(low, high)
    assert np.all(psi.max(axis=0) <= bound)
    assert np.all(bound <= psi.max(axis=0) + 0.05)
    growth = tables.growth(single, 0.3)
    at, slope, _, _ = (float(part[0]) for part in single.cumulants(np.array([0.3])))
    ratio = 2 * (g - at - slope * (inside - 0.3)) / (inside - 0.3) ** 2
    away = np.min(np.abs(inside - 0.3), axis=0) > 1e-3
    assert np.all(ratio.max(axis=0)[away] <= growth(*tables.nodes(low, high))[away])


def test_bulk_bound_accepts_the_global_minimum():
    problem = ClassProblem(np.array([0.5, 0.25, 0.25]), -0.5 + 1.5 * np.eye(3), 0.0, SingleInput())
    t = solve_classes(problem).solution.field
    a0, energy = bulk_minimum(problem, t, np.zeros(3))
    assert bulk_is_global(problem, t, a0, energy)
    grid = np.stack(np.meshgrid(*[np.linspace(-40, 40, 61)] * 3), axis=-1).reshape(-1, 3)
    assert bulk_energy(problem, t, grid).min() >= energy


def test_bulk_bound_rejects_a_local_minimum():
    """A field on the ball in which the bulk's energy has two minima, at a = 0.8 and 2.5: the second is lower."""
    ratios = np.array([0.3, 0.7])
    t = np.sqrt(np.array([0.93, 0.07]) / ratios)[:, None]
    problem = ClassProblem(ratios, t, 0.0, SingleInput())
    near, far = (bulk_minimum(problem, t, np.array([start])) for start in (0.5, 3.0))
    assert far[0][0] - near[0][0] > 1
    assert far[1] < near[1]
    assert bulk_is_global(problem, t, *far)
    assert not bulk_is_global(problem, t, *near)


def test_finite_size_bulk_is_the_integral():
    """First order in 1/P against the integral over the bulk's peak: the error falls as 1/P^2."""
    problem = ClassProblem(np.array([0.5, 0.25, 0.25]), -0.5 + 1.5 * np.eye(3), 0.0, SingleInput())
    t = solve_classes(problem).solution.field
    axes = np.linalg.svd(t)[2][:2]
    a0, lowest = bulk_minimum(problem, t, np.zeros(3))
    errors = []
    for P in (100, 400):
        u = np.linspace(-6, 6, 161) / np.sqrt(P)
        points = (np.stack(np.meshgrid(u, u), axis=-1).reshape(-1, 2)) @ axes + a0
        weight = np.exp(-P * (bulk_energy(problem, t, points) - lowest))
        weight /= weight.sum()
        s = problem.single.cumulants((points @ t.T).ravel())[1].reshape(-1, 3)
        law = bulk_law(problem, t, a0, P)
        errors.append(
            max(
                np.max(np.abs(weight @ points - law.mean)),
                np.max(np.abs(weight @ s - law.activation)),
                np.max(np.abs(np.einsum("k,kc,kr->cr", weight, s, points) - law.drive)),
            )
        )
    assert errors[0] < 2e-3
    assert errors[1] < errors[0] / 8


@pytest.mark.parametrize("seed", range(6))
def test_random_tasks(seed):
    check(random_posterior(seed))


def test_squared_relu_has_the_energy_of_brute_force():
    """Two classes, one output, T = 0: each costs 3/2 (rho |y| / 2)^(2/3); of opposite signs, they share nothing."""
    prediction = solve_rectified(
        nl.Posterior(nl.Network(50, activation="requ"), nl.tasks.toy(P=50, N0=50, targets="binary"), 0.0),
        finite_size=False,
    )
    single = scipy.optimize.minimize_scalar(lambda a: 0.5 * a**2 + 0.5 * 0.5 / a, bounds=(0.1, 3), method="bounded")
    assert prediction.free_energy == pytest.approx(2 * single.fun, abs=1e-8)
    assert not prediction.certified
    assert prediction.gap == np.inf
    assert "best of" in prediction.certificate


@pytest.mark.parametrize("activation", ["relu", "softplus"])
@pytest.mark.parametrize("temperature", [0.0, 1e-2])
def test_one_input_has_no_outlier_without_weight(activation, temperature):
    """With P = 1 the corrections of first order in 1/P are not small: what they leave is said not to be proved."""
    task = nl.tasks.from_arrays(np.ones((1, 4)), np.array([[1.0, -0.5]]), labels=np.zeros(1, dtype=np.int64))
    posterior = nl.Posterior(nl.Network(50, activation=activation), task, temperature)
    for finite_size in (True, False):
        prediction = solve_rectified(posterior, finite_size)
        assert prediction.residual < 1e-9
        assert np.all(prediction.outliers.weight > 1e-6)
        np.testing.assert_allclose(prediction.predict(task.X), task.Y - temperature * prediction.field, atol=1e-9)
    finite = solve_rectified(posterior)
    if len(finite.outliers) != len(solve_rectified(posterior, False).outliers):
        assert not finite.certified and "not proved at this size" in finite.certificate
