"""Theory against samples, number by number."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float, Int

from nonlazy.diagnostics import CodeHistory, code_history
from nonlazy.errors import InvalidInput, StoreError
from nonlazy.figures import _moments
from nonlazy.figures._outputs import output_names
from nonlazy.sampling import Run
from nonlazy.tasks import Task
from nonlazy.theory import Codes, Prediction


# A neuron whose |a|^2 / N is above this is an outlier of a rectified layer: the bulk's is of order 1 / N.
OUTLIER = 0.04
# Codes that the theory does not have are worth a row where they hold this share of the neurons.
LEAST_SHARE = 0.01


@dataclass(frozen=True)
class ComparisonRow:
    """One number as the theory and the samples give it.

    **Fields:** `error`: the samples' Monte Carlo standard error, or None; `quenched`: the theory at the chains' own
    shares of the codes, where these are frozen, else None.
    """

    quantity: str
    theory: float
    samples: float
    error: float | None
    quenched: float | None = None

    @property
    def deviation(self) -> float:
        """samples - theory."""
        return self.samples - self.theory


def comparison(run: Run, prediction: Prediction, quenched: Prediction | None = None) -> tuple[ComparisonRow, ...]:
    """Rows for what the theory says of the readouts, of the feature kernel, and of the errors on test inputs.

    Readouts: U = <a a^T> of a linear network; share and mean readout of each code of a sigmoidal one, by the classes
    that activate a neuron, codes that the theory does not have included; a a^T / N of the outliers of a rectified one,
    added up over the neurons that share a direction. Kernel: means over the pairs of two classes, an input's pair with
    itself left out. `quenched`: the theory at the chains' own shares, beside it.
    """
    rows = _rows(run, prediction)
    if quenched is None:
        return rows
    beside = {row.quantity: row.theory for row in _rows(run, quenched)}
    return tuple(replace(row, quenched=beside.get(row.quantity)) for row in rows)


def sampled_fractions(run: Run, codes: Codes) -> dict[tuple[int, ...], float]:
    """Share of the neurons whose readout is nearest to each code's, over all draws and chains; empty codes left out."""
    shares = _membership(run.readouts(), codes.readout).mean(axis=(1, 2, 3))
    return {
        tuple(int(bit) for bit in code): float(share)
        for code, share in zip(codes.active, shares / shares.sum(), strict=True)
        if share > 0
    }


def _rows(run: Run, prediction: Prediction) -> tuple[ComparisonRow, ...]:
    names = output_names(run.task)
    rows: list[ComparisonRow] = []
    covariance = getattr(prediction, "readout_covariance", None)
    codes = getattr(prediction, "codes", None)
    outliers = getattr(prediction, "outliers", None)
    if covariance is not None:
        rows += _covariance_rows(run.readouts(), np.asarray(covariance), names)
    elif codes is not None:
        rows += _code_rows(run, codes, names)
    elif outliers is not None:
        rows += _outlier_rows(run.readouts(), np.asarray(outliers.readout), outliers.exponent, names)
    rows += _kernel_rows(run.task, run.kernel(), np.asarray(prediction.kernel(run.task.X)))
    if run.task.X_test is not None:
        rows += _error_rows(run, prediction, names)
    return tuple(rows)


def class_blocks(
    kernel: Float[np.ndarray, "P P"], labels: Int[np.ndarray, " P"], classes: int
) -> Float[np.ndarray, "C C"]:
    """Mean of `kernel` over the pairs of different inputs from two classes; NaN where there is no such pair."""
    member = (labels[:, None] == np.arange(classes)).astype(np.float64)
    sums = member.T @ (kernel - np.diag(np.diag(kernel))) @ member
    counts = member.sum(axis=0)
    pairs = np.outer(counts, counts) - np.diag(counts)
    return np.divide(sums, pairs, out=np.full_like(sums, np.nan), where=pairs > 0)


def _kernel_rows(
    task: Task, sampled: Float[np.ndarray, "P P"], predicted: Float[np.ndarray, "P P"]
) -> Iterator[ComparisonRow]:
    names = task.class_names
    samples, theory = (class_blocks(kernel, task.labels, len(names)) for kernel in (sampled, predicted))
    for first in range(len(names)):
        for second in range(first, len(names)):
            if np.isfinite(samples[first, second]):
                quantity = f"K, classes {names[first]} and {names[second]}"
                yield ComparisonRow(quantity, float(theory[first, second]), float(samples[first, second]), None)


def _covariance_rows(
    readouts: Float[np.ndarray, "chains draws N m"], covariance: Float[np.ndarray, "m m"], names: tuple[str, ...]
) -> Iterator[ComparisonRow]:
    second_moments = np.einsum("cdir,cdis->cdrs", readouts, readouts) / readouts.shape[2]
    for first in range(len(covariance)):
        for second in range(first, len(covariance)):
            name = f"U[{names[first]}, {names[second]}]"
            yield _row(name, float(covariance[first, second]), second_moments[:, :, first, second])


def _code_rows(run: Run, codes: Codes, names: tuple[str, ...]) -> Iterator[ComparisonRow]:
    """Codes by what activates the neurons, so that those which the theory does not have show, too."""
    readouts = run.readouts()
    try:
        history = code_history([run])
    except (InvalidInput, StoreError):
        # No draw was kept in full: readouts alone tell the code.
        member, others = _membership(readouts, codes.readout), ()
    else:
        readouts = readouts[:, history.draws]
        member, others = _by_activation(history, readouts, codes), _others(history, codes)
    labels = _distinct(codes.names)
    for index, name in enumerate(labels):
        yield _row(f"share of {name}", float(codes.fraction[index]), member[index].mean(axis=2))
    for name, share in others:
        yield _row(f"share of {name}", 0.0, share)
    for index, name in enumerate(labels):
        counts = member[index].sum(axis=2)
        if (counts == 0).any():
            continue
        means = np.einsum("cdi,cdir->cdr", member[index], readouts) / counts[:, :, None]
        for r, output in enumerate(names):
            yield _row(f"a({output}) of {name}", float(codes.readout[index, r]), means[:, :, r])


def _distinct(names: tuple[str, ...]) -> list[str]:
    """Names with a number where several wells have one code."""
    return [
        name if names.count(name) == 1 else f"{name} ({names[: k + 1].count(name)})" for k, name in enumerate(names)
    ]


def _by_activation(
    history: CodeHistory, readouts: Float[np.ndarray, "chains draws N m"], codes: Codes
) -> Float[np.ndarray, "n chains draws N"]:
    """1 where a neuron, in a draw, has a code of the theory; several of one name share theirs by their readouts."""
    member = np.zeros((len(codes), *history.index.shape))
    for name in set(codes.names):
        same = [index for index, other in enumerate(codes.names) if other == name]
        has = history.index == (history.names.index(name) if name in history.names else -1)
        if len(same) == 1:
            member[same[0]] = has
        else:
            member[same] = _membership(readouts, codes.readout[same]) * has
    return member


def _others(history: CodeHistory, codes: Codes) -> list[tuple[str, Float[np.ndarray, "chains draws"]]]:
    """Shares of the codes that the theory does not have, the largest first."""
    shares = history.counts / history.index.shape[2]
    found = [(name, shares[:, :, k]) for k, name in enumerate(history.names) if name not in codes.names]
    return sorted(((n, s) for n, s in found if s.mean() >= LEAST_SHARE), key=lambda one: -one[1].mean())


def _membership(
    readouts: Float[np.ndarray, "chains draws N m"], centres: Float[np.ndarray, "n m"]
) -> Float[np.ndarray, "n chains draws N"]:
    """1 where a neuron, in a draw, counts for a code: the one whose mean readout is nearest to its own."""
    distances = np.stack([((readouts - centre) ** 2).sum(axis=-1) for centre in centres])
    return (distances.argmin(axis=0)[None] == np.arange(len(centres))[:, None, None, None]).astype(np.float64)


def _outlier_rows(
    readouts: Float[np.ndarray, "chains draws N m"],
    outliers: Float[np.ndarray, "n m"],
    exponent: float,
    names: tuple[str, ...],
) -> Iterator[ComparisonRow]:
    """Outlier neurons in their rank-one parts: several neurons in one direction count as one outlier.

    Readouts of outliers grow as N^exponent: 1/2, or 1/3 for squared ReLU.
    """
    scale = readouts.shape[2] ** (2 * exponent)
    norms = (readouts**2).sum(axis=-1)
    large = (norms > OUTLIER * scale).astype(np.float64)
    yield _row("outliers", float(len(outliers)), large.sum(axis=2))
    if not len(outliers):
        return
    directions = outliers / np.linalg.norm(outliers, axis=1, keepdims=True)
    cosines = readouts @ directions.T / np.sqrt(np.maximum(norms, np.finfo(np.float64).tiny))[..., None]
    nearest = cosines.argmax(axis=-1)
    for index, outlier in enumerate(outliers):
        member = large * (nearest == index)
        strength = (member * norms).sum(axis=2) / scale
        output = names[int(np.abs(outlier).argmax())]
        unit = "N" if exponent == 0.5 else "N^(2/3)"
        yield _row(f"|a|^2/{unit}, outlier {index + 1} ({output})", float(outlier @ outlier), strength)


def _error_rows(run: Run, prediction: Prediction, names: tuple[str, ...]) -> Iterator[ComparisonRow]:
    error = prediction.generalization_error()
    means, variances = _moments.outputs(run, test=True)
    assert run.task.Y_test is not None
    samples = ((run.task.Y_test - means) ** 2 + variances).mean(axis=1)
    for r, name in enumerate(names):
        yield ComparisonRow(f"test error, output {name}", float(error.total[r]), float(samples[:, r].mean()), None)


def _row(quantity: str, theory: float, draws: Float[np.ndarray, "chains draws"]) -> ComparisonRow:
    return ComparisonRow(quantity, theory, float(draws.mean()), _standard_error(draws))


def _standard_error(draws: Float[np.ndarray, "chains draws"]) -> float | None:
    if draws.shape[1] < 4:
        return None
    if np.ptp(draws) == 0:
        return 0.0
    from arviz_stats.base.array import array_stats

    return np.asarray(array_stats.mcse(draws, chain_axis=0, draw_axis=1, method="mean")).item()
