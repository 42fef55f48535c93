"""`nonlazy.sample`: what decides the draws and what does not, errors, and what is kept."""

import gc
import inspect
import os
import shutil
import signal
import tempfile

import jax
import numpy as np
import pytest

import nonlazy as nl
from nonlazy import activations
from nonlazy.errors import SamplingError, StoreError
from nonlazy.sampling import HMC, GradientDescent, Record, _chain, open_run
from nonlazy.sampling._coordinates import coordinates
from tests.sampling.runs import POSTERIOR, SETTINGS, assert_same_draws, sample
from tests.sampling.small_posteriors import general_task, orthogonal_task


pytestmark = pytest.mark.usefixtures("quick_compilation")

ORTHOGONAL = nl.Posterior(nl.Network(5, 1, "sigmoid"), orthogonal_task(6, 8), 0.1)


# What decides the draws.


def test_draws_do_not_depend_on_how_they_are_made_nor_on_the_other_chains(reference):
    assert_same_draws(sample(chains=1, checkpoint_seconds=0.0, progress=True, experiment="named"), reference)


def test_chains_and_draws_differ(reference):
    readouts = reference.readouts()
    assert not np.isclose(readouts[0], readouts[1]).any()
    assert not np.isclose(readouts[:, 0], readouts[:, -1]).all()


def test_batched_chains_agree_to_rounding_at_first(reference):
    # After eight iterations; later, rounding grows, as it does in any chaotic motion.
    batched = sample(chains=3, chain_method="batched")
    np.testing.assert_allclose(batched.readouts()[:, 0], reference.readouts()[:, 0], rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(batched.outputs(0, 2), reference.outputs(0, 2), rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(
        batched.statistics()["step_size"].values, reference.statistics()["step_size"].values, rtol=1e-3
    )


def test_draws_are_thin_iterations_apart(reference):
    # Draws with half the thinning are twice as many, and every second of them is one of these.
    twice = sample(chains=1, draws=16, thin=1)
    np.testing.assert_array_equal(twice.readouts()[:, 1::2], reference.readouts()[:1])
    steps = twice.statistics()["steps"].values
    np.testing.assert_array_equal(steps[:, ::2] + steps[:, 1::2], reference.statistics()["steps"].values[:1])


def test_chains_come_down_from_where_single_precision_does_not_resolve_an_energy():
    # The first energies are 2e8, of which a float32 holds no more than tens; without a tolerance a chain sticks.
    task = nl.tasks.toy(P=60, N0=64, class_ratios=(0.1,) * 10)
    posterior = nl.Posterior(nl.Network(60), task, temperature=1e-5)
    run = nl.sample(posterior, draws=4, warmup=100, chains=3, moves=None, chain_method="sequential", progress=False)
    # Of P m residuals with variance T / N each; five times as much is 90 standard deviations.
    expected = 60 * 10 * 1e-5 / (2 * 60)
    assert (run.statistics()["loss"].values < 5 * expected).all()


# What is kept.


def assert_consistent(run):
    """That everything kept of a snapshot follows from its weights, by the network's own formulas in NumPy."""
    posterior, task, network = run.posterior, run.task, run.posterior.network
    snapshots = run.tree["snapshots"]
    where = coordinates(posterior)
    basis = np.eye(task.N0) if where.basis is None else where.basis
    for chain in range(run.chains):
        for index, draw in enumerate(run.kept_draws):
            kept = snapshots.isel(chain=chain, snapshot=index)
            first = kept["first_weight"].values.astype(np.float64)
            hidden = kept["hidden_weight"].values.astype(np.float64) if network.depth > 1 else []
            readout = run.readouts()[chain, draw].astype(np.float64)
            for X, test in ((task.X, False), (task.X_test, True)):
                if X is None:
                    continue
                z = first @ X.T / np.sqrt(task.N0)
                np.testing.assert_allclose(run.preactivations(0, draw, chain, test=test), z, rtol=1e-4, atol=1e-4)
                for layer, matrix in enumerate(hidden, start=1):
                    z = matrix @ network.phi(z) / np.sqrt(network.width)
                    np.testing.assert_allclose(
                        run.preactivations(layer, draw, chain, test=test), z, rtol=1e-4, atol=1e-4
                    )
                f = network.readout_scale * network.phi(z).T @ readout
                np.testing.assert_allclose(run.outputs(draw, chain, test=test), f, rtol=1e-3, atol=1e-4)
            statistics = run.statistics().isel(chain=chain, draw=draw)
            phi = run.activations(-1, draw, chain)
            loss = 0.5 * np.sum((task.Y - network.readout_scale * phi.T @ readout) ** 2)
            prior = np.sum((first @ basis) ** 2) / posterior.sigma2[0] + np.sum(readout**2) / posterior.sigma_a2
            prior += sum(np.sum(matrix**2) / s for matrix, s in zip(hidden, posterior.sigma2[1:], strict=True))
            assert float(statistics["loss"]) == pytest.approx(loss, rel=1e-3, abs=1e-6)
            log_density = -loss / posterior.noise_variance - prior / 2
            assert float(statistics["log_density"]) == pytest.approx(log_density, rel=1e-3)
            assert float(statistics["sum_a2"]) == pytest.approx(np.sum(readout**2), rel=1e-4)
            norms = np.sort(np.sum(readout**2, axis=1))[::-1][:10]
            np.testing.assert_allclose(statistics["readout_norm"], norms, rtol=1e-4)
            pair = run.tree["constant_data/kernel_pair"].values[1]
            entry = np.mean(phi[:, pair[0]] * phi[:, pair[1]])
            assert float(statistics["kernel_entry"][-1, 1]) == pytest.approx(entry, rel=1e-3, abs=1e-5)


def test_what_is_kept_follows_from_the_weights(reference):
    assert_consistent(reference)
    assert reference.kept_draws == (2, 5, 7)


# The loss a draw may keep, as a part of the loss without any outputs.
ARCHITECTURES = {
    "two layers": (nl.Posterior(nl.Network(12, 2, "sigmoid"), general_task(10, 20, test=4), 1e-3), 0.01),
    "three layers": (nl.Posterior(nl.Network(10, 3, "tanh"), orthogonal_task(10, 10), 1e-3), 0.01),
    "lazy, P > N0": (nl.Posterior(nl.Network(12, 1, "relu", "lazy"), general_task(9, 7, test=3), 1e-3), 0.1),
}


@pytest.fixture(scope="module", params=ARCHITECTURES)
def architecture(request, quick_compilation):
    posterior, part = ARCHITECTURES[request.param]
    record = Record(snapshots=40, weights=True)
    return sample(posterior, chains=1, draws=40, warmup=120, thin=1, record=record, moves=None), part


def test_networks_of_any_kind_reach_the_data(architecture):
    run, part = architecture
    statistics = run.statistics()
    assert (statistics["loss"].values < part * 0.5 * np.sum(run.task.Y**2)).all()
    assert all(np.isfinite(statistics[name]).all() for name in statistics)
    assert int(statistics["diverging"].sum()) == 0
    assert 0.4 < float(statistics["acceptance"].mean()) < 1.0
    # A chain at the level of T: the dual field is of order 1, not of order 1/T = 1000.
    assert np.abs(run.dual_field()).mean() < 20
    assert_consistent(run)
    if run.task.P > run.task.N0:
        assert np.linalg.matrix_rank(run.preactivations()) <= run.task.N0


def test_means_are_those_of_the_draws(architecture):
    run, N = architecture[0], architecture[0].posterior.network.width
    phi = np.stack([run.activations(-1, draw) for draw in range(run.draws)]).astype(np.float64)
    np.testing.assert_allclose(run.kernel(), np.einsum("dni,dnj->ij", phi, phi) / (N * 40), rtol=1e-3, atol=1e-5)
    by_class = np.stack([phi[:, :, run.task.labels == c].mean(axis=(0, 2)) for c in range(2)], axis=1)
    np.testing.assert_allclose(run.class_activations()[0], by_class, rtol=1e-3, atol=1e-5)
    outputs = np.mean([run.outputs(draw).astype(np.float64) for draw in range(run.draws)], axis=0)
    np.testing.assert_allclose(run.mean_outputs()[0], outputs, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(run.dual_field()[0], (run.task.Y - outputs) / 1e-3, atol=1e-2)


def test_the_warm_up_is_kept_apart(reference):
    warmup = reference.tree["warmup_sample_stats"]
    assert warmup["loss"].shape == (3, 6)
    assert np.isfinite(warmup["loss"]).all()
    assert (warmup["temperature"] == np.float32(0.1)).all()
    # The draws are made with the mean step of the adaptation, the same for all.
    steps = reference.statistics()["step_size"].values
    assert (steps == steps[:, :1]).all()
    adapted = np.log(warmup["step_size"].values[:, 4:].astype(np.float64))
    assert (np.abs(np.log(steps[:, 0]) - adapted.mean(axis=1)) < 0.1).all()


def test_a_caller_in_double_precision_gets_the_same_single_precision_draws(reference, float64):
    assert_same_draws(sample(chains=1), reference)
    assert jax.config.jax_enable_x64


# Where the run lies.


def test_a_temporary_folder_is_removed_where_sampling_fails(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))

    def fail(*_):
        raise SamplingError("stop here")

    monkeypatch.setattr(_chain, "run_chains", fail)
    with pytest.raises(SamplingError, match="stop here"):
        sample()
    assert not list(tmp_path.iterdir())


def test_a_complete_run_is_opened_without_sampling(tmp_path, monkeypatch, reference):
    path = tmp_path / "folder" / "run.zarr"
    shutil.copytree(reference.path, path)

    def fail(*_):
        raise AssertionError("nothing is left to sample")

    monkeypatch.setattr(_chain, "run_chains", fail)
    assert_same_draws(sample(chains=3, store=str(path)), reference)
    assert_same_draws(sample(chains=3, store=path, resume=True, checkpoint_seconds=1.0, experiment="other"), reference)
    # NumPy's whole numbers are the same request.
    numbers = {"draws": np.int64(8), "thin": np.int32(2), "seed": np.int64(3), "warmup": np.int64(6)}
    arguments = {**SETTINGS, **numbers, "chains": np.int64(3), "store": path}
    assert_same_draws(inspect.unwrap(nl.sample)(POSTERIOR, **arguments), reference)
    with pytest.raises(AssertionError, match="nothing is left"):
        sample(chains=3, store=path, overwrite=True)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (dict(seed=4), "seed is 3 there and 4 here"),
        (dict(draws=9), "draws is 8 there and 9 here"),
        (dict(precision="float64"), "precision"),
        (dict(chain_method="batched"), "chain_method"),
        (dict(sampler=HMC(jitter=0.1)), "sampler.jitter"),
        (dict(sampler="langevin"), "sampler.kind"),
        (dict(posterior=ORTHOGONAL), "posterior.task.P is 7 there and 6 here"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_another_configuration_is_refused_and_named(tmp_path_factory, reference, changes, said):
    with pytest.raises(StoreError, match="holds another experiment") as caught:
        sample(**{"chains": 3, "store": reference.path, **changes})
    assert said in str(caught.value)
    assert reference.readouts().shape[1] == 8


def test_overwriting_starts_afresh_and_resuming_insists(tmp_path, reference):
    path = tmp_path / "run.zarr"
    with pytest.raises(StoreError, match="no run to resume"):
        sample(store=path, resume=True)
    assert not path.exists()
    shutil.copytree(reference.path, path)
    assert_same_draws(sample(chains=1, store=path, overwrite=True), reference)


# Activations of the user's own.


def test_processes_draw_bit_for_bit_what_one_process_draws_with_an_activation_of_ones_own(monkeypatch):
    # Optimised as always. Processes are told to use wide vectors and one thread: with a network as small as this one,
    # rounding knows nothing of it. Larger ones may differ, so the way of running chains is part of the configuration.
    monkeypatch.setenv("JAX_DISABLE_MOST_OPTIMIZATIONS", "0")
    jax.config.update("jax_disable_most_optimizations", False)
    scale = 0.5
    phi = activations.get(lambda z: jax.numpy.tanh(scale * z), kind="sigmoidal")
    posterior = nl.Posterior(nl.Network(5, 1, phi), ORTHOGONAL.task, 0.1)
    try:
        processes, one = (sample(posterior, chains=1, chain_method=how) for how in ("processes", "sequential"))
    finally:
        jax.config.update("jax_disable_most_optimizations", True)
    assert_same_draws(processes, one)
    phi_of_z = np.tanh(0.5 * processes.preactivations())
    np.testing.assert_allclose(processes.activations(), phi_of_z, rtol=1e-5)
    np.testing.assert_allclose(processes.outputs(), phi_of_z.T @ processes.readouts()[0, -1] / 5, rtol=1e-3, atol=1e-5)
    assert open_run(processes.path, phi).posterior.network.phi is phi


def failing(how):
    def function(z):
        # The request itself evaluates it at a few NumPy numbers; the process of the chain traces it.
        if isinstance(z, np.ndarray):
            return z
        if how == "raise":
            raise ZeroDivisionError("an activation that fails")
        os.kill(os.getpid(), signal.SIGKILL)
        return z

    return nl.Posterior(nl.Network(5, 1, activations.get(function, kind="sigmoidal")), ORTHOGONAL.task, 0.1)


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ("raise", ["chain 0", "an activation that fails", "ZeroDivisionError", "Traceback", "in function"]),
        ("kill", ["the process of chain 0 ended with signal 9", "too little memory", "goes on from there"]),
    ],
)
def test_a_process_that_fails_is_reported(tmp_path, how, said):
    with pytest.raises(SamplingError) as caught:
        sample(failing(how), chains=1, store=tmp_path / "run.zarr", chain_method="processes")
    for words in said:
        assert words in str(caught.value)


def test_a_start_that_is_not_finite_stops_the_run(tmp_path):
    phi = activations.get(lambda z: jax.numpy.nan * z, kind="sigmoidal")
    with pytest.raises(SamplingError, match="the loss is not finite where the chain starts"):
        sample(nl.Posterior(nl.Network(5, 1, phi), ORTHOGONAL.task, 0.1), store=tmp_path / "run.zarr")


# Noiseless descent.


def test_descent_runs_without_noise_and_its_draws_are_times():
    posterior = nl.Posterior(nl.Network(5, 1, "sigmoid"), ORTHOGONAL.task, 0.0)
    descent = GradientDescent(2.0, steps=20, weight_decay=False)
    run = sample(posterior, chains=1, warmup=None, draws=30, thin=1, sampler=descent)
    losses = run.statistics()["loss"].values[0]
    assert (np.diff(losses) < 0).all()
    assert losses[-1] < 0.9 * losses[0]
    assert (run.statistics()["steps"].values == 20).all()
    # Without a store the run lies in a temporary folder, for as long as it lives.
    folder = run.path.parent
    assert folder.is_dir()
    del run
    gc.collect()
    assert not folder.exists()


def test_descent_keeps_the_weights_that_the_training_inputs_do_not_see():
    generator = np.random.default_rng(0)
    X, Y = generator.standard_normal((6, 12)), np.eye(2)[[0, 0, 0, 1, 1, 1]]
    task = nl.tasks.from_arrays(X, Y, X_test=generator.standard_normal((2, 12)), Y_test=np.eye(2))
    run = nl.sample(
        nl.Posterior(nl.Network(4), task, 0.0),
        draws=4,
        sampler=nl.sampling.GradientDescent(1e-6, steps=1, weight_decay=False),
        record=nl.sampling.Record(weights=True, snapshots=4),
        chain_method="sequential",
        progress=False,
    )
    weights = run.tree["snapshots/first_weight"].values[0]
    assert np.abs(np.diff(weights, axis=0)).max() < 1e-4
    assert np.abs(weights).max() > 0.1
    assert np.isnan(run.statistics()["log_density"].values).all()
