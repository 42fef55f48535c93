"""The law of a neuron's readout at finite P: its density along a direction, and draws from it."""

import math

import numpy as np
from jaxtyping import Float

from nonlazy.errors import InvalidInput
from nonlazy.theory.sigmoidal._finite import ReadoutLaw
from nonlazy.theory.sigmoidal._problem import ClassProblem
from nonlazy.theory.sigmoidal._quadrature import basins, grow
from nonlazy.theory.sigmoidal._wells import find_wells


# Spacing of the lattice along the direction and across it, in prior standard deviations, and the cut in P (E - min E).
_ALONG, _ACROSS, _CUT = 0.5, {1: 0.8, 2: 0.8, 3: 0.85}, {1: 32.0, 2: 30.0, 3: 26.0}
_SMOOTHING = 0.15
_TAILS, _DEGREES = 0.15, 4.0
_MOST_ROUNDS = 2000
# exp(-2 pi^2 1.5^2) = 5e-20 of a Gaussian lies beyond the band; the density 12 spacings beyond its samples is below the
# cut's exp(-26).
_WIDE, _MARGIN, _BLOCK = 1.5, 12.0, 2048


def projected_density(
    problem: ClassProblem,
    law: ReadoutLaw,
    direction: Float[np.ndarray, " m"],
    grid: Float[np.ndarray, " points"],
    quenched: bool,
) -> Float[np.ndarray, " points"]:
    """Density of (readout . direction) on `grid`, both in the user's units.

    The law is integrated over the readouts across the direction, on a lattice along it; between lattice points the
    density is known too, because it contains no higher frequencies than the lattice resolves. Outside the space of the
    targets a readout keeps its Gaussian prior. Above six dimensions: nodes smoothed by 0.15 prior standard deviations.
    """
    inner = problem.basis @ direction
    length = float(np.linalg.norm(inner))
    width = 1.0 / math.sqrt(problem.P)
    across = math.sqrt(max(0.0, 1.0 - length**2)) * width
    x = np.asarray(grid, dtype=np.float64) / problem.scale
    if length < 1e-8:
        return np.exp(-((x / width) ** 2) / 2) / (math.sqrt(2 * math.pi) * width * problem.scale)
    if problem.rank > 6:
        across = math.hypot(across, _SMOOTHING * width * length)
        samples, mass = law.readout @ inner, law.probability
        return _smoothed(x, samples, mass, across) / problem.scale
    samples, mass, step = _marginal(problem, law, inner / length, quenched)
    density = _between(x, samples * length, mass, step * length, across)
    return density / problem.scale


def _marginal(problem, law, unit, quenched) -> tuple[np.ndarray, np.ndarray, float]:
    """Probability of lattice layers perpendicular to `unit`: their positions, probabilities and distance."""
    r, width = problem.rank, 1.0 / math.sqrt(problem.P)
    axes = np.linalg.qr(np.column_stack([unit, np.eye(r)]))[0].T[:r]
    axes[0] = unit
    step = np.full(r, _ACROSS.get(r, 1.0 if r == 4 else 1.15) * width)
    step[0] = _ALONG * width
    cut = _CUT.get(r, 18.0 if r == 4 else 11.0)
    wells = find_wells(problem, law.t, law.wells.readout)
    index = wells.nearest(law.wells.readout) if quenched else [None]
    positions, masses = [], []
    for k, share in zip(index, law.weight if quenched else [1.0], strict=True):
        a = grow(problem, law.t, wells, step, np.zeros(r), axes, cut, None if k is None else int(k))
        g = problem.neuron.log_average(a @ law.t.T)
        exponent = problem.P * (g @ problem.rho - 0.5 * np.sum(a**2, axis=1))
        probability = np.exp(exponent - exponent.max())
        positions.append(np.rint(a @ unit / step[0]).astype(np.int64))
        masses.append(share * probability / probability.sum())
    layers, inverse = np.unique(np.concatenate(positions), return_inverse=True)
    return layers * step[0], np.bincount(inverse, np.concatenate(masses)), float(step[0])


def _between(x, samples, mass, step, across) -> np.ndarray:
    """The band-limited density with these samples, convolved with a Gaussian of standard deviation `across`.

    Memory is that of the samples and of a block of `x`, however far `x` reaches.
    """
    # A Gaussian that is wider than the samples' distance leaves nothing of the frequencies beyond their band.
    if across > _WIDE * step:
        return _smoothed(x, samples, mass, across)
    margin = _MARGIN * (step + across)
    inside = np.flatnonzero((x > samples.min() - margin) & (x < samples.max() + margin))
    span = float(np.ptp(samples)) + 2 * margin + 20 * (step + across)
    count = 2 * math.ceil(span / step) + 1
    frequency = np.linspace(-math.pi / step, math.pi / step, count)
    spectrum = np.zeros(count, dtype=np.complex128)
    for part in _blocks(len(samples)):
        spectrum += np.exp(1j * np.outer(frequency, samples[part])) @ mass[part]
    spectrum = spectrum * np.exp(-0.5 * (frequency * across) ** 2)
    spectrum[[0, -1]] *= 0.5
    density = np.zeros(len(x))
    for part in _blocks(len(inside)):
        density[inside[part]] = (np.exp(-1j * np.outer(x[inside[part]], frequency)) @ spectrum).real
    return density * (frequency[1] - frequency[0]) / (2 * math.pi)


def _smoothed(x, samples, mass, width) -> np.ndarray:
    """The samples as Gaussians of standard deviation `width`."""
    density = np.zeros(len(x))
    for rows in _blocks(len(x)):
        for part in _blocks(len(samples)):
            gauss = np.exp(-(((x[rows, None] - samples[part]) / width) ** 2) / 2)
            density[rows] += gauss @ mass[part]
    return density / (math.sqrt(2 * math.pi) * width)


def _blocks(size: int) -> list[slice]:
    return [slice(start, start + _BLOCK) for start in range(0, size, _BLOCK)]


def draw_readouts(
    problem: ClassProblem, law: ReadoutLaw, n: int, generator: np.random.Generator, quenched: bool
) -> Float[np.ndarray, "n m"]:
    """`n` independent readout vectors, `(n, m)`, in the user's units: a code, then its law by rejection."""
    code = generator.choice(len(law.weight), size=n, p=law.weight / law.weight.sum())
    inner = np.zeros((n, problem.rank))
    everywhere = find_wells(problem, law.t, law.wells.readout)
    for k in np.unique(code):
        inner[code == k] = _draw_code(problem, law, int(k), int(np.sum(code == k)), generator, quenched, everywhere)
    readout = inner @ problem.basis
    # Outside the space of the targets the prior stays.
    m = problem.basis.shape[1]
    if problem.rank < m:
        outside = generator.standard_normal((n, m)) / math.sqrt(problem.P)
        readout = readout + outside - (outside @ problem.basis.T) @ problem.basis
    return problem.scale * readout


def _draw_code(problem, law, k, n, generator, quenched, everywhere) -> np.ndarray:
    """`n` draws from the law within code k: rejection, with the bound of the ratio taken from the nodes.

    Proposals are a slightly wider Gaussian, and a Student t for the tails: towards a neighbouring code the law falls
    more slowly than a Gaussian.
    """
    members = law.code == k
    nodes, probability = law.readout[members], law.probability[members]
    probability = probability / probability.sum()
    mean = probability @ nodes
    covariance = (nodes - mean).T @ (probability[:, None] * (nodes - mean))
    covariance += 1e-3 * np.eye(problem.rank) / problem.P
    factor = 1.1 * np.linalg.cholesky(covariance)
    inverse = np.linalg.inv(factor)
    r = problem.rank
    own_well = int(everywhere.nearest(law.wells.readout[[k]])[0])

    # The Student t's density relative to the Gaussian's at the centre.
    tail_norm = math.lgamma((_DEGREES + r) / 2) - math.lgamma(_DEGREES / 2) - 0.5 * r * math.log(_DEGREES / 2)

    def log_ratio(a):
        g = problem.neuron.log_average(a @ law.t.T)
        exponent = problem.P * (g @ problem.rho - 0.5 * np.sum(a**2, axis=1))
        square = np.sum(((a - mean) @ inverse.T) ** 2, axis=1)
        gauss = math.log(1 - _TAILS) - 0.5 * square
        student = math.log(_TAILS) + tail_norm - 0.5 * (_DEGREES + r) * np.log1p(square / _DEGREES)
        return exponent - np.logaddexp(gauss, student)

    level = float(np.max(log_ratio(nodes))) + 0.1
    drawn: list[np.ndarray] = []
    count = 0
    for _ in range(_MOST_ROUNDS):
        size = max(2 * (n - count), 200)
        normal = generator.standard_normal((size, r))
        stretch = np.sqrt(_DEGREES / generator.chisquare(_DEGREES, size))
        normal *= np.where(generator.random(size) < _TAILS, stretch, 1.0)[:, None]
        a = mean + normal @ factor.T
        ratio = log_ratio(a)
        if quenched:
            inside = basins(problem, law.t, everywhere, a) == own_well
        else:
            inside = law.wells.nearest(a) == k
        highest = float(np.max(ratio[inside], initial=-np.inf))
        if highest > level:
            # The bound was too low for what was drawn so far: start again with a better one.
            level, drawn, count = highest + 0.2, [], 0
            continue
        accepted = a[inside & (np.log(generator.random(size)) < ratio - level)]
        drawn.append(accepted)
        count += len(accepted)
        if count >= n:
            return np.concatenate(drawn)[:n]
    raise InvalidInput(
        f"drawing readouts of code {k} accepts too rarely: the law within this code is far from Gaussian at P = "
        f"{problem.P}; use readout_density"
    )
