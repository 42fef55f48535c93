"""Where a chain begins.

Without jumps the fractions of neurons per code in the feature layer of a sigmoidal network freeze as the chain starts,
so the start is part of a result and is stored with it.
"""

import math
import numbers
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy.linalg

from nonlazy.errors import InvalidInput
from nonlazy.posterior import Posterior
from nonlazy.sampling._coordinates import Coordinates


@dataclass(frozen=True)
class Prior:
    """A draw from the prior, quenched at the target temperature: the default, and what the paper's codes grow from."""


@dataclass(frozen=True)
class Annealed:
    """A draw from the prior, cooled from `temperature` to the posterior's over `iterations`, log-linearly.

    Kept for comparison: it freezes sigmoidal networks near their transition, with too many neurons in uniform codes.
    """

    temperature: float = 1.0
    iterations: int = 300

    def __post_init__(self):
        if not (_is_number(self.temperature) and 0 < self.temperature < math.inf and _is_whole(self.iterations, 2)):
            raise InvalidInput(
                f"Annealed(temperature={self.temperature!r}, iterations={self.iterations!r}): the temperature must "
                "be a number above 0, and the iterations a whole number of at least 2"
            )


@dataclass(frozen=True)
class Continuation:
    """A draw from the prior, with y- taken through the values `y_minus` before the task's own, `iterations` each.

    Reaches far lower energies than a quench in deep sigmoidal networks with y- > 0, where the common part of the
    targets otherwise drives nearly all feature neurons into one code.
    """

    y_minus: tuple[float, ...]
    iterations: int = 30

    def __post_init__(self):
        values = _numbers(self.y_minus)
        if not values or not all(map(math.isfinite, values)) or not _is_whole(self.iterations, 1):
            raise InvalidInput(
                f"Continuation(y_minus={self.y_minus!r}, iterations={self.iterations!r}): give at least one value of "
                "y-, as (0.0, 0.25), and iterations as a whole number of at least 1"
            )
        object.__setattr__(self, "y_minus", values)


@dataclass(frozen=True)
class Planted:
    """Feature neurons placed in given codes, at given fractions; then relaxed by the warm-up.

    **Fields:**

    - `codes`: `(n, C)` of 0 and 1, which classes activate each code.
    - `fractions`: `(n,)`, summing to 1; None for equal shares.
    """

    codes: tuple[tuple[int, ...], ...]
    fractions: tuple[float, ...] | None = None

    def __post_init__(self):
        codes = _codes(self.codes)
        fractions = (1 / len(codes),) * len(codes) if self.fractions is None else _numbers(self.fractions) or ()
        if len(fractions) != len(codes) or not (min(fractions) >= 0 and abs(sum(fractions) - 1) <= 1e-6):
            raise InvalidInput(f"fractions are {self.fractions!r}: give one number a code, none negative, summing to 1")
        object.__setattr__(self, "codes", codes)
        object.__setattr__(self, "fractions", fractions)


@dataclass(frozen=True)
class Outliers:
    """Outliers of a ReLU network with one hidden layer, one neuron for each code; all others are drawn from the prior.

    Several outliers with one code share its work. Chains that begin with too many, with too few or with none must end
    with as many; `Rotations` bring them there.

    **Fields:**

    - `codes`: `(n, C)` of 0 and 1, which classes activate each outlier: at least one.
    """

    codes: tuple[tuple[int, ...], ...]

    def __post_init__(self):
        codes = _codes(self.codes)
        if not all(any(code) for code in codes):
            raise InvalidInput(f"codes are {self.codes!r}: every outlier needs a class that activates it")
        object.__setattr__(self, "codes", codes)


def _codes(codes: object) -> tuple[tuple[int, ...], ...]:
    try:
        rows = tuple(tuple(code) for code in codes)  # type: ignore[attr-defined]
        bits = {bit for code in rows for bit in code}
    except TypeError:
        rows, bits = (), set()
    if not rows or len({len(code) for code in rows}) != 1 or not bits <= {0, 1}:
        raise InvalidInput(f"codes are {codes!r}: give one tuple of 0 and 1 a code, all of the same length")
    return tuple(tuple(int(bit) for bit in code) for code in rows)


def _is_number(value: object) -> bool:
    return isinstance(value, numbers.Real) and not isinstance(value, bool)


def _is_whole(value: object, lowest: int) -> bool:
    return isinstance(value, numbers.Integral) and not isinstance(value, bool) and int(value) >= lowest


def _numbers(values: object) -> tuple[float, ...] | None:
    """`values` as floats; None where they are no sequence of numbers."""
    try:
        return tuple(float(value) for value in values)  # type: ignore[attr-defined]
    except (TypeError, ValueError):
        return None


Start = Prior | Annealed | Continuation | Planted | Outliers
_NAMES = {"prior": Prior, "annealed": Annealed}
# Class means of planted preactivations: in the first layer, and in the deeper ones.
_FIRST_SHIFT = 0.7
_DEEP_SHIFT = 1.5


def resolve_start(start: Start | str, posterior: Posterior) -> Start:
    """The start a user named, checked against the posterior; raises `InvalidInput`."""
    if isinstance(start, str):
        if start not in _NAMES:
            raise InvalidInput(
                f"start {start!r} is not known: choose 'prior' or 'annealed', or give Planted(codes, fractions), "
                "Continuation(y_minus), Outliers(codes) or Annealed(temperature, iterations)"
            )
        start = _NAMES[start]()
    if not isinstance(start, Start):
        raise InvalidInput(
            f"start is {start!r}: give 'prior', 'annealed', Planted(...), Outliers(...), Continuation(...) or "
            "Annealed(...)"
        )
    if isinstance(start, Outliers):
        _check_outliers(start, posterior)
    if isinstance(start, Planted | Outliers) and len(start.codes[0]) != posterior.task.classes:
        raise InvalidInput(f"planted codes have {len(start.codes[0])} classes, the task {posterior.task.classes}")
    return start


def _check_outliers(start: Outliers, posterior: Posterior) -> None:
    network = posterior.network
    for applies, reason in (
        (network.phi.degree != 1 or network.phi.kind != "rectified", f"a ReLU network, not {network.phi.name}"),
        (network.depth != 1, f"one hidden layer, not {network.depth}"),
        (len(start.codes) > network.width, f"at least as many neurons as codes, {len(start.codes)}"),
    ):
        if applies:
            raise InvalidInput(f"Outliers(...) need {reason}: use start='prior' or Planted(...)")


def initial(
    start: Start, posterior: Posterior, coordinates: Coordinates, seed: Sequence[int]
) -> tuple[np.ndarray, tuple[np.ndarray, ...], np.ndarray]:
    """Whitened first layer `(N, r)`, hidden layers `(N, N)` and readouts `(m, N)` to begin with, float64."""
    generator = np.random.default_rng(list(seed))
    N, m, depth = posterior.network.width, posterior.task.m, posterior.network.depth
    first = generator.standard_normal((N, coordinates.rank))
    hidden = tuple(generator.standard_normal((N, N)) for _ in range(depth - 1))
    readout = generator.standard_normal((m, N))
    if isinstance(start, Planted):
        return _plant(start, posterior, coordinates, generator, first, hidden)
    if isinstance(start, Outliers):
        return _plant_outliers(start, posterior, coordinates, generator, first, readout)
    return first, hidden, readout


def _plant(start, posterior, coordinates, generator, first, hidden):
    task, network = posterior.task, posterior.network
    N, C, labels = network.width, task.classes, task.labels
    counts = np.floor(np.array(start.fractions) * N).astype(int)
    remainder = np.argsort(counts - np.array(start.fractions) * N, kind="stable")[: N - counts.sum()]
    counts[remainder] += 1
    feature_codes = generator.permutation(np.repeat(np.array(start.codes), counts, axis=0))
    nontrivial = np.array([[(code >> c) & 1 for c in range(C)] for code in range(1, 2**C - 1)]) if C <= 10 else None
    if nontrivial is None or len(nontrivial) == 0:
        nontrivial = np.array(start.codes)

    codes = feature_codes if network.depth == 1 else nontrivial[np.arange(N) % len(nontrivial)]
    present, to_means = _to_class_means(posterior, coordinates)
    # The smallest change that gives the class means: it takes the prior's own class means out, too, which correlated
    # inputs do not average away.
    wanted = _FIRST_SHIFT * (2.0 * codes[:, present] - 1.0)
    first = first + (wanted - first @ to_means) @ scipy.linalg.pinv(to_means)
    z = _preactivations(coordinates, first)

    planted = []
    for layer, matrix in enumerate(hidden, start=2):
        codes = feature_codes if layer == network.depth else nontrivial[generator.permutation(N) % len(nontrivial)]
        phi = network.phi(z)
        means = np.stack([phi[:, labels == c].mean(axis=1) for c in present], axis=1)
        inverse = scipy.linalg.pinv(means)
        target = math.sqrt(N) * _DEEP_SHIFT * (2.0 * codes[:, present] - 1.0)
        sigma = math.sqrt(posterior.sigma2[layer - 1])
        matrix = matrix - matrix @ means @ inverse + target @ inverse / sigma
        planted.append(matrix)
        z = sigma * matrix @ phi / math.sqrt(N)

    return first, tuple(planted), _ridge(posterior, _features(posterior, z), task.Y)


def _plant_outliers(start, posterior, coordinates, generator, first, readout):
    task, n = posterior.task, len(start.codes)
    present, to_means = _to_class_means(posterior, coordinates)
    rows = np.array(start.codes, dtype=float)[:, present] @ scipy.linalg.pinv(to_means)
    # Outliers of one code begin as equals, and apart from each other by a hundredth of their size.
    size = np.sqrt(np.mean(rows**2, axis=1, keepdims=True))
    rows = rows + 0.01 * size * generator.standard_normal(rows.shape)
    bulk = readout[:, n:] @ _features(posterior, _preactivations(coordinates, first[n:]))
    features = _features(posterior, _preactivations(coordinates, rows))
    readouts = _ridge(posterior, features, task.Y - bulk.T)
    # phi(c z) = c phi(z): the scale at which weights and readouts cost the prior the same, which is where it is least.
    scale = np.sqrt(np.linalg.norm(readouts, axis=0) / np.maximum(np.linalg.norm(rows, axis=1), 1e-300))
    scale = np.maximum(scale, 1e-3)
    order = generator.permutation(posterior.network.width)
    first = np.concatenate([scale[:, None] * rows, first[n:]])[order]
    return first, (), np.concatenate([readouts / scale, readout[:, n:]], axis=1)[:, order]


def _to_class_means(posterior, coordinates):
    """The classes among the training inputs, and the matrix from whitened rows to class means of z."""
    labels = posterior.task.labels
    present = np.unique(labels)
    averages = (labels[:, None] == present) / np.bincount(labels)[present]
    return present, coordinates.scale * averages if coordinates.factor is None else coordinates.factor.T @ averages


def _preactivations(coordinates, first):
    return coordinates.scale * first if coordinates.factor is None else first @ coordinates.factor.T


def _features(posterior, z):
    return posterior.network.phi(z) * posterior.network.readout_scale * math.sqrt(posterior.sigma_a2)


def _ridge(posterior, features, targets):
    """Whitened readouts `(m, N)` with which the features meet the targets."""
    ridge = max(posterior.noise_variance, 1e-12)
    kernel = features.T @ features + ridge * np.eye(targets.shape[0])
    return (features @ scipy.linalg.solve(kernel, targets, assume_a="pos")).T
