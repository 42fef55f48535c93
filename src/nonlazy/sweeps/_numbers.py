"""The numbers of one point: what its run has found, and what the theory says of it."""

import math
from collections import Counter
from typing import Any

import numpy as np

from nonlazy.codes import CodingScheme, detect
from nonlazy.diagnostics import equilibrium
from nonlazy.diagnostics._mcse import standard_error
from nonlazy.errors import InvalidInput, TheoryError
from nonlazy.figures import _moments
from nonlazy.figures._comparison import comparison
from nonlazy.figures._outputs import error_on_test
from nonlazy.figures._report import rule_of, untrained_layer
from nonlazy.sampling import Diagnostics, Run
from nonlazy.theory import Prediction, solve


def point_numbers(run: Run, theory: bool) -> dict[str, Any]:
    """The numbers of a complete run, as `nonlazy.sweeps` keeps them for a point.

    **Arguments:** `theory`: whether the theory is solved as well.

    **Returns:** `samples`, `diagnostics`, `theory` (numbers by name, as in `_quantities`), `codes` (for each code the
    shares by chain, and the theory's), `comparison` (theory against samples, row by row), `warnings`, `no_theory` (why
    there is none) and `certificate` (why it is certified, or what is not known).
    """
    schemes = _schemes(run)
    diagnostics = run.diagnostics()
    found = {
        "samples": {**_scheme_numbers(schemes), **_chain_numbers(run, diagnostics), **_test_numbers(run)},
        "diagnostics": _diagnostic_numbers(diagnostics),
        "codes": _codes(schemes),
        "warnings": list(diagnostics.warnings),
        "theory": {},
        "comparison": [],
        "no_theory": "",
        "certificate": "",
    }
    if not theory:
        return found
    prediction, found["no_theory"] = _predict(run)
    if prediction is not None:
        found["theory"] = _theory_numbers(prediction)
        found["certificate"] = prediction.certificate
        codes = getattr(prediction, "codes", None)
        if codes is not None:
            for name, share in zip(codes.names, codes.fraction, strict=True):
                entry = found["codes"].setdefault(name, {"fraction": [0.0] * len(schemes), "theory": 0.0})
                # Codes of several wells share their classes.
                entry["theory"] = (entry["theory"] or 0.0) + float(share)
        found["comparison"] = [
            {"quantity": row.quantity, "theory": row.theory, "samples": row.samples, "error": row.error}
            for row in comparison(run, prediction)
        ]
    shared = bool(schemes) and schemes[0].kind == "redundant" and run.posterior.network.phi.kind == "sigmoidal"
    if shared and run.posterior.temperature > 0:
        found["diagnostics"]["equilibrium"] = equilibrium(run, prediction=prediction).verdict
    return found


def _schemes(run: Run) -> list[CodingScheme]:
    if not run.kept_draws:
        return []
    reference, rule = untrained_layer(run.posterior), rule_of(run.posterior.network.phi.name)
    kept = run.kept_draws[-1]
    return [
        detect(run.activations(draw=kept, chain=chain), run.task.labels, activation=rule, reference=reference)
        for chain in range(run.chains)
    ]


def _scheme_numbers(schemes: list[CodingScheme]) -> dict[str, Any]:
    if not schemes:
        return {}
    counts = [int(one.counts.sum()) for one in schemes]
    active = [float(one.counts @ one.codes.sum(axis=1)) for one in schemes]
    return {
        "kind": Counter(one.kind for one in schemes).most_common(1)[0][0],
        "confidence": _mean([one.confidence for one in schemes]),
        "codes": _mean([float((one.counts > 0).sum()) for one in schemes]),
        "effective_codes": _mean([one.effective_codes for one in schemes]),
        "classes_per_neuron": sum(active) / sum(counts) if sum(counts) else math.nan,
        "with_code": _mean([count / one.neuron_codes.size for count, one in zip(counts, schemes, strict=True)]),
        "outliers": _mean([float(count) for count, one in zip(counts, schemes, strict=True) if one.kind == "sparse"]),
    }


def _chain_numbers(run: Run, diagnostics: Diagnostics) -> dict[str, float]:
    rows = {row.quantity: row for row in diagnostics.table}
    posterior, task = run.posterior, run.task
    numbers: dict[str, float] = {}

    def add(name: str, row: str, scale: float = 1.0) -> None:
        if row in rows:
            numbers[name], numbers[f"{name}_mcse"] = scale * rows[row].mean, scale * rows[row].mcse

    add("loss", "loss")
    add("train_error", "loss", 2 / (task.P * task.m))
    add("log_density", "log density")
    add("sum_a2", "sum a^2")
    add("largest_readout", "|a_i|^2, rank 1")
    if "sum_a2" in numbers:
        numbers["readout_norm"] = math.sqrt(numbers["sum_a2"] / posterior.network.width)
        if numbers["sum_a2"] > 0:
            # To first order in the error of the sum.
            numbers["readout_norm_mcse"] = numbers["readout_norm"] * numbers["sum_a2_mcse"] / (2 * numbers["sum_a2"])
    if posterior.temperature > 0:
        means, _ = _moments.outputs(run)
        numbers["dual_field"] = float(np.sqrt(((task.Y - means) ** 2).mean(axis=(1, 2))).mean() / posterior.temperature)
    return numbers


def _test_numbers(run: Run) -> dict[str, float]:
    task = run.task
    if task.Y_test is None or task.labels_test is None:
        return {}
    means, variances = _moments.outputs(run, test=True)
    # Chains in different frozen schemes predict differently: that spread belongs to the predictor's variance.
    test = error_on_test(
        means.mean(axis=0), variances.mean(axis=0) + means.var(axis=0), task.Y_test, task.labels_test, task.classes
    )
    numbers = {"test_error": _mean(test.total), "test_bias2": _mean(test.bias2), "test_variance": _mean(test.variance)}
    # Bias^2 + variance is the mean over draws of what a draw is wrong by, which has an error of its own.
    stored = run.tree["posterior_predictive/f_test"].transpose("chain", "draw", "input_test", "output")
    by_chain = (np.asarray(stored[chain], np.float64) for chain in range(run.chains))
    wrong = np.stack([((task.Y_test - outputs) ** 2).mean(axis=(1, 2)) for outputs in by_chain])
    numbers["test_error_mcse"] = standard_error(wrong)
    return numbers if test.accuracy is None else {**numbers, "accuracy": test.accuracy}


def _diagnostic_numbers(found: Diagnostics) -> dict[str, Any]:
    decisive = [row for row in found.table if row.decisive]
    rhats, sizes = ([value for value in values if not math.isnan(value)] for values in
                    ([row.rhat for row in decisive], [row.ess for row in decisive]))  # fmt: skip
    numbers: dict[str, Any] = {
        "converged": float(found.converged),
        "rhat_max": max(rhats, default=math.nan),
        "ess_min": min(sizes, default=math.nan),
        "divergences": float(found.divergences.sum()),
    }
    return numbers if found.acceptance is None else {**numbers, "acceptance": _mean(found.acceptance)}


def _codes(schemes: list[CodingScheme]) -> dict[str, dict[str, Any]]:
    """For each code of any chain its share of the neurons by chain."""
    shares = [
        {one.code_name(k): float(one.fractions[k]) for k in range(len(one.codes)) if one.counts[k]} for one in schemes
    ]
    codes = sorted({name for chain in shares for name in chain}, reverse=True)
    return {name: {"fraction": [chain.get(name, 0.0) for chain in shares], "theory": None} for name in codes}


def _predict(run: Run) -> tuple[Prediction | None, str]:
    sampler = run.configuration.get("sampler") or {}
    if run.posterior.temperature == 0 or sampler.get("kind") == "GradientDescent":
        return None, "noiseless descent does not sample the posterior"
    try:
        return solve(run.posterior), ""
    except (InvalidInput, TheoryError) as error:
        return None, str(error)


def _theory_numbers(prediction: Prediction) -> dict[str, float]:
    task = prediction.posterior.task
    errors = (task.Y - prediction.predict(task.X)) ** 2 + prediction.predictor_variance(task.X)
    numbers = {
        "train_error": float(errors.mean()),
        "free_energy": float(prediction.free_energy),
        "residual": float(prediction.residual),
        "certified": float(prediction.certified),
    }
    codes, outliers = getattr(prediction, "codes", None), getattr(prediction, "outliers", None)
    if codes is not None:
        present = codes.fraction > 0
        numbers["codes"] = float(len(np.unique(codes.active[present], axis=0)))
        numbers["classes_per_neuron"] = float(codes.fraction @ codes.active.sum(axis=1) / codes.fraction.sum())
    if outliers is not None:
        numbers["outliers"] = float(len(outliers.readout))
    if task.X_test is not None:
        numbers["test_error"] = float(prediction.generalization_error().total.mean())
    return numbers


def _mean(values: Any) -> float:
    return float(np.mean(values)) if len(values) else math.nan
