"""Density and draws of the readout vectors, from the feature layer's law."""

import numpy as np
from jaxtyping import Float

from nonlazy.errors import InvalidInput
from nonlazy.theory.deep._quadrature import normal_nodes
from nonlazy.theory.deep._readout_layer import ReadoutLayer


_REACH = 6.0
_LEVEL = 8
_DEGREE = 8


def density_along(
    layer: ReadoutLayer, direction: Float[np.ndarray, " m"], grid: Float[np.ndarray, " points"], scale: float
) -> Float[np.ndarray, " points"]:
    """Density of a . direction; `scale` is sigma_a.

    In every well the ratio to the fitted Gaussian is smooth: it is integrated over the other directions at a few points
    along this one, and interpolated.
    """
    nodes = layer.nodes
    towards = np.concatenate([np.zeros(nodes.x.shape[1] - len(direction)), scale * direction])
    others = normal_nodes(nodes.x.shape[1] - 1, _LEVEL)
    # Chebyshev points, so that the polynomial does not ring at the ends.
    points = _REACH * np.cos(np.pi * (np.arange(_DEGREE + 1) + 0.5) / (_DEGREE + 1))
    density = np.zeros(len(grid))
    for g, (centre, factor, log_share) in enumerate(zip(nodes.centre, nodes.factor, nodes.log_share, strict=True)):
        if layer.share[g] < 1e-8:
            continue
        along = factor.T @ towards
        width = float(np.linalg.norm(along))
        basis = np.linalg.qr(np.column_stack([along / width, np.eye(len(along))]))[0]
        basis[:, 0] = along / width
        ratios = []
        for point in points:
            x = centre + np.column_stack([np.full(len(others), point), others]) @ basis.T @ factor.T
            log_density, _ = layer.law.log_density(x)
            terms = nodes.log_mixture(x)
            peak = terms.max(axis=1)
            mixture = peak + np.log(np.exp(terms - peak[:, None]).sum(axis=1))
            ratios.append(np.mean(np.exp(log_density + log_share - mixture - layer.log_mass[g])))
        y = (grid - float(towards @ centre)) / width
        fit = np.polynomial.chebyshev.chebfit(points / _REACH, np.log(np.maximum(ratios, 1e-300)), _DEGREE)
        inside = np.abs(y) < _REACH
        log_ratio = np.polynomial.chebyshev.chebval(np.clip(y, -_REACH, _REACH) / _REACH, fit)
        own = np.exp(log_ratio - 0.5 * y**2) / (np.sqrt(2 * np.pi) * width)
        density += layer.share[g] * np.where(inside, own, 0.0)
    return density


def draw_readouts(
    layer: ReadoutLayer, n: int, generator: np.random.Generator, scale: float
) -> Float[np.ndarray, "n m"]:
    """Independent readout vectors, by rejection from the Gaussian mixture."""
    nodes, m = layer.nodes, layer.t.shape[1]
    weighted = np.exp(layer.well_weight) * layer.share
    present = layer.share > 1e-8
    share = layer.share[present] / layer.share[present].sum()
    wells = np.flatnonzero(present)
    # The nodes say how far a well's density exceeds the Gaussian fitted to it: the bound of the rejection.
    per_well = len(nodes.x) // len(layer.share)
    own = [weighted[g * per_well : (g + 1) * per_well].sum(axis=1).max() / layer.share[g] for g in wells]
    bound = 1.5 * per_well * max(own)
    drawn = np.zeros((0, m))
    for _ in range(10_000):
        if len(drawn) >= n:
            return drawn[:n]
        pick = generator.choice(len(wells), size=2 * n + 64, p=share)
        standard = generator.standard_normal((len(pick), nodes.x.shape[1]))
        x = nodes.centre[wells[pick]] + np.einsum("nij,nj->ni", nodes.factor[wells[pick]], standard)
        log_density, _ = layer.law.log_density(x)
        terms = nodes.log_mixture(x)
        peak = terms.max(axis=1)
        mixture = peak + np.log(np.exp(terms - peak[:, None]).sum(axis=1))
        ratio = np.exp(log_density + nodes.log_share[wells[pick]] - mixture - layer.log_mass[wells[pick]])
        kept = x[generator.random(len(pick)) * bound < ratio]
        drawn = np.concatenate([drawn, scale * kept[:, -m:]])
    raise InvalidInput(f"n is {n}: too many readouts for the wells' overlap with their Gaussian fits")
