"""What a run has found, in one record: codes, outputs, errors, theory, diagnostics; and its files."""

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from nonlazy._whole_files import write_text
from nonlazy.codes import CodingScheme, detect
from nonlazy.diagnostics import Equilibrium, equilibrium
from nonlazy.errors import InvalidInput, StoreError, TheoryError
from nonlazy.figures import _moments
from nonlazy.figures._codes import CodeRow, code_rows, neurons_by_chain
from nonlazy.figures._comparison import ComparisonRow, comparison, sampled_fractions
from nonlazy.figures._outputs import OutputRow, TestError, error_on_test, output_names, output_rows
from nonlazy.figures._plain import plain
from nonlazy.network import Weights
from nonlazy.posterior import Posterior
from nonlazy.sampling import Diagnostics, Run
from nonlazy.theory import Prediction, solve


@dataclass(frozen=True, eq=False)
class Report:
    """What a run has found.

    **Fields:**

    - `title`: how the run is called on its picture.
    - `run`: the `nonlazy.sampling.Run`.
    - `scheme`: the coding scheme of the feature layer in the last draw of chain 0 (of an interrupted run, in the last
      draw kept in full); None where there is no such draw yet.
    - `codes`: one `CodeRow` a code, in the same draw of chain 0: neurons may change their code from draw to draw.
    - `neurons_by_chain`: for each code, as "1-1-0", how many neurons have it in each chain. Sigmoidal networks freeze
      these numbers as a chain starts, so that chains differ in them however long they run.
    - `outputs`: one `OutputRow` a class, posterior means over all chains.
    - `dual_field`: rms of (y - <f>)/T over training inputs and outputs, by chain: of order 5 to 10 where a chain has
      reached the temperature's own loss, far above where it is stuck.
    - `test`: errors on the test set, None without one.
    - `comparison`: theory against samples; empty where there is no theory, and for interrupted runs.
    - `prediction`: that theory, or None.
    - `no_prediction`: why there is no theory beside the samples; empty where there is one.
    - `diagnostics`: of the chains.
    - `equilibrium`: whether the shares of the codes are those of equilibrium, or frozen; None where the scheme is not
      one of codes that neurons share, and where no draw was kept in full.
    """

    title: str
    run: Run
    scheme: CodingScheme | None
    codes: tuple[CodeRow, ...]
    neurons_by_chain: Mapping[str, tuple[int, ...]]
    outputs: tuple[OutputRow, ...]
    dual_field: tuple[float, ...]
    test: TestError | None
    comparison: tuple[ComparisonRow, ...]
    prediction: Prediction | None
    no_prediction: str
    diagnostics: Diagnostics
    equilibrium: Equilibrium | None = None

    def to_dict(self) -> dict[str, Any]:
        """The report's numbers as plain values that fit in JSON; numbers that are not defined are None."""
        scheme, diagnostics = self.scheme, self.diagnostics
        return plain(
            {
                "title": self.title,
                "posterior": str(self.run.posterior),
                "chains": self.run.chains,
                "draws": self.run.draws,
                "complete": self.run.complete,
                "scheme": None
                if scheme is None
                else {
                    "chain": 0,
                    "draw": self.run.kept_draws[-1],
                    "kind": scheme.kind,
                    "confidence": scheme.confidence,
                    "rule": scheme.rule,
                },
                "codes": [asdict(row) for row in self.codes],
                "neurons_by_chain": self.neurons_by_chain,
                "equilibrium": None if self.equilibrium is None else self.equilibrium.to_dict(),
                "outputs": [asdict(row) for row in self.outputs],
                "dual_field": self.dual_field,
                "test": None if self.test is None else {**asdict(self.test), "total": self.test.total},
                "comparison": [{**asdict(row), "deviation": row.deviation} for row in self.comparison],
                "no_prediction": self.no_prediction,
                "diagnostics": {
                    "converged": diagnostics.converged,
                    "warnings": diagnostics.warnings,
                    "table": [row._asdict() for row in diagnostics.table],
                    "acceptance": diagnostics.acceptance,
                    "divergences": diagnostics.divergences,
                },
                "provenance": self.run.provenance,
                "data": dict(self.run.task.provenance),
            }
        )


def report(run: Run, title: str) -> Report:
    """The `Report` of a run, finished or interrupted.

    **Raises:** `nonlazy.errors.StoreError` where the run holds no draw yet.
    """
    if run.draws == 0:
        raise StoreError(f"{run.path} holds no draws yet: it was interrupted in its warm-up; resume it first")
    task, posterior = run.task, run.posterior
    means, _ = _moments.outputs(run)
    schemes = _schemes(run)
    codes = ()
    if schemes:
        codes = code_rows(
            schemes[0].codes,
            schemes[0].neuron_codes,
            np.asarray(run.readouts()[0, run.kept_draws[-1]], dtype=np.float64),
            schemes[0].class_means,
            task.class_names,
            schemes[0].kind,
        )
    prediction, no_prediction = _predict(run)
    quenched = None if prediction is None else _quenched(run, prediction)
    return Report(
        title=title,
        run=run,
        scheme=schemes[0] if schemes else None,
        codes=codes,
        neurons_by_chain=neurons_by_chain(schemes),
        outputs=output_rows(means.mean(axis=0), task.Y, task.labels, task.class_names),
        dual_field=tuple(float(v) for v in np.sqrt(((task.Y - means) ** 2).mean(axis=(1, 2))) / posterior.temperature)
        if posterior.temperature > 0
        else (),
        test=_test(run),
        comparison=comparison(run, prediction, quenched) if prediction is not None else (),
        prediction=prediction,
        no_prediction=no_prediction,
        diagnostics=run.diagnostics(),
        equilibrium=_equilibrium(run, schemes, prediction),
    )


def write(found: Report, folder: Path, name: str) -> tuple[Path, ...]:
    """Draws the pictures, and writes them as PNG and PDF and the numbers as JSON: `folder/name.png` and so on.

    **Returns:** the paths written. **Raises:** `nonlazy.errors.StoreError` where the folder cannot be written.
    """
    from nonlazy import plots

    paths: list[Path] = []
    if found.scheme is not None:
        paths += plots.save(draw(found), folder / name)
    if found.prediction is not None:
        paths += plots.save(plots.compare(found.run, found.prediction), folder / f"{name}-theory")
    numbers = folder / f"{name}.json"
    write_text(numbers, json.dumps(found.to_dict(), indent=2) + "\n")
    return (*paths, numbers)


def proof_of(prediction: Prediction) -> str:
    """Whether a bound proves that the theory's solution is the optimum, and why, or what is not known."""
    return f"{'certified' if prediction.certified else 'not certified'}: {prediction.certificate}"


def draw(found: Report) -> Any:
    """The picture of a report, a matplotlib `Figure`: readouts, activations sorted by code, outputs against targets.

    It shows the draw that the coding scheme is of: the last one of chain 0.

    **Raises:** `nonlazy.errors.StoreError` where the run has kept no draw in full yet.
    """
    from nonlazy import plots

    run, scheme = found.run, found.scheme
    if scheme is None:
        raise StoreError(f"{run.path} holds no draw that was kept in full yet: resume it first")
    shown = run.kept_draws[-1]
    task = run.task
    quick = str(run.provenance.get("experiment") or "").endswith("-quick")
    return plots.layer(
        None,
        np.asarray(run.readouts()[0, shown], dtype=np.float64),
        np.asarray(run.activations(draw=shown), dtype=np.float64),
        task.labels,
        np.asarray(run.outputs(draw=shown), dtype=np.float64),
        task.Y,
        scheme,
        title=found.title,
        theory=found.prediction,
        footnote=_footnote(run),
        badge="QUICK SIZE" if quick else None,
        names=output_names(task),
    )


def _footnote(run: Run) -> str:
    """The posterior in one line of small print; the task's name says where its data are not the originals."""
    network, task, posterior = run.posterior.network, run.task, run.posterior
    return (
        f"{task.name}: P = {task.P}, N0 = {task.N0}. {network.phi.name}, {network.readout}, L = {network.depth}, "
        f"N = {network.width}. T = {posterior.temperature:g}, prior variances {posterior.sigma_a2:.3g} (readouts), "
        f"{', '.join(f'{v:.3g}' for v in posterior.sigma2)} (weights). Draw {run.kept_draws[-1] + 1} of chain 0"
    )


def _predict(run: Run) -> tuple[Prediction | None, str]:
    """The theory of the posterior that was sampled, or None and why there is none."""
    if not run.complete:
        # The mean kernel is written at the end.
        return None, "the run is not complete"
    if _has_no_noise(run):
        return None, "noiseless descent does not sample the posterior"
    try:
        return solve(run.posterior), ""
    except (InvalidInput, TheoryError) as error:
        return None, str(error)


def _quenched(run: Run, prediction: Prediction) -> Prediction | None:
    """The theory at the chains' own shares of the codes, where no move lets these change; None where it has none."""
    codes = getattr(prediction, "codes", None)
    jumps = (run.configuration.get("moves") or {}).get("kind") == "Jumps"
    if codes is None or jumps:
        return None
    try:
        return solve(run.posterior, fractions=sampled_fractions(run, codes))
    except (InvalidInput, TheoryError):
        return None


def _equilibrium(run: Run, schemes: tuple[CodingScheme, ...], prediction: Prediction | None) -> Equilibrium | None:
    shared = bool(schemes) and schemes[0].kind == "redundant" and run.posterior.network.phi.kind == "sigmoidal"
    return equilibrium(run, prediction=prediction) if shared and not _has_no_noise(run) else None


def _has_no_noise(run: Run) -> bool:
    sampler = run.configuration.get("sampler") or {}
    return run.posterior.temperature == 0 or sampler.get("kind") == "GradientDescent"


def _schemes(run: Run) -> tuple[CodingScheme, ...]:
    """The coding scheme of each chain in the last draw that was kept in full; none where there is no such draw."""
    if not run.kept_draws:
        return ()
    reference = untrained_layer(run.posterior)
    rule = rule_of(run.posterior.network.phi.name)
    kept = run.kept_draws[-1]
    return tuple(
        detect(run.activations(draw=kept, chain=chain), run.task.labels, activation=rule, reference=reference)
        for chain in range(run.chains)
    )


def _test(run: Run) -> TestError | None:
    task = run.task
    if task.Y_test is None or task.labels_test is None:
        return None
    means, variances = _moments.outputs(run, test=True)
    # Chains in different frozen schemes predict differently: that spread belongs to the predictor's variance.
    variance = variances.mean(axis=0) + means.var(axis=0)
    return error_on_test(means.mean(axis=0), variance, task.Y_test, task.labels_test, task.classes)


def untrained_layer(posterior: Posterior, layer: int = -1) -> Float[np.ndarray, "N P"]:
    """Activations of a layer in a draw from the prior: what the inputs' own grouping by class amounts to."""
    network, task = posterior.network, posterior.task
    generator = np.random.default_rng(0)
    sizes = [(network.width, task.N0)] + [(network.width, network.width)] * (network.depth - 1)
    hidden = tuple(
        math.sqrt(variance) * generator.standard_normal(size)
        for size, variance in zip(sizes, posterior.sigma2, strict=True)
    )
    weights = Weights(hidden, np.zeros((network.width, task.m)))
    return np.asarray(network.activations(weights, task.X)[layer], dtype=np.float64)


def rule_of(activation: str) -> str | None:
    """The rule by which `nonlazy.codes.detect` reads codes from activations of this function; None: from the data."""
    return activation if activation in ("sigmoid", "relu", "linear") else None
