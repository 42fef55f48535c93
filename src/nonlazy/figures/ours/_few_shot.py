"""What are learned features worth for a new class? Few labelled digits, read from networks that never saw one of them.

Fixed before the samples of the figure were drawn: for every new digit and k labelled images a class, 100 episodes with
15 queries a class, of the three trained digits and the new one; the statistic is the share of queries that get their
own digit, by the nearest class mean and by regularised least squares on the features of posterior draws, the same
episodes for all features. Beside non-lazy networks: lazy ones as wide, the Gaussian process, the theory's kernel, and
pixels.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import xarray
from jaxtyping import Float

from nonlazy.errors import InvalidInput, TheoryError
from nonlazy.experiments import Experiment, load
from nonlazy.figures._definition import FigureData, FigureDefinition, FigureRow
from nonlazy.figures._reading import sizes, unconverged
from nonlazy.figures.ours._few_shot_episodes import CLASSIFIERS, RIDGE, draw_episodes, right
from nonlazy.figures.ours._few_shot_features import POOL, Pool, feature_kernels, pool_of, theory_kernel
from nonlazy.figures.ours._few_shot_picture import draw
from nonlazy.sampling import Run
from nonlazy.theory import gaussian_process, solve


ACTIVATIONS = ("linear", "sigmoid", "relu")
SHOTS = (1, 2, 5, 10)
# Labelled images a class at which old and new digits are told apart in the table.
SHOWN = 5
EPISODES, QUERIES = 100, 15
_LAZY = "-lazy"
_GROUPS = ("all", "old", "new")


@dataclass(frozen=True, eq=False)
class FewShot:
    """Accuracies of one kind of features, averaged over draws.

    **Fields:** `right` `(classifier, shots, new digit, episode, group)`: of the queries of all ways, of the old digits,
    of the new one.
    """

    right: Float[np.ndarray, "classifier shots new episode group"] = field(repr=False)

    def mean(self) -> Float[np.ndarray, "classifier shots group"]:
        """Over new digits and episodes."""
        return self.right.mean(axis=(2, 3))

    def error(self) -> Float[np.ndarray, "classifier shots group"]:
        """Standard error of `mean` over episodes, at these networks, digits and images."""
        digits, episodes = self.right.shape[2:4]
        # Digits differ by themselves, which is no error of a mean over these.
        return np.sqrt(self.right.var(axis=3, ddof=1).mean(axis=2) / (digits * episodes))


def experiments(quick: bool) -> dict[str, Experiment]:
    found = {}
    for name in ("sigmoid",) if quick else ACTIVATIONS:
        one = load(f"few-shot-{name}")
        one = one.quick() if quick else one
        found |= {name: one, f"{name}{_LAZY}": _lazy(one)}
    return found


def _lazy(experiment: Experiment) -> Experiment:
    title = experiment.about.title.replace(" network", " network, lazy")
    return experiment.changed(
        {
            "experiment": {"name": f"{experiment.name}-lazy", "title": title},
            "network": {"readout": "lazy"},
            # Sigmoidal features of a lazy network move slowly.
            "sampling": {"moves": "none", "thin": 4 if experiment.network.activation == "sigmoid" else 1},
        }
    )


def few_shot(kernels: Float[np.ndarray, "draws pool pool"], pool: Pool, episodes: int = EPISODES) -> FewShot:
    """How well features tell new digits and old ones apart, from their kernels on the pool.

    The same episodes for all features of one pool; each draw's kernel judges all of them.
    """
    found = np.zeros((len(CLASSIFIERS), len(SHOTS), len(pool.new), episodes, len(_GROUPS)))
    for s, shots in enumerate(SHOTS):
        for n, new in enumerate(pool.new):
            drawn = draw_episodes(pool.digits, (*pool.old, new), shots, QUERIES, episodes, (new, shots))
            for c, classifier in enumerate(CLASSIFIERS):
                ways = np.mean([right(kernel, drawn, classifier) for kernel in kernels], axis=0)
                groups = (ways.mean(axis=1), ways[:, :-1].mean(axis=1), ways[:, -1])
                found[c, s, n] = np.stack(groups, axis=1)
    return FewShot(found)


def read(runs: Mapping[str, Run]) -> FigureData:
    return read_with(runs, POOL, EPISODES)


def read_with(runs: Mapping[str, Run], each: int, episodes: int) -> FigureData:
    """`read` with another number of images of each digit, and of episodes."""
    pool = pool_of(next(iter(runs.values())).task, each)
    pixels = few_shot((pool.X @ pool.X.T / pool.X.shape[1])[None], pool, episodes)
    table, panels, notes = [*_rows("pixels", pixels, None)], {"pixels": _panel({"samples": pixels}, pool)}, []
    for name, run in runs.items():
        samples = few_shot(feature_kernels(run, pool.X), pool, episodes)
        theory = _theory(name, run, pool, episodes)
        notes += [] if theory is not None else [f"{name}: no theory of this network could be solved"]
        table += _rows(name, samples, theory)
        panels[name] = _panel({"samples": samples, "theory": theory}, pool)
    frozen = {name: run for name, run in runs.items() if _frozen(run)}
    notes += [f"{sentence}; without moves neurons keep the codes they begin with" for sentence in unconverged(frozen)]
    settled = {name: run for name, run in runs.items() if name not in frozen}
    tree = xarray.DataTree.from_dict(panels)
    tree.attrs = {"sizes": sizes(runs), "old": list(pool.old), "new": list(pool.new), "ridge": RIDGE}
    return FigureData(tree, tuple(table), {}, (*notes, *_notes(pool, each, episodes)), unconverged(settled))


def _frozen(run: Run) -> bool:
    """Whether neurons cannot change their code, as at the quick size."""
    network = run.posterior.network
    return network.phi.kind == "sigmoidal" and network.readout == "non-lazy" and not run.configuration.get("moves")


def _theory(name: str, run: Run, pool: Pool, episodes: int) -> FewShot | None:
    """With the kernel of an infinitely wide network: the theory's, or the Gaussian process's for a lazy one."""
    try:
        prediction = gaussian_process(run.posterior) if name.endswith(_LAZY) else solve(run.posterior)
    except (InvalidInput, TheoryError):
        return None
    return few_shot(theory_kernel(prediction, pool.X), pool, episodes)


def _rows(name: str, samples: FewShot, theory: FewShot | None) -> list[FigureRow]:
    mean, error = samples.mean(), samples.error()
    expected = None if theory is None else theory.mean()
    rows = []
    wanted = [(c, s, 0) for c in range(len(CLASSIFIERS)) for s in range(len(SHOTS))]
    wanted += [(c, SHOTS.index(SHOWN), g) for c in range(len(CLASSIFIERS)) for g in (1, 2)]
    for c, s, g in wanted:
        words = f"accuracy, {_WORDS[_GROUPS[g]]}, k = {SHOTS[s]}, {CLASSIFIERS[c]}"
        at = None if expected is None else float(expected[c, s, g])
        rows.append(FigureRow(name, words, at, float(mean[c, s, g]), float(error[c, s, g])))
    return rows


_WORDS = {"all": "all digits", "old": "old digits", "new": "the new digit"}


def _panel(kinds: Mapping[str, FewShot | None], pool: Pool) -> xarray.Dataset:
    present = {kind: one for kind, one in kinds.items() if one is not None}
    return xarray.Dataset(
        {
            "accuracy": (("kind", "classifier", "shots", "group"), np.stack([one.mean() for one in present.values()])),
            "error": (("kind", "classifier", "shots", "group"), np.stack([one.error() for one in present.values()])),
            "by_digit": (
                ("kind", "classifier", "shots", "new", "group"),
                np.stack([one.right.mean(axis=3) for one in present.values()]),
            ),
        },
        coords={
            "kind": list(present),
            "classifier": list(CLASSIFIERS),
            "shots": list(SHOTS),
            "group": list(_GROUPS),
            "new": list(pool.new),
        },
    )


def _notes(pool: Pool, each: int, episodes: int) -> tuple[str, ...]:
    old, new = (", ".join(map(str, digits)) for digits in (pool.old, pool.new))
    ways = len(pool.old) + 1
    return (
        f"trained on {old}; new: {new}, one at a time. {episodes} episodes for each new digit and each k, "
        f"{QUERIES} queries a class, {ways} classes: chance is {1 / ways:.3g}; images from {each} test images a digit",
        "theory of lazy networks is the Gaussian process, of infinite width; the theory's kernels are of wide "
        "networks, too, while samples are draws of networks as wide as given, averaged over draws after classification",
        "errors are over episodes, at one set of training images: another set, or other trained digits, differ by more",
    )


FEW_SHOT = FigureDefinition(
    name="few-shot",
    title="Few-shot learning of a new class",
    summary="New digits from few examples: features of non-lazy networks, lazy ones, Gaussian process, pixels.",
    seconds=150.0,
    quick_seconds=15.0,
    experiments=experiments,
    read=read,
    draw=draw,
)
