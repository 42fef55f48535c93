"""Few-shot episodes: a few labelled inputs of some classes, and how well a kernel tells other inputs of them apart."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from nonlazy.errors import InvalidInput


CLASSIFIERS = ("prototype", "regression")
# Of the mean diagonal of the labelled inputs' centred kernel.
RIDGE = 0.01
# Episodes whose kernels are held at once.
_AT_ONCE = 100


@dataclass(frozen=True, eq=False)
class Episodes:
    """Draws of labelled inputs and of queries, as positions in a pool of inputs.

    **Fields:** `support` `(episodes, ways, shots)` and `queries` `(episodes, ways, queries)`, way by way; no input is
    in both. The last way is the novel class.
    """

    support: Int[np.ndarray, "episodes ways shots"]
    queries: Int[np.ndarray, "episodes ways queries"]


def draw_episodes(
    labels: Int[np.ndarray, " pool"],
    classes: tuple[int, ...],
    shots: int,
    queries: int,
    episodes: int,
    seed: tuple[int, ...],
) -> Episodes:
    """Episodes with `shots` labelled inputs and `queries` others of each of `classes`, drawn without replacement.

    **Raises:** `nonlazy.errors.InvalidInput` where a class has too few inputs in the pool.
    """
    generator = np.random.default_rng(list(seed))
    parts = []
    for c in classes:
        members = np.flatnonzero(labels == c)
        if len(members) < shots + queries:
            raise InvalidInput(
                f"class {c} has {len(members)} inputs in the pool; {shots} labelled and {queries} queries need "
                f"{shots + queries}"
            )
        parts.append(np.stack([generator.permutation(members)[: shots + queries] for _ in range(episodes)]))
    drawn = np.stack(parts, axis=1)
    return Episodes(drawn[..., :shots], drawn[..., shots:])


def right(
    kernel: Float[np.ndarray, "pool pool"], episodes: Episodes, classifier: str
) -> Float[np.ndarray, "episodes ways"]:
    """Share of each way's queries that are given their own class.

    **Arguments:** `kernel`: of all inputs of the pool; `classifier`: `"prototype"` gives a query to the class whose
    mean labelled feature is nearest (Snell, Swersky & Zemel 2017); `"regression"` to the largest output of regularised
    least squares on the labelled features (targets 1 and 0, with an intercept, ridge `RIDGE` times the mean diagonal of
    their centred kernel). Both need the features' kernel only.
    """
    scores = {"prototype": _nearness, "regression": _regression}[classifier]
    count, ways, _ = episodes.support.shape
    found = np.empty((count, ways))
    for start in range(0, count, _AT_ONCE):
        some = slice(start, start + _AT_ONCE)
        support, queries = episodes.support[some], episodes.queries[some]
        flat = support.reshape(len(support), -1)
        own = kernel[flat[:, :, None], flat[:, None, :]]
        cross = kernel[queries.reshape(len(queries), -1)[:, :, None], flat[:, None, :]]
        chosen = scores(own, cross, ways).argmax(axis=2).reshape(queries.shape)
        found[some] = (chosen == np.arange(ways)[None, :, None]).mean(axis=2)
    return found


def _nearness(own: np.ndarray, cross: np.ndarray, ways: int) -> np.ndarray:
    """2 phi(q) . p_c - |p_c|^2 for each prototype p_c, `(episodes, queries, ways)`: largest where |phi(q) - p_c| is
    smallest."""
    count, queries, flat = cross.shape
    shots = flat // ways
    blocks = own.reshape(count, ways, shots, ways, shots)
    norms = np.einsum("ewiwj->ew", blocks) / shots**2
    return 2 * cross.reshape(count, queries, ways, shots).mean(axis=3) - norms[:, None]


def _regression(own: np.ndarray, cross: np.ndarray, ways: int) -> np.ndarray:
    count, _, flat = cross.shape
    rows = own.mean(axis=1, keepdims=True)
    centred = own - rows - rows.transpose(0, 2, 1) + own.mean(axis=(1, 2), keepdims=True)
    seen = cross - rows
    seen = seen - seen.mean(axis=2, keepdims=True)
    targets = np.repeat(np.eye(ways), flat // ways, axis=0) - 1 / ways
    ridge = RIDGE * np.trace(centred, axis1=1, axis2=2)[:, None, None] / flat
    weights = np.linalg.solve(centred + ridge * np.eye(flat), np.broadcast_to(targets, (count, flat, ways)))
    return seen @ weights
