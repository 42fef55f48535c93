import math

import numpy as np
import pytest

import nonlazy as nl
from nonlazy.errors import InvalidInput
from nonlazy.theory import Prediction
from nonlazy.theory.deep import deep_limit, solve_deep
from nonlazy.theory.deep._class_kernel import packed, unpacked
from nonlazy.theory.deep._hidden_layer import Tilt, hidden_layer
from nonlazy.theory.deep._orthogonal import propagate
from nonlazy.theory.deep._problem import limit_problem
from nonlazy.theory.deep._quadrature import Rule
from nonlazy.theory.deep._site import sigmoid
from nonlazy.theory.deep._state import Accuracy, state_at


def posterior_of(P=40, classes=2, temperature=0.01, depth=2, **settings):
    ratios = {2: (0.6, 0.4), 3: (0.5, 0.25, 0.25)}[classes]
    task = nl.tasks.toy(P, P + 4, class_ratios=ratios, y_minus=0.3)
    return nl.Posterior(nl.Network(P, depth), task, temperature, **settings)


@pytest.fixture(scope="module")
def prediction():
    """Two classes, with variances that are not the defaults."""
    return solve_deep(posterior_of(readout_variance=0.03, weight_variance=(1.3, 0.8)))


def orthogonal_rows(task, n):
    """Inputs orthogonal to all training inputs, to each other, and as long."""
    basis = np.linalg.svd(task.X)[2][task.P :]
    return basis[:n] * math.sqrt(task.N0)


def test_it_is_a_prediction_that_solves_its_equations(prediction):
    assert isinstance(prediction, Prediction)
    assert prediction.residual < 1e-8
    assert prediction.residual < prediction.quadrature_error < 1e-2
    assert prediction.stable and not prediction.certified and prediction.gap == math.inf
    state, problem = prediction.state, prediction.problem
    outputs = np.einsum("n,nc,nm->cm", state.readout.weight, state.readout.site.mean, readouts_at_nodes(prediction))
    np.testing.assert_allclose(problem.targets - problem.temperature * prediction.t, outputs, atol=1e-8)
    asked = problem.weight_variances[0] * packed(*state.readout.backward())
    np.testing.assert_allclose(state.tilts[0], asked, atol=1e-7)


def readouts_at_nodes(prediction):
    m = prediction.problem.m
    return math.sqrt(prediction.posterior.sigma_a2) * prediction.state.readout.nodes.x[:, -m:]


def test_free_energy_is_stationary_in_the_lower_kernel(prediction):
    """F against central differences in the tilt: zero slope, and a maximum."""
    state, problem = prediction.state, prediction.problem
    held = Accuracy(Rule(12, product=True), Rule(11), tolerance=1e-11)
    for k in range(state.tilts.shape[1]):
        size = 0.01 * abs(state.tilts[0, k])
        values = []
        for sign in (1, -1):
            tilts = state.tilts.copy()
            tilts[0, k] += sign * size
            values.append(state_at(problem, tilts, state.readout.t, held, state.nodes).value - state.value)
        slope, bend = (values[0] - values[1]) / (2 * size), (values[0] + values[1]) / size**2
        assert bend < 0
        # The quadrature's F is stationary up to its error: a shift by less than 1 % of the tilt would do.
        assert abs(slope) < 0.01 * abs(bend * state.tilts[0, k])


def test_slope_of_the_first_layers_log_total_is_its_kernel():
    problem = solve_problem()
    tilt = packed(np.array([[0.3, -0.2], [-0.2, 0.4]]), np.array([0.4, 0.5]))
    base = hidden_layer(problem, None, 1.3, Tilt(*unpacked(tilt, 2)), Rule(14, product=True))
    for k in range(len(tilt)):
        values, pairings = [], []
        for sign in (1, -1):
            moved = tilt.copy()
            moved[k] += sign * 1e-4
            shifted = Tilt(*unpacked(moved, 2))
            values.append(hidden_layer(problem, None, 1.3, shifted, Rule(14, product=True)).log_total)
            pairings.append(shifted.against(base.kernel, problem.counts))
        # log Z + tr Kt K / 2 has its minimum over Kt where K is the layer's own kernel.
        assert (values[0] - values[1]) / 2e-4 == pytest.approx(-(pairings[0] - pairings[1]) / 4e-4, rel=2e-3, abs=1e-3)


def solve_problem():
    return limit_problem(posterior_of(readout_variance=0.03, weight_variance=(1.3, 0.8)))


def test_codes_and_fractions(prediction):
    assert prediction.codes.fraction.sum() == pytest.approx(1, abs=1e-12)
    for layer in (1, 2):
        codes = prediction.layer_codes(layer)
        assert codes.fraction.sum() == pytest.approx(1, abs=1e-12)
        assert np.all(np.diff(codes.fraction) <= 1e-9)
        np.testing.assert_array_equal(codes.activation > 0.5, codes.active)
    np.testing.assert_array_equal(prediction.layer_codes(-1).active, prediction.codes.active)
    mean = prediction.state.readout.weight @ prediction.state.readout.site.mean
    np.testing.assert_allclose(prediction.codes.fraction @ prediction.codes.activation, mean, atol=1e-4)


def test_kernels_on_training_and_orthogonal_inputs(prediction):
    task = prediction.posterior.task
    first, last = int(np.flatnonzero(task.labels == 0)[0]), int(np.flatnonzero(task.labels == 1)[-1])
    X = np.concatenate([task.X[[first, last]], orthogonal_rows(task, 2)])
    for layer in (1, 2):
        block, excess = prediction.class_kernel(layer)
        K = prediction.kernel(X, layer=layer)
        np.testing.assert_allclose(K[:2, :2], block + np.diag(excess), atol=1e-12)
        np.testing.assert_allclose(K, K.T, atol=1e-12)
        assert np.linalg.eigvalsh(K).min() > 0
        assert K[2, 2] == K[3, 3] and K[2, 2] > K[2, 3]
    # First layer: an unseen input's preactivations are independent of the rest.
    mean = prediction.state.hidden[0].weight @ prediction.state.hidden[0].site.mean
    np.testing.assert_allclose(prediction.kernel(X, layer=1)[2, :2], 0.5 * mean, atol=1e-9)


def test_orthogonal_inputs_against_draws_of_the_layers_law(prediction):
    """Second layer: preactivations of the training inputs drawn from the law, those of unseen ones given them."""
    problem, state = prediction.problem, prediction.state
    generator = np.random.default_rng(5)
    first, second = propagate(problem, (*state.hidden, state.readout))
    layer, draws = state.readout, 4000
    pick = generator.choice(len(layer.weight), size=draws, p=layer.weight / layer.weight.sum())
    u, v = layer.law.fields(layer.nodes.x[pick])
    labels = np.repeat(np.arange(problem.C), problem.counts.astype(int))
    grid = np.linspace(-6, 6, 1201)
    z = np.zeros((draws, len(labels)))
    for c in range(problem.C):
        centre = u[:, c][:, None] + math.sqrt(layer.law.variance[c]) * grid
        weight = np.cumsum(np.exp(-0.5 * grid**2 + v[:, c][:, None] * sigmoid(centre)), axis=1)
        for mu in np.flatnonzero(labels == c):
            target = generator.random(draws) * weight[:, -1]
            z[:, mu] = centre[np.arange(draws), np.argmax(weight >= target[:, None], axis=1)]
    block = problem.weight_variances[0] * state.hidden[0].kernel.block[np.ix_(labels, labels)]
    K = block + np.diag(layer.law.variance[labels])
    k = problem.weight_variances[0] * first.with_training[labels]
    mean = z @ np.linalg.solve(K, k)
    variance = problem.weight_variances[0] * first.own - k @ np.linalg.solve(K, k)
    drawn = sigmoid(mean + math.sqrt(variance) * generator.standard_normal(draws))
    # False-alarm rate 6e-5 each at four standard errors, plus 1 % for the Gaussian law of the class sums.
    for found, expected in ((drawn, float(layer.weight @ second.mean)), (drawn**2, second.own)):
        assert abs(found.mean() - expected) < 4 * found.std() / math.sqrt(draws) + 0.01 * expected


def test_predictor(prediction):
    task = prediction.posterior.task
    trained = prediction.predict(task.X)
    np.testing.assert_allclose(task.Y - trained, 0.01 * prediction.t[task.labels], atol=1e-12)
    unseen = prediction.predict(orthogonal_rows(task, 2))
    np.testing.assert_allclose(unseen[0], unseen[1])
    assert np.all(prediction.predictor_variance(task.X) == 0)
    with pytest.raises(InvalidInput, match="neither training inputs nor orthogonal"):
        prediction.predict(0.5 * task.X[:1] + orthogonal_rows(task, 1))


def test_readout_density_and_draws_agree(prediction):
    grid = np.linspace(-6, 6, 1201)
    direction = np.array([1.0, -0.5])
    density = prediction.readout_density(direction, grid)
    step = grid[1] - grid[0]
    assert density.sum() * step == pytest.approx(1, abs=0.01)
    draws = prediction.sample_readouts(4000, seed=1) @ (direction / np.linalg.norm(direction))
    mean = float(grid @ density * step)
    spread = math.sqrt(float((grid - mean) ** 2 @ density * step))
    assert abs(draws.mean() - mean) < 4 * spread / math.sqrt(4000) + 0.01
    assert draws.std() == pytest.approx(spread, rel=0.06)
    expected = prediction.codes.fraction @ prediction.codes.readout @ (direction / np.linalg.norm(direction))
    assert mean == pytest.approx(expected, abs=0.01)


def test_preactivation_densities(prediction):
    grid = np.linspace(-12, 12, 2401)
    step = grid[1] - grid[0]
    for layer, state in ((1, prediction.state.hidden[0]), (2, prediction.state.readout)):
        codes = prediction.layer_codes(layer)
        for label in (0, 1):
            everyone = prediction.preactivation_density(grid, None, label, layer)
            assert everyone.sum() * step == pytest.approx(1, abs=1e-4)
            mean = state.weight @ state.site.mean[:, label]
            assert sigmoid(grid) @ everyone * step == pytest.approx(mean, abs=1e-4)
            by_code = [prediction.preactivation_density(grid, k, label, layer) for k in range(len(codes))]
            np.testing.assert_allclose(codes.fraction @ np.array(by_code), everyone, atol=1e-4)
    with pytest.raises(InvalidInput, match="has the codes"):
        prediction.preactivation_density(grid, 99, 0)


def test_table_and_dataset(prediction):
    text = str(prediction)
    assert "layer 1, whose neurons change code freely" in text
    assert max(len(line) for line in text.splitlines()[1:] if "certificate" not in line) <= 100
    data = prediction.to_xarray()
    assert data["kernel_block"].shape == (2, 2, 2) and data.attrs["ensemble"] == "equilibrium"


def test_quenched_costs_more_and_keeps_its_fractions(prediction):
    shares = [tuple(int(bit) for bit in code) for code, _ in codes_with_share(prediction)]
    given = {code: 1 / len(shares) + (0.1 if k == 0 else -0.1 / (len(shares) - 1)) for k, code in enumerate(shares)}
    moved = solve_deep(prediction.posterior, fractions=given)
    assert moved.ensemble == "quenched" and moved.residual < 1e-8
    assert moved.free_energy > prediction.free_energy
    for code, share in codes_with_share(moved):
        assert share == pytest.approx(given[tuple(int(bit) for bit in code)], abs=2e-3)


def codes_with_share(prediction):
    kept = prediction.codes.fraction > 1e-3
    fraction = prediction.codes.fraction[kept]
    return list(zip(prediction.codes.active[kept], fraction / fraction.sum(), strict=True))


def test_saturated_codes_by_brute_force():
    """y- = 1/2, T = 0: 0.265 of each pair and 0.205 of all three; every other choice of readouts costs more."""
    task = nl.tasks.toy(40, 44, y_minus=0.5)
    posterior = nl.Posterior(nl.Network(40, 2), task, 0.0)
    found = deep_limit(posterior)
    assert found.gap < 1e-8 and found.residual < 1e-7 and found.unique
    shares = dict(zip((tuple(code.astype(int)) for code in found.codes), found.fractions, strict=True))
    assert shares[1, 1, 1] == pytest.approx(0.205, abs=1e-3)
    assert all(shares[pair] == pytest.approx(0.265, abs=1e-3) for pair in ((0, 1, 1), (1, 0, 1), (1, 1, 0)))
    lengths = np.linalg.norm(found.readouts, axis=1)
    np.testing.assert_allclose(lengths, lengths[0], rtol=1e-6)
    assert 0.5 * lengths[0] ** 2 == pytest.approx(found.value, rel=1e-6)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"temperature": 0.0}, "needs T > 0"),
        ({"depth": 4}, "two and three hidden layers"),
    ],
)
def test_refusals(change, text):
    with pytest.raises(InvalidInput, match=text):
        solve_deep(posterior_of(**change))


def test_refusals_of_tasks_and_fractions():
    posterior = posterior_of()
    generator = np.random.default_rng(0)
    correlated = nl.tasks.from_arrays(generator.standard_normal((40, 44)), posterior.task.Y, posterior.task.labels)
    with pytest.raises(InvalidInput, match="not orthogonal"):
        solve_deep(nl.Posterior(nl.Network(40, 2), correlated, 0.01))
    with pytest.raises(InvalidInput, match="activation 'tanh'"):
        solve_deep(nl.Posterior(nl.Network(40, 2, "tanh"), posterior.task, 0.01))
    with pytest.raises(InvalidInput, match="lazy"):
        solve_deep(nl.Posterior(nl.Network(40, 2, readout="lazy"), posterior.task, 0.01))
    with pytest.raises(InvalidInput, match="finite_size=False"):
        solve_deep(posterior, finite_size=False)
    with pytest.raises(InvalidInput, match=r"sum to 0\.9"):
        solve_deep(posterior, fractions={(1, 0): 0.9})
    five = nl.tasks.toy(40, 44, class_ratios=(0.2,) * 5)
    with pytest.raises(InvalidInput, match="5 classes"):
        solve_deep(nl.Posterior(nl.Network(40, 2), five, 0.01))
