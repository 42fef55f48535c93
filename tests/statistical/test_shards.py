"""Chains over many devices draw from the posterior: the tests that those on one device pass.

Exact rank tests (`tests/sampling/exact_rank.py`) of kernels whose three inputs lie on four devices, one of which has
only padding, each at the false-alarm rate 1e-5; linear networks against the exact matrix sampler, N = P = 100 on three
devices, at the tolerance of `tests/sampling/linear_readouts.py`; a chain that is stopped and goes on.
"""

import json
from typing import Any

import pytest

import nonlazy as nl
from nonlazy.sampling import Langevin, _driver
from tests.sampling.exact_rank import FALSE_ALARM, Case, p_value, tiny
from tests.sampling.linear_readouts import compare
from tests.sampling.many_devices import on_devices, posterior_of
from tests.sampling.runs import assert_close, assert_same_draws, sample


pytestmark = pytest.mark.statistical
REJECTED = 1e-8
# (activation, depth, orthogonal inputs, kernel)
KERNELS = {
    "hmc": ("sigmoid", 1, True, "hmc"),
    "hmc, deep": ("sigmoid", 2, False, "hmc"),
    "langevin": ("sigmoid", 1, False, "langevin"),
    "rotations": ("relu", 1, False, "rotations"),
    "rotations, orthogonal": ("relu", 1, True, "rotations"),
    "padding that counts": ("sigmoid", 1, False, "hmc"),
}


def sharded(case: Case, inner: Any, counted: bool) -> Any:
    """The kernel on inputs that are padded and shared out; `counted` takes the padding for an input."""
    import jax
    import jax.numpy as jnp

    from nonlazy.sampling._shards import Shards

    P = case.posterior.task.P
    factored = case.architecture.factored
    shards = Shards(jax.devices(), P, 0, factored, case.architecture.depth)
    padding = shards.padding
    assert padding == 1
    architecture = case.architecture._replace(padding=0 if counted else padding)

    def filled(array, axis):
        widths = [(0, padding if i == axis else 0) for i in range(array.ndim)]
        return jax.lax.with_sharding_constraint(jnp.pad(array, widths), shards.along(axis, array.ndim))

    def kernel(_, problem, position, key):
        there = problem._replace(
            factor=filled(problem.factor, 0) if factored else problem.factor, targets=filled(problem.targets, 1)
        )
        if not factored:
            position = position._replace(first=filled(position.first, 1))
        new = inner(architecture, there, position, key)
        return new if factored else new._replace(first=new.first[:, :P])

    return kernel


def ranks_on_devices(out: str, first_seed: int = 20) -> None:
    from tests.sampling.test_exactness import hamiltonian, langevin, rotations

    found = {}
    for seed, (name, (activation, depth, orthogonal, kind)) in enumerate(KERNELS.items()):
        case = tiny(activation, depth=depth, orthogonal=orthogonal)
        inner = {"hmc": hamiltonian(0.25), "langevin": langevin(case, 0.02), "rotations": rotations()}[kind]
        found[name] = p_value(case, sharded(case, inner, "counts" in name), seed=first_seed + seed)
    with open(out, "w") as file:
        json.dump(found, file)


@pytest.fixture(scope="module")
def ranks(tmp_path_factory):
    out = tmp_path_factory.mktemp("ranks") / "ranks.json"
    on_devices(ranks_on_devices, out)
    return json.loads(out.read_text())


@pytest.mark.parametrize("name", [name for name in KERNELS if "counts" not in name])
def test_kernels_over_many_devices_are_exact(ranks, name):
    assert ranks[name] > FALSE_ALARM, ranks


def test_padding_that_counts_is_caught(ranks):
    assert ranks["padding that counts"] < REJECTED, ranks


@pytest.mark.parametrize("depth", [1, 2])
def test_readout_covariance_of_linear_networks_is_exact_over_three_devices(depth):
    on_devices(compare, 100, depth, 250, 0, 3, devices=3)


SETTINGS: dict[str, Any] = dict(draws=4, warmup=4, thin=1, precision="float64", moves="none")
LANGEVIN = dict(SETTINGS, sampler=Langevin(adjusted=True, steps=5))


def stops_on_devices(folder: str) -> None:
    from tests.sampling.test_interruptions import Stopper

    for devices in (None, 4):
        store = f"{folder}/{devices}.zarr"
        sample(posterior_of("sigmoid", 1, True, 7), store=store, devices=devices, **LANGEVIN)
    again: dict[str, Any] = dict(posterior=posterior_of("sigmoid", 1, True, 7), store=f"{folder}/again.zarr", devices=4)
    for iteration in (3, 6):
        _driver.display = lambda *_, iteration=iteration: Stopper(0, iteration, "ctrl-c")
        with pytest.raises(KeyboardInterrupt):
            sample(**again, **LANGEVIN)
    _driver.display = lambda *_: Stopper(0, -1, "ctrl-c")
    sample(**{**again, "devices": "all"}, resume=True, **LANGEVIN)


def test_langevin_over_many_devices_stops_and_goes_on(tmp_path):
    on_devices(stops_on_devices, tmp_path)
    one, many, again = (nl.open_run(tmp_path / f"{name}.zarr") for name in (None, 4, "again"))
    assert_close(many, one)
    assert_same_draws(again, many)
