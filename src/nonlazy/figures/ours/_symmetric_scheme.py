"""The scheme of a sigmoidal network on classes that differ in nothing but their name, however many there are.

The dual energy of docs/theory/sigmoidal.md is concave in the field t. Where all classes have the same share and the
same targets up to their order, it does not change when classes are exchanged, so that its maximum is reached at a field
that does not either: t_c^r = t0 + t1 delta_cr. A neuron's wells then go by the number of active classes: two readouts,
two activations. What is left are two unknowns, however many classes.
"""

import math
from dataclasses import dataclass

import numpy as np
import scipy.optimize
from jaxtyping import Float, Int

from nonlazy.errors import InvalidInput, TheoryError
from nonlazy.posterior import Posterior
from nonlazy.theory.sigmoidal._problem import input_norm
from nonlazy.theory.sigmoidal._single_neuron import SingleNeuron, single_neuron


_SOLVED = 1e-8
_MOST_ITERATIONS, _FEW_ITERATIONS = 2000, 60
# Shares of a size below this are rounding.
_SHARE = 1e-9


@dataclass(frozen=True, eq=False)
class SymmetricScheme:
    """The codes for P to infinity.

    **Fields:**

    - `classes`: m. `size` `(n,)`: in how many of them a code is active, for the sizes that occur; `share` `(n,)`: of
      the neurons with codes of that size, all of them alike.
    - `readout` `(n, 2)`: of an active class, and of another; `activation` `(n, 2)`: on them.
    - `deviation`: root mean square of y - f over inputs and outputs.
    - `free_energy`: per neuron and training input, as `nonlazy.theory.solve` has it.
    - `residual`: max|y - T t - <a phi>| / max|y|.
    """

    classes: int
    size: Int[np.ndarray, " n"]
    share: Float[np.ndarray, " n"]
    readout: Float[np.ndarray, "n 2"]
    activation: Float[np.ndarray, "n 2"]
    deviation: float
    free_energy: float
    residual: float

    @property
    def codes(self) -> int:
        """Number of different codes."""
        return sum(math.comb(self.classes, int(size)) for size in self.size)

    @property
    def mean_size(self) -> float:
        """Active classes of a code, on average over neurons."""
        return float(self.share @ self.size)

    @property
    def deviation_of_size(self) -> float:
        """Standard deviation of the active classes over neurons."""
        return float(np.sqrt(max(self.share @ (self.size - self.mean_size) ** 2, 0.0)))

    def distinct(self, neurons: int) -> float:
        """Expected number of different codes among independent neurons."""
        numbers = np.array([math.comb(self.classes, int(size)) for size in self.size], dtype=np.float64)
        # 1 - (1 - p)^n, without cancellation for codes without number.
        return float(-(numbers * np.expm1(neurons * np.log1p(-np.minimum(self.share / numbers, 1 - 1e-16)))).sum())


def symmetric_scheme(posterior: Posterior) -> SymmetricScheme:
    """The optimum among schemes whose codes of one size have the same readouts up to the order of the classes.

    At the symmetric field a neuron might have wells with more than two different readouts; none is looked for, so that
    nothing is certified. Where `nonlazy.theory.solve` has an answer (up to 20 classes), it is the same.

    **Raises:** `nonlazy.errors.InvalidInput` for another network or task; `nonlazy.errors.TheoryError` where the
    equations could not be solved.
    """
    neuron, m, targets, temperature, scale = _checked(posterior)
    start = np.array([0.0, 2.0 * m * (targets[0] - targets[1])])
    field = _ascend(neuron, m, targets, temperature, start)
    energy, _, activation = _wells(neuron, m, field)
    order = np.argsort(energy)
    # The optimum lies where the wells of one size are lowest, or on the kink where those of two sizes are.
    first = order[0]
    second = next(
        (k for k in order if _active(neuron, m, activation)[k] != _active(neuron, m, activation)[first]), None
    )
    best = None
    for wells in ([first], [] if second is None else [first, second]):
        found = _polish(neuron, m, targets, temperature, field, np.array(wells, dtype=np.int64)) if wells else None
        if found is not None and (best is None or found[2] < best[2]):
            best = found
    if best is None or not best[2] < _SOLVED:
        raise TheoryError(
            f"the scheme of {m} classes could not be solved (residual {np.inf if best is None else best[2]:.1e}): "
            "another temperature or another target may be"
        )
    field, share, residual = best
    energy, readout, activation = _wells(neuron, m, field)
    present = np.flatnonzero(share)
    present = present[np.argsort(_active(neuron, m, activation)[present])]
    missed = temperature * np.array([field[0] + field[1], field[0]]) * scale
    return SymmetricScheme(
        classes=m,
        size=_active(neuron, m, activation)[present],
        share=share[present],
        readout=scale * readout[present],
        activation=activation[present],
        deviation=float(np.sqrt((missed[0] ** 2 + (m - 1) * missed[1] ** 2) / m)),
        free_energy=float(_linear_part(m, targets, temperature, field) + energy.min()),
        residual=residual,
    )


def _checked(
    posterior: Posterior,
) -> tuple[SingleNeuron, int, Float[np.ndarray, " 2"], float, float]:
    """Single-neuron law, number of classes, targets (own class, others) and T in units of the theory, and the unit."""
    network, task = posterior.network, posterior.task
    norm = input_norm(task)
    if network.phi.kind != "sigmoidal" or network.depth != 1 or network.readout != "non-lazy" or norm is None:
        raise InvalidInput(
            "this theory is of one sigmoidal hidden layer with the non-lazy readout and mutually orthogonal inputs"
        )
    counts = np.bincount(task.labels, minlength=task.classes)
    Y = np.stack([task.Y[task.labels == c].mean(axis=0) for c in range(task.classes)]) if counts.all() else task.Y[:0]
    own, other = float(task.Y.max()), float(task.Y.min())
    alike = task.classes > 1 and Y.shape == (task.m, task.m) and len(set(counts.tolist())) == 1
    if not alike or not np.allclose(Y, other + (own - other) * np.eye(task.m)):
        raise InvalidInput(
            "this theory is of classes with equally many inputs and one-hot targets: nonlazy.theory.solve takes others"
        )
    s2 = task.P * posterior.sigma_a2
    scale = math.sqrt(s2)
    neuron = single_neuron(network.phi, posterior.sigma2[0] * norm)
    return neuron, task.m, np.array([own, other]) / scale, posterior.temperature / s2, scale


def _wells(
    neuron: SingleNeuron, m: int, field: Float[np.ndarray, " 2"], most: int = _MOST_ITERATIONS
) -> tuple[Float[np.ndarray, " sizes"], Float[np.ndarray, "sizes 2"], Float[np.ndarray, "sizes 2"]]:
    """Energy, readouts and activations of the wells with 0 .. m active classes, from a = sum_c b_c t_c / m."""
    t0, t1 = field
    k = np.arange(m + 1.0)
    counts = np.stack([k, m - k], axis=1)
    b = np.tile([neuron.high, neuron.low], (m + 1, 1)).astype(np.float64)

    def through(b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        a = (t0 * (counts * b).sum(axis=1, keepdims=True) + t1 * b) / m
        return a, t0 * (counts * a).sum(axis=1, keepdims=True) + t1 * a

    for _ in range(most):
        before, b = b, neuron.mean(through(b)[1])
        if np.max(np.abs(b - before)) < 1e-14:
            break
    a, fields = through(b)
    g = neuron.log_average(fields)
    return 0.5 * (counts * a**2).sum(axis=1) - (counts * g).sum(axis=1) / m, a, b


def _active(neuron: SingleNeuron, m: int, b: Float[np.ndarray, "wells 2"]) -> Int[np.ndarray, " wells"]:
    """Active classes of the wells: those that began with few may end with all of them."""
    k = np.arange(m + 1)
    return (np.stack([k, m - k], axis=1) * (b > neuron.middle)).sum(axis=1)


def _outputs(m: int, a: Float[np.ndarray, "sizes 2"], b: Float[np.ndarray, "sizes 2"]) -> Float[np.ndarray, "sizes 2"]:
    """<a phi> of the neurons of each size: at the output of the input's own class, and at another one."""
    k = np.arange(m + 1.0)
    off = m - k
    own = (k * a[:, 0] * b[:, 0] + off * a[:, 1] * b[:, 1]) / m
    mixed = k * off * (a[:, 0] * b[:, 1] + a[:, 1] * b[:, 0])
    other = (k * (k - 1) * a[:, 0] * b[:, 0] + off * (off - 1) * a[:, 1] * b[:, 1] + mixed) / (m * (m - 1))
    return np.stack([own, other], axis=1)


def _linear_part(m: int, targets: Float[np.ndarray, " 2"], temperature: float, field: Float[np.ndarray, " 2"]) -> float:
    t = np.array([field[0] + field[1], field[0]])
    return float(np.array([1, m - 1]) @ (t * targets - 0.5 * temperature * t**2))


def _ascend(
    neuron: SingleNeuron, m: int, targets: Float[np.ndarray, " 2"], temperature: float, start: Float[np.ndarray, " 2"]
) -> Float[np.ndarray, " 2"]:
    """Where the concave function linear part + lowest energy is about largest: the highest point below all of them."""
    # t1 is of order m, t0 of order 1.
    unit = np.array([1.0, m])

    def below(v: np.ndarray) -> np.ndarray:
        field = v[:2] * unit
        return _linear_part(m, targets, temperature, field) + _wells(neuron, m, field, _FEW_ITERATIONS)[0] - v[2]

    def slopes(v: np.ndarray) -> np.ndarray:
        field = v[:2] * unit
        _, a, b = _wells(neuron, m, field, _FEW_ITERATIONS)
        # Wells follow the field at no cost to first order: what is missed of the targets is the slope.
        missed = targets - temperature * np.array([field[0] + field[1], field[0]]) - _outputs(m, a, b)
        along = np.stack([missed[:, 0] + (m - 1) * missed[:, 1], missed[:, 0]], axis=1) * unit
        return np.column_stack([along, -np.ones(m + 1)])

    v = np.append(start / unit, 0.0)
    v[2] = below(v).min()
    result = scipy.optimize.minimize(
        lambda v: -v[2], v, jac=lambda _: np.array([0.0, 0.0, -1.0]), method="SLSQP",
        constraints=[{"type": "ineq", "fun": below, "jac": slopes}], options={"maxiter": 300, "ftol": 1e-13},
    )  # fmt: skip
    return result.x[:2] * unit


def _polish(
    neuron: SingleNeuron,
    m: int,
    targets: Float[np.ndarray, " 2"],
    temperature: float,
    field: Float[np.ndarray, " 2"],
    wells: Int[np.ndarray, " n"],
) -> tuple[Float[np.ndarray, " 2"], Float[np.ndarray, " sizes"], float] | None:
    """Field, shares by size and residual, solved with neurons in these wells alone; None where that is no optimum."""

    def shares(v: np.ndarray) -> np.ndarray:
        share = np.zeros(m + 1)
        share[wells] = 1.0 if len(wells) == 1 else (v[2], 1 - v[2])
        return share

    def equations(v: np.ndarray) -> np.ndarray:
        energy, a, b = _wells(neuron, m, v[:2])
        t = np.array([v[0] + v[1], v[0]])
        missed = targets - temperature * t - shares(v) @ _outputs(m, a, b)
        return missed if len(wells) == 1 else np.append(missed, energy[wells[0]] - energy[wells[1]])

    v = field if len(wells) == 1 else np.append(field, 0.5)
    solved = scipy.optimize.root(equations, v, tol=1e-13)
    energy, share = _wells(neuron, m, solved.x[:2])[0], shares(solved.x)
    if (share < -_SHARE).any() or energy[wells].max() > energy.min() + 1e-7:
        return None
    residual = float(np.abs(equations(solved.x)).max() / np.abs(targets).max())
    return solved.x[:2], np.where(share > _SHARE, share, 0.0), residual
