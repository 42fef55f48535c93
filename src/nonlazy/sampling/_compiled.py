"""The compiled functions of a chain, for one chain, for a batch of chains, or for one chain over many devices."""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import numpy as np

from nonlazy.sampling._engine import IterationInfo, Kernel, State, add_kernels, iterate, observe, snapshot
from nonlazy.sampling._fetching import Fetched
from nonlazy.sampling._shards import Shards


class Compiled(NamedTuple):
    """The compiled functions, for one chain or for a batch of chains with a leading axis.

    - `iterate`: the new state, and `IterationInfo` in NumPy.
    - `observe`: None, and what is kept of a draw in NumPy.
    - `snapshot`, `add_kernels`: as the functions.
    """

    iterate: Callable[..., tuple[State, IterationInfo]]
    observe: Callable[..., tuple[None, dict[str, Any]]]
    snapshot: Any
    add_kernels: Any


def fusible(kernel: Kernel, batched: bool, dtype) -> bool:
    """Whether a gradient is one fused sweep: one hidden layer on orthogonal inputs, in single precision, one chain at a
    time on a CPU."""
    from nonlazy.sampling.kernels._fused_activations import supports

    architecture = kernel.architecture
    return (
        kernel.algorithm == "hmc"
        and architecture.depth == 1
        and not architecture.factored
        and not batched
        and dtype == np.float32
        and jax.default_backend() == "cpu"
        and supports(architecture.phi)
    )


def compile_kernel(kernel: Kernel, batched: bool, dtype) -> Compiled:
    """Jit the pieces; `batched` maps them over chains that share problem and settings."""

    def over(function, axes):
        bound = partial(function, kernel)
        return jax.jit(jax.vmap(bound, in_axes=axes) if batched else bound)

    axes = (None, None, 0, None, 0, None)
    observed = Fetched(partial(_observed, kernel), axes, batched, dtype)
    if fusible(kernel, batched, dtype):
        # Numba takes half a second to import, and is needed here alone.
        from nonlazy.sampling._fused_iteration import FusedIteration, FusedObserver

        iterated, observed = FusedIteration(kernel), FusedObserver(kernel, observed)
    else:
        iterated = Fetched(partial(iterate, kernel), axes, batched, dtype)
    return Compiled(
        iterated,
        observed,
        over(snapshot, axes),
        over(add_kernels, (None, 0, 0)),
    )


def compile_over_devices(kernel: Kernel, shards: Shards, dtype) -> Compiled:
    """Jit the pieces for one chain whose inputs `shards` shares out.

    Each device computes what belongs to its inputs; XLA adds gradients and losses of all devices, once a gradient.
    """
    everywhere: Any = shards.everywhere
    state = State(shards.of_position, everywhere, everywhere, everywhere)
    axes = (None,) * 6
    return Compiled(
        Fetched(partial(iterate, kernel), axes, False, dtype, (state, everywhere)),
        Fetched(partial(_observed, kernel), axes, False, dtype, (None, everywhere)),
        jax.jit(partial(snapshot, kernel), out_shardings=shards.along(2, axes=3)),
        jax.jit(partial(add_kernels, kernel), out_shardings=everywhere),
    )


def _observed(kernel: Kernel, *arguments: Any) -> tuple[None, dict[str, Any]]:
    return None, observe(kernel, *arguments)
