"""What is found out about equilibrium, and how it is printed."""

import textwrap
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from nonlazy.diagnostics._verdict import Verdict


_WIDTH = 98
_MOST_CHAINS = 4


@dataclass(frozen=True, eq=False)
class CodeShare:
    """One row of the evidence: a code, or a code with its mirror image.

    **Fields:**

    - `name`: as `1-1-0`.
    - `by_chain`: mean number of neurons in each chain, `(chain,)`; `neurons`: over all chains; `error`: its Monte Carlo
      standard error, from the chains themselves; `ess`: effective draws; `rhat`: rank-normalised split R-hat of the
      number of neurons (NaN with one chain).
    - `theory`: neurons at equilibrium by the theory, or None.
    - `arrivals`, `departures`: lasting changes to and from the code, `(chain,)`.
    - `excess`: log of the neurons in the code less log of what the chain's own dual field gives it, less the mean over
      neurons, in nats, `(chain,)`: above 0 there are too many. `excess_error`: its Monte Carlo error. None where there
      is no dual field by class; NaN for a code that is not stable in that field.
    """

    name: str
    by_chain: Float[np.ndarray, " chain"]
    neurons: float
    error: float
    ess: float
    rhat: float
    theory: float | None
    arrivals: Int[np.ndarray, " chain"]
    departures: Int[np.ndarray, " chain"]
    excess: Float[np.ndarray, " chain"] | None
    excess_error: Float[np.ndarray, " chain"] | None


@dataclass(frozen=True, eq=False)
class Equilibrium:
    """Whether chains have reached equilibrium in the shares of their codes, with the evidence.

    **Fields:**

    - `verdict`: `"equilibrated"`, `"frozen"` or `"undecided"`; `reason`: why, in words.
    - `rows`: a `CodeShare` for each code, the most frequent first; for each pair of a code and its mirror image where
      `mirrored`.
    - `accepted`: accepted changes of code per neuron and sweep of jumps, `(chain,)`; None without jumps.
    - `lasting`: lasting changes of code per neuron, over the draws, `(chain,)`.
    - `chains`, `draws`, `neurons`: counts; `discarded`: draws left out at the beginning of each chain.
    - `no_theory`: why there is no theory beside the shares; empty where there is.
    """

    verdict: Verdict
    reason: str
    rows: tuple[CodeShare, ...]
    mirrored: bool
    accepted: Float[np.ndarray, " chain"] | None
    lasting: Float[np.ndarray, " chain"]
    chains: int
    draws: int
    neurons: int
    discarded: int
    no_theory: str = field(default="", repr=False)

    @property
    def line(self) -> str:
        """The verdict in one sentence."""
        return f"{self.verdict}: {self.reason}"

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain values and arrays, by name."""
        return asdict(self)

    @property
    def from_theory(self) -> float | None:
        """The largest difference between sampled and theoretical shares, in neurons; None without theory."""
        differences = [abs(row.neurons - row.theory) for row in self.rows if row.theory is not None]
        return max(differences) if differences else None

    def __str__(self) -> str:
        lines = textwrap.wrap(self.line, _WIDTH)
        kept = f", the first {self.discarded} left out" if self.discarded else ""
        chains = "1 chain" if self.chains == 1 else f"{self.chains} chains"
        lines += [f"{chains} of {self.draws} draws{kept}; {self.neurons} neurons", ""]
        lines += _table(self)
        if self.accepted is not None:
            lines.append("accepted changes of code per neuron and sweep, by chain: " + _listed(self.accepted, ".2g"))
        lines.append("lasting changes of code per neuron, by chain: " + _listed(self.lasting, ".2g"))
        if self.mirrored:
            lines += textwrap.wrap(
                "Codes are judged with their mirror images (the other classes): a pair exchanges neurons without any "
                "change of the outputs, so that single shares wander freely.", _WIDTH,
            )  # fmt: skip
        if self.no_theory:
            lines += textwrap.wrap(f"No theory beside the shares: {self.no_theory}", _WIDTH)
        return "\n".join(lines)


def _table(found: Equilibrium) -> list[str]:
    width = max(len("code"), *(len(row.name) for row in found.rows))
    theory = any(row.theory is not None for row in found.rows)
    excess = any(row.excess is not None for row in found.rows)
    chains = "neurons by chain"
    cells = [_by_chain(row.by_chain) for row in found.rows]
    wide = max(len(chains), *(len(cell) for cell in cells))
    head = f"{'code':<{width}}  {chains:<{wide}}  {'all':>6} {'± MC':>5}  {'R-hat':>5}  {'ESS':>5}"
    head += f"  {'theory':>6}" if theory else ""
    head += f"  {'in, out':>8}" + ("  excess/nats" if excess else "")
    lines = [head]
    for row, cell in zip(found.rows, cells, strict=True):
        r = "> 9" if row.rhat > 9 else _number(row.rhat, ".2f")
        line = f"{row.name:<{width}}  {cell:<{wide}}  {row.neurons:6.1f} {_number(row.error, '.2f'):>5}  {r:>5}"
        line += f"  {_number(row.ess, '.0f'):>5}"
        if theory:
            line += f"  {'' if row.theory is None else format(row.theory, '.1f'):>6}"
        line += f"  {f'{row.arrivals.sum()}, {row.departures.sum()}':>8}"
        if row.excess is not None:
            line += "  " + _range(row.excess, row.excess_error)
        lines.append(line.rstrip())
    return lines


def _by_chain(values: Float[np.ndarray, " chain"]) -> str:
    if len(values) <= _MOST_CHAINS:
        return " ".join(f"{value:.1f}" for value in values)
    return f"{values.min():.1f} to {values.max():.1f}"


def _range(values: Float[np.ndarray, " chain"], errors: Float[np.ndarray, " chain"] | None) -> str:
    known = np.isfinite(values)
    if not known.any():
        return "-"
    low, high = f"{values[known].min():+.1f}", f"{values[known].max():+.1f}"
    error = "" if errors is None or np.isnan(errors[known]).any() else f" ± {errors[known].max():.1f}"
    return (low if low == high else f"{low} to {high}") + error


def _number(value: float, form: str) -> str:
    return "-" if np.isnan(value) else format(value, form)


def _listed(values: Float[np.ndarray, " chain"], form: str) -> str:
    return ", ".join(format(value, form) for value in values)
