"""What `nonlazy.codes.detect` makes of layers of known scheme, counted."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from rich.progress import track
from scipy.special import ndtr

from _codes.layers import SCHEMES, Conditions, Made, null
from nonlazy import codes


KINDS = ("redundant", "analog", "sparse", "none")


def rng_of(seed: int, experiment: int, trial: int) -> np.random.Generator:
    return np.random.default_rng([seed, experiment, trial])


def any_conditions(rng: np.random.Generator) -> Conditions:
    """2 to 20 classes, 60 to 400 neurons, 20 to 100 inputs a class, noise .2 to 1, class sizes equal to 1 : C."""
    return Conditions(
        neurons=int(rng.integers(60, 401)),
        inputs_a_class=int(rng.integers(20, 101)),
        classes=int(np.round(np.exp(rng.uniform(np.log(2), np.log(20))))),
        noise=float(rng.uniform(0.2, 1.0)),
        imbalance=float(rng.uniform(0, 1)),
    )


def confusion(trials: int, seed: int) -> dict[str, dict[str, Counter[str]]]:
    """scheme -> generator -> kinds found, under conditions drawn at random."""
    found: dict[str, dict[str, Counter[str]]] = {}
    number = 0
    for scheme, generators in SCHEMES.items():
        for generator in generators:
            counts: Counter[str] = Counter()
            for trial in track(range(trials), description=generator.__name__, transient=True):
                rng = rng_of(seed, 100 + number, trial)
                made = generator(rng, any_conditions(rng))
                counts[codes.detect(made.activations, made.labels).kind] += 1
            found.setdefault(scheme, {})[generator.__name__] = counts
            number += 1
    return found


CONDITIONS: tuple[tuple[str, str, Sequence[float]], ...] = (
    ("noise within a class / distance of levels", "noise", (0.25, 0.5, 1.0, 1.5, 2.0)),
    ("neurons", "neurons", (20, 50, 100, 200, 400)),
    ("inputs a class", "inputs_a_class", (5, 10, 20, 50, 100)),
    ("classes", "classes", (2, 3, 5, 10, 20)),
    ("imbalance (sizes ~ rank^-x)", "imbalance", (0.0, 0.5, 1.0, 1.5)),
)


def by_condition(trials: int, seed: int) -> Iterator[tuple[str, float, dict[str, float]]]:
    """Share of layers of each scheme whose kind is found, as one condition varies about the middle of the range."""
    for place, (title, name, values) in enumerate(CONDITIONS):
        for value in values:
            shares = {}
            for s, (scheme, generators) in enumerate(SCHEMES.items()):
                right = 0
                for trial in track(range(trials), description=f"{title} {value:g}, {scheme}", transient=True):
                    rng = rng_of(seed, 200 + 10 * place + s, trial)
                    value_ = int(value) if name in ("neurons", "inputs_a_class", "classes") else float(value)
                    made = generators[trial % len(generators)](rng, Conditions(**{name: value_}))
                    right += codes.detect(made.activations, made.labels).kind == scheme
                shares[scheme] = right / trials
            yield title, value, shares


def false_positives(trials: int, seed: int) -> dict[str, Counter[str]]:
    """kind of null layer -> kinds found."""
    found: dict[str, Counter[str]] = {}
    for trial in track(range(trials), description="null layers", transient=True):
        kind, made = null(rng_of(seed, 300, trial))
        scheme = codes.detect(made.activations, made.labels, reference=made.reference)
        found.setdefault(kind, Counter())[scheme.kind] += 1
    return found


def power(trials: int, seed: int) -> Iterator[dict[str, Any]]:
    """Layers at the limit: levels .2 apart, standard deviation .3 within a class, 20 inputs a class, 100 neurons."""
    for place, (neurons, classes, distinct) in enumerate(
        ((100, 2, 2), (100, 3, 4), (100, 5, 8), (100, 10, 20), (300, 10, 150), (100, 20, 40), (1000, 10, 150))
    ):
        rows = []
        number = trials if neurons <= 300 else max(trials // 10, 1)
        for trial in track(range(number), description=f"power, {classes} classes", transient=True):
            rows.append(_at_the_limit(rng_of(seed, 400 + place, trial), neurons, classes, distinct))
        kinds, *others = zip(*rows, strict=True)
        shares = [float(np.mean([value for value in column if value is not None] or [np.nan])) for column in others]
        yield {
            "layers": number,
            "neurons": neurons,
            "classes": classes,
            "codes": distinct,
            "kind": float(np.mean([kind == "redundant" for kind in kinds])),
            **dict(zip(("found", "genuine", "right", "expected"), shares, strict=True)),
            # Codes that no neuron shares: every class mean by itself, .1 from the threshold.
            "alone": float(_limit(1, classes)),
            # Told which neurons share a code, and the levels: what no method can beat by more than chance.
            "together": float(np.mean(_limit(np.bincount(np.arange(neurons) % distinct), classes))),
        }


def _limit(sharing: Any, classes: int) -> Any:
    """Probability that all class means, averaged over `sharing` neurons, are on their side of the threshold."""
    return ndtr(0.1 * np.sqrt(20 * np.asarray(sharing)) / 0.3) ** classes


def _at_the_limit(rng: np.random.Generator, neurons: int, classes: int, distinct: int) -> tuple[Any, ...]:
    made = limit_layer(rng, neurons, classes, distinct)
    assert made.truth is not None
    scheme = codes.detect(made.activations, made.labels)
    if scheme.kind != "redundant":
        return scheme.kind, None, None, None, None
    coded = scheme.neuron_codes >= 0
    true = {tuple(row) for row in made.truth.tolist()}
    names = [tuple(row) for row in scheme.codes.tolist()]
    genuine = sum(int(n) for n, name in zip(scheme.counts, names, strict=True) if name in true)
    right = coded & (scheme.codes[scheme.neuron_codes] == made.truth).all(axis=1)
    return (
        scheme.kind,
        len(true & set(names)) / len(true),
        genuine / max(int(coded.sum()), 1),
        float(right.mean()),
        float(np.nansum(scheme.code_confidences) / neurons),
    )


def limit_layer(rng: np.random.Generator, neurons: int, classes: int, distinct: int) -> Made:
    """Two levels with uniform fluctuations, so that no law of the thresholds' cases is met; codes equally common."""
    labels = rng.permutation(np.repeat(np.arange(classes), 20))
    if classes <= 8:
        pool = np.array(np.unravel_index(np.arange(2**classes), (2,) * classes)).T.astype(bool)
    else:
        pool = np.unique(rng.random((20 * distinct, classes)) < 0.4, axis=0)
    pool = rng.permutation(pool[pool.any(axis=1) & ~pool.all(axis=1)])
    table = pool[:distinct]
    while not (table.any(axis=0) & ~table.all(axis=0)).all():
        table = rng.permutation(pool)[:distinct]
    truth = table[np.arange(neurons) % len(table)]
    noise = 0.3 * np.sqrt(3) * rng.uniform(-1, 1, (neurons, labels.size))
    return Made(0.2 * truth[:, labels] + noise, labels, truth)
