"""One gradient against its matrix products and one bare pass of phi and phi', for one chain and for many at once."""

from functools import partial
from typing import Any

import numpy as np
from _scaling.sizes import Size

from _accelerator.timing import medians


# As in a trajectory: many in one compiled loop, where nothing is allocated or dispatched in between.
_LOOP = 10
_SMALL_STEP = 1e-7


def measure(size: Size, factored: bool, chains: int, seconds: float) -> dict[str, Any]:
    """Milliseconds of a step of a trajectory, for each chain of a batch, and of its parts in turn.

    `gradient` is the sampler's own; `products` are the same matrix products without anything between them (the gradient
    of a network whose phi is the identity, without its prior); `pass` reads an array of L N P numbers and writes
    phi + phi'. All three add what they find, times a small number, to where they were taken.

    **Arguments:** `factored`: inputs are correlated, so that the first layer needs a matrix product.
    """
    import jax
    import jax.numpy as jnp

    from nonlazy.activations import get
    from nonlazy.sampling.kernels._potential import Architecture, Position, Problem, add, gradient

    P, r, N, L, m = size.P, size.r if factored else size.P, size.N, size.L, size.m
    keys = iter(jax.random.split(jax.random.key(0), 16))

    def normal(*shape: int) -> Any:
        return jax.random.normal(next(keys), shape, jnp.float32)

    def real(value: Any) -> Any:
        return jnp.asarray(np.asarray(value, np.float32))

    gain, noise = 1 / (N * np.sqrt(P)), 1e-2 / N
    factor = normal(P, r) / np.sqrt(r) if factored else real(1.0)
    numbers = (real(np.full(L - 1, N**-0.5)), *map(real, (gain, gain / noise, 1 / noise, 1.0)))
    problem = Problem(factor, *numbers, normal(m, P))
    batch = (chains,) if chains > 1 else ()
    position = Position(normal(*batch, N, r), tuple(normal(*batch, N, N) for _ in range(L - 1)), normal(*batch, m, N))
    step, phi = jnp.float32(_SMALL_STEP), get("sigmoid")
    architecture = Architecture(phi, L, factored)

    def loop(one: Any, start: Any) -> Any:
        def run(x: Any) -> Any:
            return jax.lax.fori_loop(0, _LOOP, lambda _, at: one(at), x)

        return partial(jax.jit(jax.vmap(run) if batch else run), start)

    took = medians(
        {
            "gradient": loop(lambda at: add(at, step, gradient(architecture, problem, at)[0]), position),
            "products": loop(lambda at: add(at, step, products(factor if factored else None, at)), position),
            "pass": loop(lambda z: z + step * (phi(z) + phi.slope(z)), normal(*batch, L * N, P)),
        },
        seconds,
    )
    milliseconds = {name: 1e3 * value / (_LOOP * chains) for name, value in took.items()}
    return {
        "P": P, "r": r, "N": N, "L": L, "m": m, "factored": factored, "chains": chains, **milliseconds,
        "ratio": milliseconds["gradient"] / (milliseconds["products"] + milliseconds["pass"]),
        "operations": operations(size, factored) / (1e-3 * milliseconds["gradient"]),
    }  # fmt: skip


def products(factor: Any, at: Any) -> Any:
    """The matrix products of a gradient with nothing between them; `factor` is None where inputs are orthogonal."""
    from nonlazy.sampling.kernels._potential import Position

    layers = [at.first if factor is None else at.first @ factor.T]
    for matrix in at.hidden:
        layers.append(matrix @ layers[-1])
    force = at.readout @ layers[-1]
    readout, backward = force @ layers[-1].T, at.readout.T @ force
    hidden = []
    for index in range(len(at.hidden), 0, -1):
        hidden.append(backward @ layers[index - 1].T)
        backward = at.hidden[index - 1].T @ backward
    return Position(backward if factor is None else backward @ factor, tuple(reversed(hidden)), readout)


def operations(size: Size, factored: bool) -> float:
    """Of the matrix products of one gradient."""
    return size.operations - (0.0 if factored else 4.0 * size.P * size.N * size.r)


def least_bytes(size: Size, factored: bool) -> float:
    """What a gradient has to read and write at least, in float32: preactivations, activations and their gradients of
    each layer once each way, the weights once or twice and their gradients, and the inputs twice."""
    layers = 6.0 * size.L * size.N * size.P
    weights = 2.0 * (size.N * size.r if factored else 0) + 3.0 * (size.L - 1) * size.N**2
    return 4.0 * (layers + weights + (2.0 * size.P * size.r if factored else 0.0))
