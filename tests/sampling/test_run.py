import shutil
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
import xarray

from nonlazy import activations
from nonlazy.errors import InvalidInput, StoreError
from nonlazy.sampling._run import open_run
from nonlazy.sampling.store import _provenance
from nonlazy.sampling.store._layout import Variable
from nonlazy.sampling.store._provenance import collect_provenance
from nonlazy.sampling.store._store import create, finish
from tests.sampling import store_example as example


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    path = tmp_path_factory.mktemp("runs") / "run.zarr"
    example.create_example(path)
    for chain in range(example.CHAINS):
        example.sample_chain(path, chain)
    finish(path)
    return path


@pytest.fixture
def run(path):
    return open_run(path)


def test_posterior_and_task_come_back_as_they_were(run):
    posterior = example.example_posterior()
    for name in ("X", "Y", "labels", "X_test", "Y_test", "labels_test"):
        np.testing.assert_array_equal(getattr(run.task, name), getattr(posterior.task, name), strict=True)
    assert run.task.class_names == ("left", "right")
    assert (run.task.name, run.task.provenance) == ("a small task", {"seed": 1})
    assert str(run.posterior) == str(posterior)
    assert run.posterior.network == posterior.network
    assert (run.posterior.sigma_a2, run.posterior.sigma2) == (posterior.sigma_a2, posterior.sigma2)
    assert run.configuration["sampler"] == {"draws": 40, "seed": 0}
    assert run.provenance["seed"] == 0
    assert (run.chains, run.draws, run.complete) == (2, 40, True)
    assert repr(run).endswith("2 chains of 40 draws, complete)")


def test_arrays_have_the_shapes_of_the_contract(run):
    N, P, m, L = example.N, example.P, example.m, example.L
    assert run.readouts().shape == (2, 40, N, m)
    assert run.preactivations().shape == (N, P)
    assert run.outputs(test=True).shape == (example.P_TEST, m)
    assert run.mean_outputs().shape == (2, P, m)
    assert run.mean_outputs(test=True).shape == (2, example.P_TEST, m)
    assert run.kernel().shape == (P, P)
    assert run.class_activations().shape == (2, N, 2)
    assert run.statistics()["kernel_entry"].dims == ("chain", "draw", "layer", "pair")
    assert set(run.statistics().sizes.items()) >= {("chain", 2), ("draw", 40), ("layer", L)}


def test_indices_count_from_either_end(run):
    last = run.preactivations(layer=1, draw=39, chain=1)
    np.testing.assert_array_equal(run.preactivations(chain=-1), last)
    np.testing.assert_array_equal(run.activations(chain=1), run.posterior.network.phi(last))
    assert not np.array_equal(run.preactivations(layer=0, chain=1), last)
    assert not np.array_equal(run.preactivations(draw=19, chain=1), last)
    # The example's readouts are the first preactivations on the first inputs, and f is made of those, too.
    first = run.preactivations(layer=0, draw=19)
    np.testing.assert_array_equal(run.readouts()[0, 19], first[:, : example.m])
    np.testing.assert_array_equal(run.outputs(draw=19), first[: example.m].T)
    np.testing.assert_allclose(run.kernel(), (run.kernel(chain=0) + run.kernel(chain=1)) / 2)
    entries = run.statistics()["kernel_entry"].values
    for pair, (one, other) in enumerate(example.PAIRS):
        np.testing.assert_allclose(run.kernel(layer=0, chain=1)[one, other], entries[1, :, 0, pair].mean())


def test_dual_field_is_that_of_the_mean_outputs(run):
    np.testing.assert_allclose(run.dual_field(), (run.task.Y - run.mean_outputs()) / 0.01)


def test_what_is_not_there_is_named(run):
    with pytest.raises(InvalidInput, match="draw 5 was not kept in full: this run keeps the draws 0, 19, 39"):
        run.activations(draw=5)
    with pytest.raises(InvalidInput, match="draw is 40: this run has 40"):
        run.outputs(draw=40)
    with pytest.raises(InvalidInput, match="layer is 2: this run has 2"):
        run.preactivations(layer=2)
    with pytest.raises(InvalidInput, match="chain is -3"):
        run.kernel(chain=-3)
    with pytest.raises(StoreError, match="does not keep snapshots/preactivation_test"):
        run.activations(test=True)


def test_interrupted_run_has_the_draws_that_all_chains_have(tmp_path, path):
    partial = tmp_path / "run.zarr"
    example.create_example(partial)
    example.sample_chain(partial, 0)
    assert open_run(partial).draws == 0
    with pytest.raises(StoreError, match="has no draws yet"):
        open_run(partial).diagnostics()
    example.sample_chain(partial, 1, stop=25)
    run, whole = open_run(partial), open_run(path)
    assert (run.draws, run.complete, run.kept_draws) == (25, False, (0, 19))
    assert repr(run).endswith("interrupted)")
    np.testing.assert_array_equal(run.readouts(), whole.readouts()[:, :25])
    outputs = np.stack([[whole.outputs(draw, chain) for draw in range(25)] for chain in range(2)])
    np.testing.assert_allclose(run.mean_outputs(), outputs.mean(axis=1))
    assert run.tree["warmup_sample_stats"].sizes["draw"] == example.WARMUP
    assert np.isfinite(run.statistics()["log_density"].values).all()
    assert run.diagnostics().draws == 25
    np.testing.assert_array_equal(run.preactivations(draw=19), whole.preactivations(draw=19))
    with pytest.raises(InvalidInput, match="draw 24 was not kept"):
        run.activations()
    with pytest.raises(StoreError, match="interrupted before it wrote the posterior mean of kernel"):
        run.kernel()


def test_run_that_stopped_in_its_warmup(tmp_path):
    from nonlazy.sampling.store._chain_writer import ChainWriter

    path = tmp_path / "run.zarr"
    example.create_example(path)
    for chain, done in ((0, 6), (1, 4)):
        with ChainWriter(path, chain) as writer:
            writer.write("warmup_sample_stats", 0, {"log_density": np.ones(8)})
            writer.checkpoint({}, {"draws": 0, "warmup": done})
    run = open_run(path)
    assert run.draws == 0 and run.readouts().shape == (2, 0, example.N, example.m)
    assert run.tree["warmup_sample_stats/log_density"].values.tolist() == [[1.0] * 4] * 2
    assert run.kept_draws == ()
    with pytest.raises(InvalidInput, match="draw is -1: this run has 0"):
        run.activations()


def test_custom_activation_is_asked_for(tmp_path):
    own = activations.get(lambda z: z / (1 + abs(z)), kind="sigmoidal")
    path = tmp_path / "run.zarr"
    example.create_example(path, posterior=example.example_posterior(activation=own))
    for chain in range(example.CHAINS):
        example.sample_chain(path, chain)
    run = open_run(path)
    for ask in (lambda: run.posterior, run.activations):
        with pytest.raises(StoreError, match=r"activation of your own, '<lambda>'.*open_run\(path, activation="):
            ask()
    assert run.preactivations().shape == (example.N, example.P)
    assert run.readouts().shape[1] == 40
    given = open_run(path, activation=own)
    assert given.posterior.network.phi is own
    np.testing.assert_array_equal(given.activations(), own(run.preactivations()))
    for wrong in (activations.BUILTIN["sigmoid"], activations.get(lambda z: z, kind="linear")):
        if wrong.name == own.name:
            continue
        with pytest.raises(InvalidInput, match="was sampled with '<lambda>', one of your own"):
            open_run(path, activation=wrong)


def test_builtin_activation_is_not_exchanged(path):
    own = activations.Activation("sigmoid", "sigmoidal", lambda z, xp: z)
    with pytest.raises(InvalidInput, match="sampled with 'sigmoid', nonlazy's own"):
        open_run(path, activation=own)


def test_no_run_is_said_so(tmp_path):
    for path in (tmp_path / "none.zarr", tmp_path):
        with pytest.raises(StoreError, match="is not a run of nonlazy"):
            open_run(path)


def test_diagnostics_are_of_invariant_quantities(run):
    diagnostics = run.diagnostics()
    assert [row.quantity for row in diagnostics.table] == [
        "log density", "sum a^2", "loss",
        "K^1[0, 1]", "K^1[0, 3]", "K^1[4, 5]", "K^2[0, 1]", "K^2[0, 3]", "K^2[4, 5]",
        "|a_i|^2, rank 1", "|a_i|^2, rank 2", "|a_i|^2, rank 3",
    ]  # fmt: skip
    np.testing.assert_allclose(diagnostics.table[0].mean, run.statistics()["log_density"].values.mean())
    np.testing.assert_allclose(diagnostics.acceptance, 0.8, rtol=1e-6)
    assert diagnostics.divergences.tolist() == [0, 0]


def test_opens_in_arviz(path, run):
    with warnings.catch_warnings():
        # ArviZ 0.23 announces its version 1 when it is imported.
        warnings.simplefilter("ignore", FutureWarning)
        arviz = pytest.importorskip("arviz")
    converted = run.to_arviz()
    assert converted["sample_stats"]["log_density"].shape == (2, 40)
    if arviz.__version__.startswith("0."):
        assert isinstance(converted, arviz.InferenceData)
        # What the documentation shows to those who do without nonlazy.
        plain = arviz.InferenceData.from_datatree(xarray.open_datatree(path, engine="zarr"))
        assert {"posterior", "sample_stats", "warmup_sample_stats"} <= {*plain.groups(), *plain._groups_warmup}
    else:
        assert isinstance(converted, xarray.DataTree)
    summary = arviz.summary(converted, group="sample_stats", var_names=["sum_a2"])
    np.testing.assert_allclose(float(summary["mean"].iloc[0]), run.diagnostics().table[1].mean, atol=0.01)


def test_reading_one_draw_reads_no_other_chunk(tmp_path):
    path = tmp_path / "run.zarr"
    variables = [Variable("posterior_predictive", "f", ("input", "output"), (300, 100))]
    create(path, example.example_posterior(), {}, provenance={}, chains=1, draws=20, variables=variables)
    from nonlazy.sampling.store._chain_writer import ChainWriter

    with ChainWriter(path, 0) as writer:
        writer.write("posterior_predictive", 0, {"f": np.arange(20.0)[:, None, None] * np.ones((1, 300, 100))})
        writer.checkpoint({}, {"draws": 20})
    finish(path)
    chunks = sorted((path / "posterior_predictive" / "f" / "c" / "0").iterdir(), key=lambda file: int(file.name))
    assert len(chunks) > 5
    files = [file for chunk in chunks for file in chunk.rglob("*") if file.is_file()]
    opened, watching = [], True
    sys.addaudithook(
        lambda event, arguments: opened.append(str(arguments[0])) if watching and event == "open" else None
    )
    assert (open_run(path).outputs(draw=1) == 1).all()
    watching = False
    assert [str(file) for file in files if str(file) in opened] == [str(files[0])]


def test_provenance_tells_versions_seed_and_time():
    provenance = collect_provenance(experiment="fig2", seed=3, device="cpu", precision="float32")
    assert (provenance["experiment"], provenance["seed"], provenance["precision"]) == ("fig2", 3, "float32")
    assert provenance["versions"]["numpy"] == np.__version__
    assert provenance["started"].endswith("+00:00")
    assert provenance["python"] == ".".join(map(str, sys.version_info[:3]))


@pytest.mark.skipif(shutil.which("git") is None, reason="needs git")
def test_git_revision_is_that_of_the_source_tree_alone(tmp_path, monkeypatch):
    def git(*arguments):
        identity = ["-c", "user.name=a", "-c", "user.email=a@b.c"]
        done = subprocess.run(
            ["git", "-C", tmp_path, *identity, *arguments], check=True, capture_output=True, text=True
        )
        return done.stdout.strip()

    source = tmp_path / "src" / "nonlazy" / "sampling" / "_provenance.py"
    source.parent.mkdir(parents=True)
    source.write_text("1")
    monkeypatch.setattr(_provenance, "__file__", str(source))
    assert collect_provenance()["git_revision"] is None
    git("init", "-q")
    (tmp_path / "other").write_text("")
    git("add", "other")
    git("commit", "-q", "-m", "another project's")
    assert collect_provenance()["git_revision"] is None
    git("add", ".")
    git("commit", "-q", "-m", "ours")
    revision = git("rev-parse", "HEAD")
    assert collect_provenance()["git_revision"] == revision
    (tmp_path / "other").write_text("changed")
    assert collect_provenance()["git_revision"] == revision
    source.write_text("2")
    assert collect_provenance()["git_revision"] == f"{revision}+changes"
    monkeypatch.setenv("PATH", str(Path(tmp_path, "nowhere")))
    assert collect_provenance()["git_revision"] is None
