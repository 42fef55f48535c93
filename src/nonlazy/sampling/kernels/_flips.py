"""Neurons that change into their mirror image, few at a time: an exact move with the readouts integrated out.

Where phi(z) + phi(-z) = k for all z, neurons with preactivations -z and readouts -a give the outputs of before but
for k sum a: sets of neurons whose readouts sum to zero may turn at no cost. That direction is free, and no change of a
single neuron leads along it: with targets 1 and -1/2, say, the codes 1-0-0, 0-1-0 and 0-0-1 against their complements.
For odd activations k = 0, the symmetry is exact for every neuron, and every attempt is accepted.

An attempt turns one, two or three random neurons, z -> -z, and is accepted with the ratio of the likelihoods
N(Y; 0, C); the prior does not change and the reverse attempt is as likely. With o = gain k (1, ..., 1) and
d = sum (u - o / 2) over the neurons that turn, u their features,

    C' = C - o d^T - d o^T ,

so that all attempts are decided by the Gram matrix of o and the u - o / 2 in the metric Q = C^-1, and by their products
with Q Y. Those of a sweep are looked at together; only accepted ones cost N^2 numbers.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from nonlazy.activations import Activation
from nonlazy.sampling.kernels._collapsed import Collapsed, Inverse


_MOST = 3
# Probabilities of turning one, two or three neurons.
_SIZES = (0.2, 0.2, 0.6)
_TOLERANCE = 1e-6


class FlipInfo(NamedTuple):
    """Attempts and how many were accepted."""

    proposed: Int[Array, ""]
    accepted: Int[Array, ""]


def mirror(phi: Activation) -> float:
    """k = phi(z) + phi(-z), or NaN where it is not the same for every z: then no attempt is accepted."""
    z = np.linspace(0.0, 8.0, 161)
    sums = np.asarray(phi(z), np.float64) + np.asarray(phi(-z), np.float64)
    return float(sums[0]) if np.all(np.abs(sums - sums[0]) < _TOLERANCE) else float("nan")


class _Forms(NamedTuple):
    """Products of o and the neurons' u - o / 2 in the metric Q, o first, and theirs with Q Y; which have turned."""

    gram: Float[Array, "N+1 N+1"]
    dual: Float[Array, "N+1 m"]
    sign: Float[Array, " N"]


class _Change(NamedTuple):
    """log of the likelihood ratio, and (A + V^T Q V)^-1 of C' = C + V A V^T, V = (o, d)."""

    log_ratio: Float[Array, "..."]
    inverse: Float[Array, "... 2 2"]


UNIFORMS = _MOST + 2


def flip(
    problem: Collapsed,
    k: Float[Array, ""],
    inverse: Inverse,
    U: Float[Array, "N P"],
    draws: Float[Array, "attempts uniforms"],
) -> tuple[Float[Array, " N"], FlipInfo]:
    """-1 for the neurons that end up turned, else 1.

    `inverse` is that of features `U`; `draws` are independent uniforms, `UNIFORMS` of them for each attempt.
    """
    N, P = U.shape
    attempts = draws.shape[0]
    chosen = jnp.minimum((draws[:, :_MOST] * N).astype(jnp.int32), N - 1)
    size = 1 + (draws[:, _MOST] > _SIZES[0]).astype(jnp.int32) + (draws[:, _MOST] > _SIZES[0] + _SIZES[1])
    member = jnp.arange(_MOST) < size[:, None]
    # A neuron drawn twice: the attempt is void, whatever the state.
    same = (chosen[:, :, None] == chosen[:, None, :]) & member[:, :, None] & member[:, None, :]
    allowed = jnp.sum(same, axis=(1, 2)) == size
    log_uniform = jnp.log(draws[:, _MOST + 1])

    rows = jnp.concatenate([jnp.full((1, P), problem.gain * k), U - 0.5 * problem.gain * k])
    forms = _Forms(rows @ inverse.matrix @ rows.T, rows @ inverse.dual, jnp.ones(N))

    def body(carry):
        at, forms, accepted, _ = carry
        change = _changes(forms, chosen, member)
        moves = allowed & (log_uniform < change.log_ratio) & (jnp.arange(attempts) >= at)
        first = jnp.argmax(moves).astype(jnp.int32)
        moved = moves[first]

        def turn():
            return _turn(forms, chosen[first], member[first], change.inverse[first])

        forms = jax.lax.cond(moved, turn, lambda: forms)
        return first + 1, forms, accepted + moved.astype(jnp.int32), moved

    zero = jnp.zeros((), jnp.int32)
    _, forms, accepted, _ = jax.lax.while_loop(lambda carry: carry[3], body, (zero, forms, zero, jnp.ones((), bool)))
    return forms.sign, FlipInfo(jnp.full((), attempts, jnp.int32), accepted)


def _changes(forms: _Forms, chosen: Int[Array, "attempts most"], member: Bool[Array, "attempts most"]) -> _Change:
    m = forms.dual.shape[1]
    weight = member.astype(jnp.float64)
    rows = chosen + 1
    pairs = forms.gram[rows[:, :, None], rows[:, None, :]]
    x, y = forms.gram[0, 0], jnp.sum(weight * forms.gram[0, rows], axis=1)
    w = jnp.sum(weight[:, :, None] * weight[:, None, :] * pairs, axis=(1, 2))
    p, q = forms.dual[0], jnp.sum(weight[:, :, None] * forms.dual[rows], axis=1)
    # det C' / det C; it is positive but for rounding.
    determinant = (1.0 - y) ** 2 - x * w
    quadratic = w * (p @ p) + 2.0 * (1.0 - y) * (q @ p) + x * jnp.sum(q * q, axis=1)
    log_ratio = -0.5 * m * jnp.log(determinant) - 0.5 * quadratic / determinant
    x = jnp.broadcast_to(x, y.shape)
    adjugate = jnp.stack([jnp.stack([w, 1.0 - y], axis=-1), jnp.stack([1.0 - y, x], axis=-1)], axis=-2)
    return _Change(log_ratio, -adjugate / determinant[:, None, None])


def _turn(
    forms: _Forms, chosen: Int[Array, " most"], member: Bool[Array, " most"], inverse: Float[Array, "2 2"]
) -> _Forms:
    weight = member.astype(jnp.float64)
    rows = chosen + 1
    left = jnp.stack([forms.gram[:, 0], forms.gram[:, rows] @ weight], axis=1)
    right = jnp.stack([forms.dual[0], weight @ forms.dual[rows]])
    gram = forms.gram - left @ inverse @ left.T
    dual = forms.dual - left @ inverse @ right
    turned = jnp.ones(gram.shape[0]).at[rows].multiply(1.0 - 2.0 * weight)
    return _Forms(turned[:, None] * gram * turned, turned[:, None] * dual, forms.sign * turned[1:])
