"""Requests that cannot be served are refused before any work, with words that say what would be right."""

import inspect
import tempfile

import pytest

import nonlazy as nl
from nonlazy.errors import InvalidInput, StoreError
from nonlazy.sampling import (
    HMC,
    Annealed,
    Continuation,
    GradientDescent,
    Langevin,
    Planted,
    Record,
    Rotations,
    _driver,
    _request,
)
from tests.sampling.runs import SETTINGS, sample
from tests.sampling.small_posteriors import orthogonal_task


TASK = orthogonal_task(6, 8)


def posterior(T=0.1, activation="sigmoid"):
    return nl.Posterior(nl.Network(5, 1, activation), TASK, T)


BAD = {
    "T = 0 with HMC": (dict(posterior=posterior(0.0)), "temperature is 0: HMC needs T > 0"),
    "T = 0 with Langevin": (
        dict(posterior=posterior(0.0), sampler="langevin"), "Langevin needs T > 0"
    ),
    "cold in single precision": (
        dict(posterior=posterior(9e-6)), "temperature is 9e-06: below 1e-05 single precision cannot tell"
    ),
    "T = 0 with weight decay": (
        dict(posterior=posterior(0.0), sampler=GradientDescent(0.1)), "weight_decay=False"
    ),
    "draws = 0": (dict(draws=0), "draws is 0: it must be a whole number, 1 or more"),
    "draws = True": (dict(draws=True), "draws is True"),
    "draws = 2.5": (dict(draws=2.5), "draws is 2.5"),
    "draws = 10^12": (dict(draws=10**12), "draws is 1000000000000: it can be at most 10000000; keep fewer draws"),
    "warmup = 10^12": (dict(warmup=10**12), "it can be at most 10000000; choose a shorter warm-up"),
    "thin = 10^12": (dict(thin=10**12), "it can be at most 10000000; keep draws that are closer together"),
    "chains = 10^6": (dict(chains=10**6), "chains is 1000000: it can be at most 1024; take fewer chains"),
    "chains = 0": (dict(chains=0), "chains is 0"),
    "seed < 0": (dict(seed=-1), "seed is -1: it must be a whole number, 0 or more"),
    "seed = 2^31": (dict(seed=2**31), "below 2^31"),
    "thin = 0": (dict(thin=0), "thin is 0"),
    "warmup < 0": (dict(warmup=-1), "warmup is -1"),
    "checkpoint_seconds < 0": (dict(checkpoint_seconds=-1.0), "checkpoint_seconds is -1.0"),
    "checkpoint_seconds NaN": (dict(checkpoint_seconds=float("nan")), "checkpoint_seconds is nan"),
    "start": (dict(start="planted"), "start 'planted' is not known"),
    "moves": (dict(moves="swaps"), "moves is 'swaps'"),
    "sampler": (dict(sampler="nuts"), "sampler 'nuts' is not known: choose one of hmc, langevin"),
    "descent without a step": (dict(sampler="gradient-descent"), "GradientDescent(step_size=...)"),
    "precision": (dict(precision="float16"), "choose one of float32, float64"),
    "chain_method": (dict(chain_method="threads"), "choose 'processes', 'batched' or 'sequential'"),
    "rotations on a sigmoid": (dict(moves="rotations"), "phi(c z) = c phi(z)"),
    "rotations with Langevin": (
        dict(posterior=posterior(activation="relu"), moves=Rotations(), sampler=Langevin()),
        "the sampler HMC, not Langevin",
    ),
    "annealing from below": (dict(start=Annealed(0.05, 10)), "not above the posterior's T = 0.1"),
    "annealed descent": (dict(start="annealed", sampler=GradientDescent(0.1)), "no start Annealed"),
    "continuation beyond y+": (dict(start=Continuation((2.0,))), "must stay below y+ = 1"),
    "codes of another task": (dict(start=Planted(((1, 0, 1),))), "3 classes, the task 2"),
    "resume and overwrite": (dict(resume=True, overwrite=True), "exclude each other"),
    "resume without a store": (dict(resume=True, store=None), "resume=True needs store"),
}  # fmt: skip


@pytest.mark.parametrize("store", [True, False], ids=["store", "temporary"])
@pytest.mark.parametrize("name", BAD)
def test_bad_settings_are_refused_before_anything_is_made(tmp_path, monkeypatch, name, store):
    changes, said = BAD[name]
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    arguments = {**SETTINGS, "posterior": posterior(), "store": tmp_path / "run.zarr" if store else None, **changes}
    # Without the type checks of the tests, which would catch some of these first.
    monkeypatch.setattr(_driver, "check_request", inspect.unwrap(_request.check_request))
    monkeypatch.setattr(_request, "_chain_method", inspect.unwrap(_request._chain_method))
    with pytest.raises(InvalidInput) as caught:
        inspect.unwrap(nl.sample)(**arguments)
    assert said in str(caught.value)
    assert not list(tmp_path.iterdir())


SETTINGS_OF_SAMPLERS = [
    (HMC, dict(step_size=0.0), "step_size is 0.0"),
    (HMC, dict(step_size=float("nan")), "step_size is nan"),
    (HMC, dict(trajectory_length=-1.0), "trajectory_length is -1.0"),
    (HMC, dict(target_acceptance=1.0), "target_acceptance is 1.0"),
    (HMC, dict(jitter=1.0), "jitter is 1.0"),
    (HMC, dict(max_steps=0), "max_steps is 0: it must be a whole number, 1 or more"),
    (Langevin, dict(steps=0), "steps is 0"),
    (Langevin, dict(step_size=-0.1), "step_size is -0.1"),
    (GradientDescent, dict(step_size=0.0), "step_size is 0.0"),
    (GradientDescent, dict(step_size=0.1, steps=0), "steps is 0"),
    (Rotations, dict(attempts=-1), "attempts is -1"),
    (Record, dict(snapshots=0), "snapshots is 0"),
]


@pytest.mark.parametrize(("kind", "arguments", "said"), SETTINGS_OF_SAMPLERS, ids=lambda value: str(value)[-40:])
def test_settings_of_samplers_and_records_are_checked(kind, arguments, said):
    with pytest.raises(InvalidInput) as caught:
        kind(**arguments)
    assert said in str(caught.value)


def test_a_store_that_is_something_else_is_refused_and_left_alone(tmp_path):
    file = tmp_path / "file"
    file.write_text("mine")
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "mine").write_text("mine")
    for path in (file, folder):
        for overwrite in (False, True):
            with pytest.raises(StoreError, match=str(path)):
                sample(store=path, overwrite=overwrite)
    assert file.read_text() == (folder / "mine").read_text() == "mine"
    assert sorted(tmp_path.iterdir()) == [file, folder]
