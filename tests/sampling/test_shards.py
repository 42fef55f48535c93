"""One chain over many devices is the chain of one device, to rounding; and little goes from device to device."""

import json
import re
from functools import partial
from typing import Any

import numpy as np
import pytest

import nonlazy as nl
from nonlazy.errors import InvalidInput
from nonlazy.experiments import load
from nonlazy.sampling import HMC, Jumps, Record, _devices, _driver
from nonlazy.sampling._devices import check_moves, resolve_devices
from tests.sampling.many_devices import difference, on_devices, posterior_of
from tests.sampling.runs import assert_close, float64, sample


# What differs between the two ways is the order of sums over inputs: some units in the last place, of 2^-53 and 2^-24,
# for one gradient, and what ten gradients make of it.
ROUNDING = {"float64": 1e-12, "float32": 1e-4}
# (activation, depth, orthogonal inputs, P), on 4 devices: P is less than that, no multiple of it, and one.
CASES = [("relu", 3, False, 3), ("sigmoid", 1, True, 9), ("tanh", 2, False, 8)]
PRECISIONS = {"relu": ("float64",), "sigmoid": ("float64", "float32"), "tanh": ("float32",)}
WHOLE = {"correlated": ("relu", 2, False, 7), "orthogonal": ("relu", 1, True, 7)}
SETTINGS: dict[str, Any] = dict(
    draws=4, warmup=4, thin=1, seed=2, precision="float64", record=Record(snapshots=2, weights=True), moves="rotations"
)


def on_four_devices(folder: str) -> None:
    pieces_on_devices(f"{folder}/pieces.json")
    chains_on_devices(folder)


def pieces_on_devices(out: str) -> None:
    """Differences of a gradient and of a trajectory, and the bytes of each kind of message of one gradient."""
    import jax
    import jax.numpy as jnp

    from nonlazy.sampling import _engine
    from nonlazy.sampling._coordinates import coordinates
    from nonlazy.sampling._schedule import Phase
    from nonlazy.sampling._shards import Shards
    from nonlazy.sampling.kernels import _hamiltonian
    from nonlazy.sampling.kernels._potential import gradient
    from tests.sampling.small_posteriors import random_position

    found = []
    for case in CASES:
        posterior = posterior_of(*case)
        where = coordinates(posterior)
        phase = Phase("test", 1, (0.1, 0.1))
        shards = Shards(jax.devices(), posterior.task.P, 0, where.factor is not None, posterior.network.depth)
        everywhere = shards.everywhere
        for precision in PRECISIONS[case[0]]:
            with jax.enable_x64(precision == "float64"):
                dtype = np.dtype(precision)
                make = partial(_engine.make_problem, posterior, where, HMC(), phase, 0.1, dtype)
                one = _engine.make_kernel(posterior, where, HMC(), None).architecture
                many = _engine.make_kernel(posterior, where, HMC(), None, shards.padding).architecture
                position = random_position(posterior, where, dtype=dtype.type)
                shared = shards.position(position, dtype)
                trajectory = _hamiltonian.Trajectory(
                    *(jnp.asarray(x, dtype) for x in (0.5, 0.05, 0.4)), jnp.int32(100), jnp.int32(0)
                )
                of_many = jax.jit(partial(gradient, many), out_shardings=(shards.of_position, shards.along(1, 2)))
                step = jax.jit(partial(_hamiltonian.iterate, many), out_shardings=(shards.of_position, everywhere))
                problem, key = make(shards=shards), jax.random.key(1)
                compiled = of_many.lower(problem, shared).compile()
                force, residual = compiled(problem, shared)
                mine = force, residual[:, : posterior.task.P]
                theirs = jax.jit(partial(gradient, one))(make(), position)
                moved, info = step(problem, trajectory, shared, key)
                expected, its_info = jax.jit(partial(_hamiltonian.iterate, one))(make(), trajectory, position, key)
                if not many.factored:
                    P = posterior.task.P
                    assert not np.any(force.first[:, P:]) and not np.any(moved.first[:, P:])
                    mine = force._replace(first=force.first[:, :P]), mine[1]
                    moved = moved._replace(first=moved.first[:, :P])
                found.append(
                    {
                        "case": case,
                        "precision": precision,
                        "gradient": difference(mine, theirs),
                        "trajectory": difference(moved, expected),
                        "steps": [int(info.steps), int(its_info.steps)],
                        "moved": [int(info.accepted), int(its_info.accepted)],
                        "error": abs(float(info.energy_error) - float(its_info.energy_error)),
                        "messages": messages(compiled.as_text(), dtype.itemsize),
                        "weights": sum(x.size for x in theirs[0] if not isinstance(x, tuple))
                        + sum(x.size for x in theirs[0].hidden),
                        "first": theirs[0].first.size,
                    }
                )
    with open(out, "w") as file:
        json.dump(found, file)


def messages(program: str, itemsize: int) -> dict[str, int]:
    """Numbers that a compiled program sends, by the kind of message."""
    kinds = r"(all-reduce|all-gather|all-to-all|collective-permute|reduce-scatter|collective-broadcast)"
    sent: dict[str, int] = {}
    for result, kind in re.findall(rf"= (.*?) {kinds}(?:-start)?\(", program):
        shapes = re.findall(r"f\d+\[([\d,]*)\]", result)
        sent[kind] = sent.get(kind, 0) + sum(int(np.prod([int(n) for n in s.split(",") if n])) for s in shapes)
    return sent


@pytest.fixture(scope="module")
def folder(tmp_path_factory, quick_compilation):
    out = tmp_path_factory.mktemp("devices")
    on_devices(on_four_devices, out)
    return out


@pytest.fixture(scope="module")
def pieces(folder):
    return json.loads((folder / "pieces.json").read_text())


def test_gradient_and_trajectory_are_those_of_one_device_to_rounding(pieces):
    assert len(pieces) == 4
    for found in pieces:
        limit = ROUNDING[found["precision"]]
        # float32 sums of the gradient keep six digits; the trajectory's ten gradients lose some of them.
        assert found["gradient"] < min(limit, 1e-5), found
        assert found["trajectory"] < limit, found
        assert found["error"] < 100 * limit, found
        assert found["steps"][0] == found["steps"][1] > 2, found
        assert found["moved"] == [1, 1], found


def test_a_gradient_sends_gradients_of_the_weights_and_nothing_that_grows_with_the_inputs(pieces):
    for found in pieces:
        # Preactivations stay where their inputs are; what is summed up is the rest.
        orthogonal = found["case"][2]
        assert found["messages"] == {"all-reduce": found["weights"] - (found["first"] if orthogonal else 0)}, found


def chains_on_devices(folder: str) -> None:
    for name, case in WHOLE.items():
        for devices in (None, 4):
            sample(posterior_of(*case), store=f"{folder}/{name}-{devices}.zarr", devices=devices, **SETTINGS)


@pytest.mark.parametrize("name", WHOLE)
def test_a_chain_is_that_of_one_device_to_rounding(folder, name):
    one, many = (nl.open_run(folder / f"{name}-{devices}.zarr") for devices in (None, 4))
    assert many.complete and many.configuration["devices"] == 4 and "devices" not in one.configuration
    assert_close(many, one)


BAD = {
    "none": (0, "devices is 0: it must be a whole number, 1 or more, or 'all'"),
    "a flag": (True, "devices is True"),
    "half": (2.5, "devices is 2.5"),
    "a word": ("many", "devices is 'many'"),
    "more than there are": (
        64, "devices is 64, and JAX sees 1 (cpu): choose at most 1; to try it out on this machine, set "
        "XLA_FLAGS=--xla_force_host_platform_device_count=64 before Python starts"
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_devices_that_are_not_there_are_refused(name):
    wanted, said = BAD[name]
    with pytest.raises(InvalidInput) as caught:
        getattr(resolve_devices, "__wrapped__", resolve_devices)(wanted)
    assert said in str(caught.value)


def test_one_device_is_no_setting():
    assert resolve_devices(None) == resolve_devices(1) == resolve_devices("all") == 1


def test_jumps_and_other_chain_methods_need_one_device(monkeypatch):
    posterior = posterior_of("sigmoid", 1, True, 6)
    monkeypatch.setattr(_driver, "resolve_devices", lambda wanted: wanted)
    for moves, said in (("jump", "Jumps run on one device, and devices is 4"), (None, "Jumps, the default here, run")):
        with pytest.raises(InvalidInput, match=said):
            sample(posterior, devices=4, moves=moves, chain_method=None)
    for method in ("processes", "batched"):
        with pytest.raises(InvalidInput, match="run one after another, chain_method='sequential'"):
            sample(posterior, devices=4, moves="none", chain_method=method)
    check_moves(1, None, Jumps())


def test_devices_of_several_kinds_are_refused(monkeypatch):
    import jax

    class Device:
        def __init__(self, kind):
            self.device_kind, self.platform = kind, "gpu"

    monkeypatch.setattr(jax, "devices", lambda: [Device("small"), Device("large")])
    with pytest.raises(InvalidInput, match=r"several kinds \(large, small\)"):
        resolve_devices(2)
    assert _devices.resolve_devices(1) == 1
    with float64(), pytest.raises(InvalidInput, match="JAX sees 2"):
        resolve_devices(3)


def test_an_experiment_may_ask_for_devices():
    experiment = load("figure2-linear")
    assert "devices" not in experiment.sampling_arguments()
    for devices in (4, "all"):
        assert experiment.changed({"sampling": {"devices": devices}}).sampling_arguments()["devices"] == devices
    with pytest.raises(InvalidInput, match="devices"):
        experiment.changed({"sampling": {"devices": 0}})
