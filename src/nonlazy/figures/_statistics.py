"""Numbers that figures read from layers and runs: contrast of kernels, gaps of levels, what neurons keep."""

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int

from nonlazy.codes import CodingScheme, detect
from nonlazy.figures._comparison import OUTLIER, class_blocks
from nonlazy.figures._report import rule_of, untrained_layer
from nonlazy.sampling import Run


def block_contrast(kernel: Float[np.ndarray, "P P"], labels: Int[np.ndarray, " P"]) -> float:
    """(mean over pairs of one class - mean over pairs of two classes) / mean diagonal; an input's own pair left out."""
    same = labels[:, None] == labels[None, :]
    own = np.eye(len(kernel), dtype=bool)
    return float((kernel[same & ~own].mean() - kernel[~same].mean()) / kernel[own].mean())


def layer_contrast(activations: Float[np.ndarray, "N P"], labels: Int[np.ndarray, " P"]) -> float:
    """`block_contrast` of a layer's kernel, without the kernel: for inputs by the ten thousand."""
    of_class = np.stack([activations[:, labels == c].sum(axis=1) for c in np.unique(labels)])
    own = float((activations**2).sum())
    counts = np.unique(labels, return_counts=True)[1].astype(np.float64)
    same, every = float((of_class**2).sum()), float((of_class.sum(axis=0) ** 2).sum())
    pairs, P = float((counts**2).sum()), counts.sum()
    return ((same - own) / (pairs - P) - (every - same) / (P**2 - pairs)) * P / own


def off_diagonal_correlation(first: Float[np.ndarray, "P P"], second: Float[np.ndarray, "P P"]) -> float:
    """Correlation of the entries of two kernels above the diagonal."""
    above = np.triu_indices(len(first), 1)
    return float(np.corrcoef(first[above], second[above])[0, 1])


def least_correlation(kernels: Mapping[str, Float[np.ndarray, "P P"]]) -> float:
    """Smallest `off_diagonal_correlation` of two of the kernels."""
    return min(off_diagonal_correlation(kernels[a], kernels[b]) for a, b in combinations(kernels, 2))


def class_means(activations: Float[np.ndarray, "N P"], labels: Int[np.ndarray, " P"]) -> Float[np.ndarray, "N C"]:
    """Mean activation of each neuron over the inputs of each class."""
    return np.stack([activations[:, labels == c].mean(axis=1) for c in np.unique(labels)], axis=1)


def fluctuation(activations: Float[np.ndarray, "N P"], labels: Int[np.ndarray, " P"]) -> float:
    """Root mean square of the activations about their neuron's mean over the inputs of a class."""
    return float(np.sqrt(np.mean([activations[:, labels == c].var(axis=1, ddof=1).mean() for c in np.unique(labels)])))


def level_gap(activations: Float[np.ndarray, "N P"], labels: Int[np.ndarray, " P"]) -> float:
    """Standard deviation over neurons and classes of the class means, over `fluctuation`."""
    return float(class_means(activations, labels).std() / fluctuation(activations, labels))


def excess_kurtosis(values: Float[np.ndarray, " n"]) -> float:
    """Fourth moment about the mean over the squared variance, minus 3; 0 for a Gaussian."""
    centred = values - values.mean()
    return float((centred**4).mean() / (centred**2).mean() ** 2 - 3)


def kolmogorov_distance(
    samples: Float[np.ndarray, " n"], grid: Float[np.ndarray, " g"], density: Float[np.ndarray, " g"]
) -> float:
    """Largest difference of the distribution functions of samples and of a density on a grid that covers it."""
    steps = np.diff(grid)
    below = np.concatenate([[0.0], np.cumsum(0.5 * (density[1:] + density[:-1]) * steps)])
    below /= below[-1]
    ordered = np.sort(samples)
    theory = np.interp(ordered, grid, below)
    ranks = np.arange(len(ordered) + 1) / len(ordered)
    return float(max(np.abs(theory - ranks[1:]).max(), np.abs(theory - ranks[:-1]).max()))


def outliers(readouts: Float[np.ndarray, "... N m"]) -> Bool[np.ndarray, "... N"]:
    """Neurons of a rectified layer with |a|^2 above 0.04 N."""
    return (readouts**2).sum(axis=-1) > OUTLIER * readouts.shape[-2]


def layer_scheme(
    run: Run, *, layer: int = -1, draw: int = -1, chain: int = 0, test: bool = False, reference: Any = None
) -> CodingScheme:
    """The coding scheme of a layer in a draw that was kept in full (negative: counted from the last of these).

    **Arguments:** `reference`: activations of an untrained layer on the same inputs; None: a draw from the prior, on
    training inputs.
    """
    kept = run.kept_draws[draw] if draw < 0 else draw
    task = run.task
    labels = task.labels_test if test else task.labels
    if reference is None and not test:
        reference = untrained_layer(run.posterior, layer)
    activations = np.asarray(run.activations(layer=layer, draw=kept, chain=chain, test=test), dtype=np.float64)
    return detect(activations, labels, activation=rule_of(run.posterior.network.phi.name), reference=reference)


def kept_codes(run: Run, layer: int = -1, chain: int = 0) -> float:
    """Share of the neurons with the same code in the first and in the last draw that was kept in full."""
    codes = [_codes_by_name(layer_scheme(run, layer=layer, draw=draw, chain=chain)) for draw in (run.kept_draws[0], -1)]
    return float(np.mean([a == b for a, b in zip(*codes, strict=True)]))


def _codes_by_name(scheme: CodingScheme) -> list[str]:
    return [scheme.code_name(int(code)) if code >= 0 else "" for code in scheme.neuron_codes]


def mean_test_kernel(run: Run, layer: int = -1) -> Float[np.ndarray, "P_test P_test"]:
    """Kernel of a layer on the test inputs, over all draws that were kept in full and all chains."""
    kernels = []
    for chain in range(run.chains):
        for draw in run.kept_draws:
            activations = np.asarray(run.activations(layer=layer, draw=draw, chain=chain, test=True), dtype=np.float64)
            kernels.append(activations.T @ activations / len(activations))
    return np.mean(kernels, axis=0)


def same_scheme(one: CodingScheme, other: CodingScheme, least: float = 0.01) -> bool:
    """Whether two layers read alike: of one kind and, where neurons share codes, with the same codes of a share above
    `least`."""
    if one.kind != other.kind:
        return False
    return one.kind != "redundant" or frequent_codes(one, least) == frequent_codes(other, least)


def frequent_codes(scheme: CodingScheme, least: float = 0.01) -> frozenset[str]:
    """Names of the codes with a share above `least`."""
    return frozenset(scheme.code_name(k) for k in range(len(scheme.codes)) if scheme.fractions[k] > least)


def class_means_over_time(run: Run, layer: int = -1) -> Float[np.ndarray, "chains kept N C"]:
    """`class_means` of a layer in every draw that was kept in full."""
    labels = run.task.labels
    return np.stack(
        [
            [class_means(np.asarray(run.activations(layer, draw, chain), dtype=np.float64), labels)
             for draw in run.kept_draws]
            for chain in range(run.chains)
        ]
    )  # fmt: skip


def code_numbers(means: Float[np.ndarray, "... C"], threshold: float = 0.5) -> Int[np.ndarray, "..."]:
    """The code of each neuron as a binary number, the first class its highest digit: 1-1-0 is 6."""
    C = means.shape[-1]
    return ((means > threshold) * (1 << np.arange(C - 1, -1, -1))).sum(axis=-1)


def code_name_of(number: int, classes: int) -> str:
    """A code's number as the paper writes the code: 6 of three classes is 1-1-0."""
    return "-".join(format(number, f"0{classes}b"))


def code_shares_of(numbers: Int[np.ndarray, "... N"], classes: int) -> Float[np.ndarray, "... codes"]:
    """Share of the neurons with each code, `2^classes` of them by number."""
    return np.stack([(numbers == code).mean(axis=-1) for code in range(2**classes)], axis=-1)


def same_code(numbers: Int[np.ndarray, "kept N"]) -> float:
    """Share of the neurons with the same code in the first and in the last of these draws."""
    return float((numbers[0] == numbers[-1]).mean())


def drift_of_shares(numbers: Int[np.ndarray, "kept N"], classes: int) -> float:
    """Total variation distance of the codes' shares in the first and in the last quarter of these draws."""
    shares = code_shares_of(numbers, classes)
    quarter = max(len(shares) // 4, 1)
    return 0.5 * float(np.abs(shares[:quarter].mean(axis=0) - shares[-quarter:].mean(axis=0)).sum())


def kept_outliers(first: CodingScheme, last: CodingScheme) -> float:
    """Share of the neurons with a code in `first` that have the same in `last`; NaN where none has one."""
    chosen = np.flatnonzero(first.neuron_codes >= 0)
    before, after = _codes_by_name(first), _codes_by_name(last)
    return float(np.mean([before[i] == after[i] for i in chosen])) if len(chosen) else float("nan")


def mean_shares(schemes: Sequence[CodingScheme]) -> dict[str, float]:
    """Mean share of each code over the schemes of several chains, by name."""
    names = {scheme.code_name(k) for scheme in schemes for k in range(len(scheme.codes))}
    return {name: float(np.mean([_share(scheme, name) for scheme in schemes])) for name in sorted(names, reverse=True)}


def _share(scheme: CodingScheme, name: str) -> float:
    return float(sum(scheme.fractions[k] for k in range(len(scheme.codes)) if scheme.code_name(k) == name))


def shared_codes(first: Mapping[str, float], second: Mapping[str, float], least: float = 0.01) -> float:
    """Codes with a share above `least` in both, over those in either; NaN without any."""
    one, other = ({name for name, share in shares.items() if share > least} for shares in (first, second))
    return len(one & other) / len(one | other) if one | other else float("nan")


def outlying(scheme: CodingScheme) -> Int[np.ndarray, " outliers"]:
    """The neurons of a layer that stand out by their class signal, the strongest first."""
    number = round(scheme.evidence["outliers"])
    return np.argsort(-scheme.signal, kind="stable")[:number]


def relative_fluctuation(activations: Float[np.ndarray, "n P"], labels: Int[np.ndarray, " P"]) -> float:
    """Of neurons, over the inputs of the classes that activate each (above half its largest class mean): root mean
    square about the class means, over the mean; averaged over the neurons. NaN where no neuron is active."""
    values = []
    for one in activations:
        means = class_means(one[None], labels)[0]
        active = np.unique(labels)[means > 0.5 * means.max()]
        if not len(active):
            continue
        within = np.mean([one[labels == c].var(ddof=1) for c in active])
        values.append(np.sqrt(within) / np.mean([one[labels == c].mean() for c in active]))
    return float(np.mean(values)) if values else float("nan")


def block_deviation(
    samples: Float[np.ndarray, "P P"], theory: Float[np.ndarray, "P P"], labels: Int[np.ndarray, " P"], classes: int
) -> float:
    """Largest relative deviation of the means of a kernel over the pairs of two classes, entry by entry."""
    found, expected = (class_blocks(kernel, labels, classes) for kernel in (samples, theory))
    return float(np.nanmax(np.abs(found - expected) / np.abs(expected)))


def deviation_over_draws(values: Float[np.ndarray, "draws ..."]) -> float:
    """Standard deviation over draws of what each draw holds, root mean square over all of it."""
    return float(np.sqrt(values.var(axis=0, ddof=1).mean()))


def first_and_last(readouts: Float[np.ndarray, "draws N m"]) -> float:
    """Correlation between a chain's first draw and its last one, over neurons and outputs."""
    return float(np.corrcoef(readouts[0].ravel(), readouts[-1].ravel())[0, 1])


def lasting_outliers(large: Bool[np.ndarray, "chains draws N"]) -> float:
    """Share of the neurons that are outliers in a chain's first draw that are so in all its draws; NaN without any."""
    first = large[:, 0]
    lasting = np.asarray(large.all(axis=1))
    return float(lasting[first].mean()) if first.any() else float("nan")


def shares_above_half(means: Sequence[Float[np.ndarray, "_ C"]]) -> dict[str, float]:
    """Mean share, over layers of several chains, of the neurons whose class means are above 1/2 in the same classes."""
    names = [["-".join("1" if on else "0" for on in row) for row in layer > 0.5] for layer in means]
    found = sorted({name for layer in names for name in layer}, reverse=True)
    return {name: float(np.mean([layer.count(name) / len(layer) for layer in names])) for name in found}
