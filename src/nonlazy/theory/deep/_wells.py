"""Modes of a field law: where its mass is."""

import itertools

import numpy as np
from jaxtyping import Float

from nonlazy.theory.deep._field_law import FieldLaw


_LONGEST_STEP = 2.0
_SAME = 0.05


def code_patterns(C: int) -> Float[np.ndarray, "n C"]:
    """All subsets of C classes, as rows of 0 and 1."""
    return np.array(list(itertools.product((0.0, 1.0), repeat=C)))


def find_wells(law: FieldLaw) -> tuple[Float[np.ndarray, "n D"], Float[np.ndarray, "n D D"], Float[np.ndarray, " n"]]:
    """The modes that ascents from all 2^C codes reach, highest first.

    **Returns:** positions `(n, D)`, Gaussian covariances there `(n, D, D)`, log masses in that approximation `(n,)`.
    """
    codes = code_patterns(len(law.counts))
    x = np.concatenate([(2 * codes - 1) @ np.linalg.pinv(law.forward).T, (codes * law.counts) @ law.backward], axis=1)
    # A first layer has no forward fields: backward ones of both signs are the starts there.
    centred = np.concatenate([np.zeros_like(x[:, : law.forward.shape[1]]), (2 * codes - 1) @ law.backward], axis=1)
    x, height, hessian = _ascend(law, np.concatenate([x, centred]))
    kept: list[int] = []
    for i in np.argsort(-height):
        if all(np.linalg.norm(x[i] - x[j]) > _SAME for j in kept):
            kept.append(int(i))
    values, vectors = np.linalg.eigh(-hessian[kept])
    values = np.maximum(values, 0.3)
    covariance = np.einsum("nij,nj,nkj->nik", vectors, 1 / values, vectors)
    mass = height[kept] + 0.5 * law.dimension * np.log(2 * np.pi) - 0.5 * np.log(values).sum(axis=1)
    return x[kept], covariance, mass


def _ascend(law: FieldLaw, x: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Damped Newton ascent of every row at once."""
    damping = np.full(len(x), 1e-3)
    height, site = law.log_density(x)
    for _ in range(100):
        gradient = law.gradient(x, site)
        if np.abs(gradient).max() < 1e-8:
            break
        values, vectors = np.linalg.eigh(-law.hessian(site))
        values = np.maximum(np.abs(values), 1e-2) + damping[:, None]
        step = np.einsum("nij,nj,nkj,nk->ni", vectors, 1 / values, vectors, gradient)
        length = np.linalg.norm(step, axis=1, keepdims=True)
        step *= np.minimum(1.0, _LONGEST_STEP / np.maximum(length, 1e-300))
        reached, there = law.log_density(x + step)
        better = reached >= height - 1e-12 * np.abs(height)
        damping = np.where(better, 0.2 * damping, 8 * np.maximum(damping, 1e-3))
        x = np.where(better[:, None], x + step, x)
        height = np.where(better, reached, height)
        site = type(site)(*(np.where(better[:, None], new, old) for new, old in zip(there, site, strict=True)))
    return x, height, law.hessian(site)
