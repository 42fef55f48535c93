"""Figure 6: handwritten digits; what carries over to test inputs, and errors against theory and Gaussian process."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray
from jaxtyping import Float

from nonlazy.diagnostics._mcse import standard_error
from nonlazy.errors import InvalidInput, TheoryError
from nonlazy.experiments import Experiment, load
from nonlazy.figures._definition import FigureData, FigureDefinition, FigureRow
from nonlazy.figures._reading import (
    error_variables,
    errors_of_test_error,
    held_out,
    held_out_dataset,
    sampled_error,
    sizes,
    unconverged,
    untrained_on_test,
)
from nonlazy.figures._statistics import (
    block_contrast,
    layer_scheme,
    mean_test_kernel,
    outliers,
    same_scheme,
)
from nonlazy.figures.paper._figure6_picture import draw
from nonlazy.sampling import Run
from nonlazy.theory import GeneralizationError, Prediction, gaussian_process, solve
from nonlazy.theory._prediction import Grouping


ACTIVATIONS = ("linear", "sigmoid", "relu")
# How the paper's own theory of the mean predictor differs from ours.
_PAPERS = {"linear": "exact", "sigmoid": "fluctuations neglected", "relu": "outliers alone"}


def experiments(quick: bool) -> dict[str, Experiment]:
    loaded = {name: load(f"figure6-{name}") for name in ACTIVATIONS}
    if quick:
        loaded = {name: one.quick() for name, one in loaded.items()}
    # Every network is compiled anew, which takes most of the time of a quick figure: one lazy network there.
    lazy = ("sigmoid",) if quick else ACTIVATIONS
    return {**loaded, **{f"{name}-lazy": _lazy(loaded[name]) for name in lazy}}


def _lazy(experiment: Experiment) -> Experiment:
    title = experiment.about.title.replace(" network", " network, lazy")
    return experiment.changed(
        {
            "experiment": {"name": f"{experiment.name}-lazy", "title": title},
            "network": {"readout": "lazy"},
            # Sigmoidal features of a lazy network move slowly.
            "sampling": {"moves": "none", "thin": 4 if experiment.network.activation == "sigmoid" else 1, "draws": 200},
        }
    )


@dataclass(frozen=True, eq=False)
class _Theory:
    """Of one network: `full`, ours, or None; `papers`: the mean predictor on test inputs in the paper's approximation;
    `process`: the Gaussian process of the same activation and task."""

    full: Prediction | None
    papers: Float[np.ndarray, "P_test m"] | None
    process: Prediction


def _theory(run: Run) -> _Theory:
    posterior, (X, _, _) = run.posterior, held_out(run.task)
    process = gaussian_process(posterior)
    try:
        full = solve(posterior)
        papers = full.predict(X)
        if posterior.network.phi.kind == "sigmoidal":
            from nonlazy.theory.sigmoidal.general import solve_sigmoidal_general

            papers = solve_sigmoidal_general(posterior, fluctuations="neglected").predict(X)
        elif posterior.network.phi.kind == "rectified":
            papers = _outliers_alone(full, X)
    except (InvalidInput, TheoryError):
        return _Theory(None, None, process)
    return _Theory(full, papers, process)


def _outliers_alone(prediction: Any, X: Float[np.ndarray, "inputs N0"]) -> Float[np.ndarray, "inputs m"]:
    """The predictor of a ReLU network without its bulk: the sum over outliers of abar max(0, zbar(x))."""
    posterior = prediction.posterior
    z = posterior.sigma2[0] * (X @ posterior.task.X.T / posterior.task.N0) @ prediction.sources.T
    return np.maximum(z, 0.0) @ prediction.outliers.readout


def read(runs: Mapping[str, Run]) -> FigureData:
    table: list[FigureRow] = []
    panels: dict[str, xarray.Dataset] = {}
    measured: dict[str, float] = {}
    carried, contrasts, ratios, shares, lazy_shares, missing = [], [], [], [], [], []
    for name, run in runs.items():
        error = sampled_error(run)
        if name.endswith("-lazy"):
            lazy_shares.append(float((error.variance / error.total).min()))
            continue
        theory = _theory(run)
        missing += [name] if theory.full is None else []
        process = theory.process.generalization_error()
        kernel = mean_test_kernel(run)
        beside = runs.get(f"{name}-lazy")
        carried.append(all(_carries_over(run, chain) for chain in range(run.chains)))
        contrasts.append(block_contrast(kernel, held_out(run.task)[2]))
        ratios.append(error.total / process.total)
        shares.append(float((error.variance / error.total).max()))
        measured |= _predictor(name, run, theory)
        if name == "relu":
            measured["15.outliers"] = float(outliers(run.readouts()).sum(axis=2).mean())
        if name == "sigmoid":
            measured["17.sigmoid-bias"] = float(error.bias2.sum() / process.bias2.sum())
        panels[name] = _panel(run, theory, kernel, None if beside is None else sampled_error(beside))
        table += _scheme_rows(name, run, theory, kernel, carried[-1])
        table += _error_rows(name, run, theory, beside)
    measured |= {
        "15.schemes": float(sum(carried)),
        "15.contrast": min(contrasts),
        "17.error": float(np.max(ratios)),
        "17.variance": max(shares),
        "28.non-lazy": max(shares),
        "28.lazy": min(lazy_shares),
    }
    tree = xarray.DataTree.from_dict(panels)
    tree.attrs = {"sizes": sizes(runs)}
    return FigureData(tree, tuple(table), measured, _notes(runs, missing), unconverged(runs))


def _carries_over(run: Run, chain: int) -> bool:
    """Whether the last draw's layer reads alike on training and on test inputs."""
    reference = untrained_on_test(run.posterior)
    return same_scheme(layer_scheme(run, chain=chain), layer_scheme(run, chain=chain, test=True, reference=reference))


def _deviation(run: Run, predicted: Float[np.ndarray, "P_test m"]) -> float:
    """Root mean square deviation of the mean predictors on test inputs, over y+ - y-."""
    Y = run.task.Y
    mean = run.mean_outputs(test=True).mean(axis=0)
    return float(np.sqrt(((mean - predicted) ** 2).mean()) / (Y.max() - Y.min()))


def _predictor(name: str, run: Run, theory: _Theory) -> dict[str, float]:
    return {f"16.{name}": float("nan") if theory.papers is None else _deviation(run, theory.papers)}


def _panel(
    run: Run, theory: _Theory, kernel: Float[np.ndarray, "P_test P_test"], lazy: GeneralizationError | None
) -> xarray.Dataset:
    dataset, shown = held_out_dataset(run, kernel)
    papers = np.full((len(shown), run.task.m), np.nan) if theory.papers is None else theory.papers[shown]
    errors = {
        "samples": sampled_error(run),
        "theory": None if theory.full is None else theory.full.generalization_error(),
        "Gaussian process": theory.process.generalization_error(),
        "lazy samples": lazy,
    }
    return dataset.assign(
        {
            "theory_output": (("test_input", "out"), papers),
            "process_output": (("test_input", "out"), theory.process.predict(held_out(run.task)[0])[shown]),
            **error_variables(errors, run.task.m),
        }
    )


def _scheme_rows(
    name: str, run: Run, theory: _Theory, kernel: Float[np.ndarray, "P_test P_test"], carried: bool
) -> list[FigureRow]:
    X, _, labels = held_out(run.task)
    predicted = None if theory.full is None else block_contrast(theory.full.kernel(X), labels)
    rows = [
        FigureRow(name, "scheme carries over to test inputs (1: in all chains)", None, float(carried), paper="yes"),
        FigureRow(name, "block contrast of the test kernel", predicted, block_contrast(kernel, labels), paper="blocks"),
    ]
    if name == "relu":
        strengths = getattr(getattr(theory.full, "outliers", None), "weight", None)
        number = None if strengths is None else float(len(strengths))
        counts = outliers(run.readouts()).sum(axis=2).astype(np.float64)
        rows.append(
            FigureRow(name, "outliers (samples: |a|^2 > 0.04 N)", number, counts.mean(), standard_error(counts), "3")
        )
    if theory.papers is not None:
        rows.append(
            FigureRow(
                name, f"rms deviation of mean predictors, over y+ - y-; {_PAPERS[name]}", 0.0,
                _deviation(run, theory.papers), paper="they match",
            )
        )  # fmt: skip
    if theory.full is not None and name != "linear":
        rows.append(
            FigureRow(name, "rms deviation of mean predictors, over y+ - y-; our theory", 0.0,
                      _deviation(run, theory.full.predict(X)))
        )  # fmt: skip
    return rows


def _error_rows(name: str, run: Run, theory: _Theory, lazy: Run | None) -> list[FigureRow]:
    rows = []
    groupings: tuple[tuple[Grouping, str], ...] = (("output", "output"), ("input_class", "inputs of class"))
    for by, groups in groupings:
        error = sampled_error(run, by)
        predicted = None if theory.full is None else theory.full.generalization_error(by=by).total
        errors = errors_of_test_error(run, by)
        for k, group in enumerate(error.groups):
            expected = None if predicted is None else float(predicted[k])
            rows.append(
                FigureRow(name, f"test error, {groups} {group}", expected, float(error.total[k]), errors[k],
                          "below the Gaussian process's" if by == "output" else "")
            )  # fmt: skip
    process = theory.process.generalization_error()
    found = None if lazy is None else sampled_error(lazy)
    errors = [None] * len(process.groups) if lazy is None else errors_of_test_error(lazy, "output")
    for k, group in enumerate(process.groups):
        rows.append(
            FigureRow(
                f"{name}-lazy", f"Gaussian process and lazy network: test error, output {group}",
                float(process.total[k]), None if found is None else float(found.total[k]), errors[k],
            )
        )  # fmt: skip
    own_theory = _finite_width(lazy)
    if own_theory is not None and found is not None:
        for k, group in enumerate(process.groups):
            quantity = f"lazy network at its own P/N: test error, output {group}"
            rows.append(
                FigureRow(f"{name}-lazy", quantity, float(own_theory.total[k]), float(found.total[k]), errors[k])
            )
    own = sampled_error(run)
    rows.append(FigureRow(name, "largest share of the predictor's variance in the error", None,
                          float((own.variance / own.total).max()), paper="negligible"))  # fmt: skip
    if found is not None:
        share = process.variance / process.total
        rows.append(
            FigureRow(f"{name}-lazy", "smallest share of the predictor's variance in the error", float(share.min()),
                      float((found.variance / found.total).min()), paper="not negligible")
        )  # fmt: skip
    return rows


def _finite_width(lazy: Run | None) -> GeneralizationError | None:
    """The theory's error of a lazy network of its own width, which linear ones have."""
    if lazy is None:
        return None
    try:
        return solve(lazy.posterior).generalization_error()
    except (InvalidInput, TheoryError):
        return None


def _notes(runs: Mapping[str, Run], missing: list[str]) -> tuple[str, ...]:
    notes = [f"{name}: no theory of this network could be solved, so that its column is empty" for name in missing]
    moves = runs["sigmoid"].configuration.get("moves")
    if not moves:
        notes.append(
            "sigmoidal network: without moves that change codes, their shares froze as each chain started; chains "
            "differ in them, and the errors by some per cent"
        )
    notes.append("the Gaussian process is of infinite width; lazy networks as wide as here have smaller variances")
    notes.append(
        "errors' theory is that of nonlazy.theory.solve (wide networks; no predictor variance but in linear networks), "
        "the picture's black lines are mean predictors in the paper's approximation"
    )
    return tuple(notes)


FIGURE_6 = FigureDefinition(
    name="6",
    title="Handwritten digits",
    summary="Digits 0, 1 and 2: test activations and kernels, mean predictors, errors against the Gaussian process.",
    seconds=110.0,
    quick_seconds=40.0,
    experiments=experiments,
    read=read,
    draw=draw,
)
