"""What matrix products of lower precision do to a chain: to its acceptance, and to what it draws from.

On an accelerator the products are its own. A CPU has none of lower precision: there the factors of every product are
rounded first, to 10 bits after the point as TF32 does and to 7 as bfloat16 does, and the products are added up in
float32, which is what the units for matrices of accelerators do.
"""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from functools import partial
from typing import Any
from unittest import mock

import numpy as np
from _sampling.cases import Case


BITS = {"float32": 23, "tensorfloat32": 10, "bfloat16": 7}
# What an accelerator is asked for: "bfloat16" alone would leave it the choice, and on a GPU mean TF32.
_ALGORITHMS = {"float32": "float32", "tensorfloat32": "TF32_TF32_F32", "bfloat16": "BF16_BF16_F32"}
# Of the products in gradients, and in the energies that the Metropolis test compares.
PRECISIONS = (
    ("float32", "float32"),
    ("tensorfloat32", "tensorfloat32"),
    ("tensorfloat32", "float32"),
    ("bfloat16", "bfloat16"),
    ("bfloat16", "float32"),
)


def rounded(x: Any, bits: int) -> Any:
    """float32 numbers with so many bits after the point, the nearest ones, halves to even."""
    import jax
    import jax.numpy as jnp

    drop = 23 - bits
    if drop == 0:
        return x
    words = jax.lax.bitcast_convert_type(x, jnp.uint32)
    words = words + jnp.uint32((1 << (drop - 1)) - 1) + ((words >> drop) & jnp.uint32(1))
    return jax.lax.bitcast_convert_type(words & jnp.uint32(0xFFFFFFFF ^ ((1 << drop) - 1)), jnp.float32)


def rounded_gradient(bits: int, architecture: Any, problem: Any, position: Any) -> tuple[Any, Any]:
    """`nonlazy.sampling.kernels._potential.gradient` with the factors of its products rounded."""
    from nonlazy.sampling.kernels._potential import Position

    def product(a: Any, b: Any) -> Any:
        return rounded(a, bits) @ rounded(b, bits)

    phi, factored = architecture.phi, architecture.factored
    layers = [product(position.first, problem.factor.T) if factored else problem.factor * position.first]
    for matrix, scale in zip(position.hidden, problem.hidden_scale, strict=True):
        layers.append(product(scale * matrix, phi(layers[-1])))
    phis = [phi(z) for z in layers]
    residual = problem.gain * product(position.readout, phis[-1]) - problem.targets
    force = problem.pull * residual
    readout = problem.prior * position.readout + product(force, phis[-1].T)
    backward = product(position.readout.T, force)
    hidden = []
    for index in range(architecture.depth - 1, 0, -1):
        matrix, scale = position.hidden[index - 1], problem.hidden_scale[index - 1]
        backward = scale * backward * phi.slope(layers[index])
        hidden.append(problem.prior * matrix + product(backward, phis[index - 1].T))
        backward = product(matrix.T, backward)
    backward = backward * phi.slope(layers[0])
    first = product(backward, problem.factor) if factored else problem.factor * backward
    return Position(problem.prior * position.first + first, tuple(reversed(hidden)), readout), residual


@contextmanager
def products(precision: str) -> Iterator[None]:
    """What is compiled within has matrix products of this precision."""
    import jax

    from nonlazy.sampling.kernels import _hamiltonian

    if jax.default_backend() != "cpu":
        with jax.default_matmul_precision(_ALGORITHMS[precision]):
            yield
        return
    with mock.patch.object(_hamiltonian, "gradient", partial(rounded_gradient, BITS[precision])):
        yield


@contextmanager
def _exact_energies(architecture: Any, problem: Any, start: Any) -> Iterator[None]:
    """What is traced within takes the losses at both ends of a trajectory in float32."""
    import jax

    from nonlazy.sampling.kernels import _hamiltonian
    from nonlazy.sampling.kernels._potential import loss_of, residual_of

    integrate = _hamiltonian.integrate

    def integrated(*arguments: Any) -> tuple[Any, Any, Any, Any]:
        position, momentum, *_ = integrate(*arguments)
        with jax.default_matmul_precision("float32"):
            losses = [loss_of(residual_of(architecture, problem, one)) for one in (start, position)]
        return position, momentum, losses[0], losses[1]

    with mock.patch.object(_hamiltonian, "integrate", integrated):
        yield


def measure(case: Case, iterations: int, seed: int) -> list[dict[str, Any]]:
    """A chain's trajectories from its first draw on, once for each precision, with the step size of float32.

    With products of lower precision also such that the energies which the Metropolis test compares are float32: forces
    that are only nearly right leave a trajectory reversible and its volume as it is, so that the chain is then as exact
    as in float32.

    **Returns:** for each precision, acceptance; median |energy error|; log density, its mean less that of float32, with
    the Monte Carlo error of both; and of each layer's coordinates the mean of (x - c) . dU/dx over their number, less
    its posterior mean 1, with its error: U exact, c the mean over the first third of the iterations, the last third
    looked at.
    """
    import jax
    import jax.numpy as jnp

    from nonlazy.sampling.kernels import _hamiltonian
    from nonlazy.sampling.kernels._potential import gradient, loss_of, squares

    loop = settled(case, seed)
    architecture = architecture_of(loop)
    step = float(np.exp(np.asarray(loop.state.log_step)))
    hmc = loop.job.sampler
    settings = map(jnp.float32, (hmc.trajectory_length, step, hmc.jitter))
    trajectory = _hamiltonian.Trajectory(*settings, jnp.int32(hmc.max_steps), jnp.int32(1))

    @jax.jit
    def look(position: Any, centre: Any) -> tuple[Any, Any]:
        with jax.default_matmul_precision("float32"):
            slope, residual = gradient(architecture, loop.problem, position)
        density = -0.5 * squares(position) - loop.problem.inverse_noise * loss_of(residual)
        leaves = zip(*map(jax.tree.leaves, (position, centre, slope)), strict=True)
        return density, jnp.stack([jnp.sum((x - c) * s) / x.size for x, c, s in leaves])

    third = max(iterations // 3, 1)
    rows: list[dict[str, Any]] = []
    for precision, energies in PRECISIONS:
        # A function of its own each time: JAX would take one that it knows for compiled.
        def iterate(position: Any, key: Any, exact: bool = precision != energies) -> tuple[Any, Any]:
            with _exact_energies(architecture, loop.problem, position) if exact else nullcontext():
                return _hamiltonian.iterate(architecture, loop.problem, trajectory, position, key)

        position = jax.tree.map(jnp.asarray, loop.state.position)
        total = jax.tree.map(jnp.zeros_like, position)
        with products(precision):
            compiled = jax.jit(iterate).lower(position, jax.random.key(0)).compile()
        found: dict[str, list[Any]] = {"acceptance": [], "error": [], "density": [], "shares": []}
        for index in range(iterations):
            position, info = compiled(position, jax.random.fold_in(jax.random.key(seed), index))
            if index < third:
                total = jax.tree.map(jnp.add, total, position)
            centre = jax.tree.map(lambda x: x / third, total)
            density, shares = look(position, centre)
            for name, value in zip(found, (info.acceptance, info.energy_error, density, shares), strict=True):
                found[name].append(np.asarray(value, np.float64))
        rows.append({"precision": precision, "energies": energies, "step_size": step, **_summary(found, 2 * third)})
    for row in rows:
        errors = (row["density"][1], rows[0]["density"][1])
        row["density_change"] = (row["density"][0] - rows[0]["density"][0], float(np.hypot(*errors)))
    return rows


def _summary(found: dict[str, list[Any]], begin: int) -> dict[str, Any]:
    shares = np.array(found["shares"])[begin:]
    return {
        "acceptance": float(np.mean(found["acceptance"])),
        "energy_error": float(np.median(np.abs(found["error"]))),
        "density": mean_and_error(np.array(found["density"])),
        "equipartition": [mean_and_error(column - 1.0) for column in shares.T],
    }


def mean_and_error(values: np.ndarray) -> tuple[float, float]:
    """The mean of a chain's numbers and its Monte Carlo error; infinite where the chain has not moved."""
    from arviz_stats.base import array_stats

    if np.ptp(values) == 0:
        return float(values[0]), float("inf")
    ess = float(array_stats.ess(values[None], chain_axis=0, draw_axis=1, method="mean"))
    return float(values.mean()), float(values.std(ddof=1) / np.sqrt(ess))


def settled(case: Case, seed: int) -> Any:
    """The driver loop of a chain after its warm-up and a draw."""
    import nonlazy as nl
    from nonlazy.sampling import _chain

    kept: list[Any] = []
    flush = _chain._Loop._flush

    def keep(loop: Any) -> None:
        kept.append(loop)
        flush(loop)

    with mock.patch.object(_chain._Loop, "_flush", keep):
        nl.sample(case.posterior(), 1, seed=seed, moves="none", chain_method="sequential", progress=False)
    return kept[-1]


def architecture_of(loop: Any) -> Any:
    from nonlazy.sampling.kernels._potential import Architecture

    network = loop.job.posterior.network
    return Architecture(network.phi, network.depth, loop.coordinates.factor is not None)
