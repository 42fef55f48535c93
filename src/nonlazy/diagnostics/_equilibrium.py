"""Has a chain reached equilibrium? The shares of its codes, and what shows that they are the posterior's."""

from collections.abc import Sequence
from typing import Literal

import numpy as np
from jaxtyping import Float

from nonlazy.diagnostics._evidence import CodeShare, Equilibrium
from nonlazy.diagnostics._exchanges import Exchanges, Groups, exchanges, groups
from nonlazy.diagnostics._field import log_weights
from nonlazy.diagnostics._history import CodeHistory, code_history
from nonlazy.diagnostics._mcse import effective_draws, rhat, standard_error
from nonlazy.diagnostics._verdict import EXCESS_NATS, decide, largest_excess
from nonlazy.errors import InvalidInput, TheoryError
from nonlazy.sampling import Run
from nonlazy.theory import Prediction, solve


def equilibrium(
    *runs: Run, prediction: Prediction | Literal["solve"] | None = "solve", discard: int = 0
) -> Equilibrium:
    """Whether the chains of one or several runs have reached equilibrium in the shares of their codes.

    R-hat does not show it: chains whose neurons never change their code agree, or not, with each other for ever,
    whatever the posterior's shares are. The verdict is

    - *equilibrated*, where every code that holds a neuron or more (in a chain, or by the theory) saw four lasting
      arrivals and departures or more in each of at least two chains, and the chains agree on its share: R-hat below
      1.05, or chains, and the two halves of all of them, no further apart than 0.5 % of the neurons (at least one);
      or where jumps were accepted in every chain, brought them all to the theory's shares within that tolerance, and
      hardly any changes a code for good any more (shares can be pinned: those of codes with their mirror images on
      digits are);
    - *frozen*, where otherwise some code saw fewer, and the chains disagree, or one has a code in a significant excess
      (see below; more than 5 nats, times P/N where that is above 1, and 4 Monte Carlo errors), or no chain made more
      lasting changes than 2 % of its neurons;
    - *undecided* otherwise: one chain, too few draws, too few changes in chains that agree, or chains that move and do
      not agree yet. `Equilibrium.reason` says which.

    A change of code is *lasting* where the code that a neuron has in most draws of a block (up to 20 blocks a chain)
    differs from that of the block before: crossing a threshold for a moment does not count. Where codes
    exchange neurons the theory's shares stand beside those of the chains and decide nothing: they are those of large N,
    and may differ by a neuron or more in a narrow network. But a code of the theory that the chains do not have must be
    visited.

    *Excess* compares a code's neurons with the free energy of a neuron in that code, in the mean dual field
    <Y - f>/T of the chain's own draws, by class. In equilibrium it is 0 for every code up to corrections of order P/N
    nats, from the fluctuations of the field that a mean leaves out; a code frozen with too many neurons has an excess
    of several to tens of nats. There is one for one hidden layer on orthogonal inputs.

    *Limits.* Chains from one start that have moved can still share a code that none of them, and no theory, knows:
    give runs from different starts. Nothing here says that quantities other than shares have converged:
    `run.diagnostics()` does.

    **Arguments:**

    - `runs`: of one posterior, with a bounded activation; chains of all runs are judged together.
    - `prediction`: the theory of equilibrium: `"solve"`, one that has been solved, or None for none.
    - `discard`: draws at the beginning of each chain to leave out.

    **Returns:** an `Equilibrium`; `print` shows the evidence.

    **Raises:** `nonlazy.errors.InvalidInput` without a run, for runs of different posteriors and for networks whose
    neurons share no codes; `nonlazy.errors.StoreError` where a run has no draws.
    """
    if not runs:
        raise InvalidInput("equilibrium needs a run: equilibrium(run), or several of one posterior")
    if prediction is not None and prediction != "solve" and getattr(prediction, "ensemble", None) != "equilibrium":
        raise InvalidInput("prediction is not a theory of equilibrium: give one, 'solve' or None")
    history = code_history(runs, discard)
    N = history.index.shape[2]
    counts = history.counts.astype(float)
    no_theory = ""
    if isinstance(prediction, str):
        prediction, no_theory = _solved(runs[0])
    history, counts, expected = _with_theory(history, counts, prediction, N)
    grouped = groups(history.codes, counts.mean(axis=(0, 1)) / N)
    moved = exchanges(history, grouped.of_code)
    numbers = grouped.sums(counts)
    theory = None if expected is None else grouped.sums(expected)
    excess = _excess(runs, history, counts, grouped, discard)
    limit = EXCESS_NATS * max(1.0, runs[0].task.P / N)
    beyond = "" if excess is None else largest_excess(grouped.names, *excess, numbers.mean(axis=1), limit)
    verdict, reason = decide(
        grouped.names, numbers, moved.arrivals + moved.departures, N, theory, beyond, _jumped(runs)
    )
    if len(history.draws) < min(run.draws for run in runs) - discard:
        reason += (
            f" (readouts tell {history.agreement:.0%} of the codes only, so that the draws kept in full alone count)"
        )
    return Equilibrium(
        verdict=verdict,
        reason=reason,
        rows=_rows(grouped, numbers, moved, theory, excess),
        mirrored=grouped.mirrored,
        accepted=_accepted(runs, discard),
        lasting=moved.total / N,
        chains=counts.shape[0],
        draws=counts.shape[1],
        neurons=N,
        discarded=discard,
        no_theory=no_theory,
    )


def _solved(run: Run) -> tuple[Prediction | None, str]:
    if run.posterior.temperature == 0:
        return None, "noiseless descent has no posterior"
    try:
        return solve(run.posterior), ""
    except (InvalidInput, TheoryError) as error:
        return None, str(error)


def _with_theory(
    history: CodeHistory, counts: Float[np.ndarray, "chain draw n"], prediction: Prediction | None, N: int
) -> tuple[CodeHistory, Float[np.ndarray, "chain draw k"], Float[np.ndarray, " k"] | None]:
    """The codes of samples and theory together, and the neurons that the theory gives each."""
    found = None if prediction is None else getattr(prediction, "codes", None)
    if found is None or not hasattr(found, "active"):
        return history, counts, None
    active = np.asarray(found.active)
    known = {tuple(code) for code in history.codes.tolist()}
    missing = [k for k in range(len(active)) if tuple(active[k].tolist()) not in known]
    codes = np.concatenate([history.codes, active[missing]])
    both = CodeHistory(codes, history.index, history.draws, history.agreement)
    padded = np.concatenate([counts, np.zeros((*counts.shape[:2], len(missing)))], axis=2)
    shares = [sum(f for f, a in zip(found.fraction, active, strict=True) if (a == code).all()) for code in codes]
    return both, padded, N * np.array(shares, dtype=float)


def _excess(
    runs: Sequence[Run], history: CodeHistory, counts, grouped: Groups, discard: int
) -> tuple[Float[np.ndarray, "chain G"], Float[np.ndarray, "chain G"]] | None:
    if grouped.mirrored:
        return None
    every = [log_weights(run, chain, history.codes, discard) for run in runs for chain in range(run.chains)]
    values, errors = [], []
    for found, number in zip(every, counts.mean(axis=1), strict=True):
        if found is None:
            return None
        share = number / number.sum()
        with np.errstate(divide="ignore"):
            excess = np.where(share > 0, np.log(share) - found[0], np.nan)
        known = np.isfinite(excess)
        values.append(excess - np.sum((share * excess)[known]) / np.sum(share[known]))
        errors.append(found[1])
    return np.stack(values), np.stack(errors)


def _rows(grouped: Groups, numbers, moved: Exchanges, theory, excess) -> tuple[CodeShare, ...]:
    rows = []
    size = numbers.mean(axis=(0, 1))
    shown = [g for g in range(len(grouped.names)) if size[g] > 0 or (theory is not None and theory[g] >= 0.5)]
    for g in sorted(shown, key=lambda g: -size[g]):
        series = numbers[:, :, g]
        rows.append(
            CodeShare(
                name=grouped.names[g],
                by_chain=series.mean(axis=1),
                neurons=float(series.mean()),
                error=standard_error(series),
                ess=effective_draws(series),
                rhat=rhat(series),
                theory=None if theory is None else float(theory[g]),
                arrivals=moved.arrivals[:, g],
                departures=moved.departures[:, g],
                excess=None if excess is None else excess[0][:, g],
                excess_error=None if excess is None else excess[1][:, g],
            )
        )
    return tuple(rows)


def _jumped(runs: Sequence[Run]) -> bool:
    """Whether every chain accepted a jump, in its warm-up or later."""
    for run in runs:
        if (run.configuration.get("moves") or {}).get("kind") != "Jumps":
            return False
        warmup = run.tree["warmup_sample_stats"].to_dataset()["move_accepted"].values.sum(axis=1)
        if not (warmup + run.statistics()["move_accepted"].values.sum(axis=1)).all():
            return False
    return True


def _accepted(runs: Sequence[Run], discard: int) -> Float[np.ndarray, " chain"] | None:
    """Accepted changes of code per neuron and sweep."""
    rates = []
    for run in runs:
        moves = run.configuration.get("moves") or {}
        if moves.get("kind") != "Jumps":
            return None
        accepted = run.statistics()["move_accepted"].values[:, discard:].sum(axis=1)
        sweeps = (run.draws - discard) * run.configuration["thin"] / moves["every"]
        rates += list(accepted / sweeps / run.posterior.network.width)
    return np.array(rates)
