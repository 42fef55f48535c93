"""The record of what a layer's codes are."""

import textwrap
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from jaxtyping import Bool, Float, Int


if TYPE_CHECKING:
    from rich.table import Table


Kind = Literal["analog", "redundant", "sparse", "none"]

_ROWS = 12


@dataclass(frozen=True, eq=False)
class CodingScheme:
    """The coding scheme of a layer and the code of each of its neurons (van Meegen & Sompolinsky 2025, "Results").

    **Fields:**

    - `kind`: `"sparse"` (few neurons have codes), `"redundant"` (codes shared by many neurons), `"analog"` (all neurons
      respond to the classes, in degrees) or `"none"` (no class signal to speak of).
    - `codes`: the subsets of classes that activate neurons, `(n, classes)`, in lexicographically descending order
      (1-1-1, 1-1-0, 1-0-1, ...), so that the same codes stand in the same order in every layer and picture; n = 0 for
      analog layers and for none.
    - `fractions`: share of the layer's neurons with each code, `(n,)`; they sum to 1 where every neuron has a code.
    - `neuron_codes`: index into `codes` of each neuron, or -1, `(neurons,)`.
    - `confidence`: in [0, 1]: how far the number that decided lies from its threshold (0 at the threshold, 1/2 at a
      factor two, 0.9 at a factor ten). It is a distance, not a probability.
    - `class_means`: mean activation of each neuron over the inputs of each class, `(neurons, classes)`.
    - `rule`: in words, how kind and codes were decided, with thresholds and the numbers that decided.
    - `activations`: mean of `class_means` over the neurons of each code, `(n, classes)`.
    - `counts`: neurons with each code, `(n,)`.
    - `without_code`: reason -> indices of the neurons that have no code for that reason.
    - `classes`: the label of each class, in the order of the columns.
    - `signal`: noise-corrected variance of each neuron's class means over inputs, `(neurons,)`.
    - `mean_squares`: mean squared activation of each neuron, `(neurons,)`.
    - `evidence`: the deciding numbers by name.
    """

    kind: Kind
    codes: Bool[np.ndarray, "n classes"]
    fractions: Float[np.ndarray, " n"]
    neuron_codes: Int[np.ndarray, " neurons"]
    confidence: float
    class_means: Float[np.ndarray, "neurons classes"]
    rule: str
    activations: Float[np.ndarray, "n classes"]
    counts: Int[np.ndarray, " n"]
    without_code: Mapping[str, Int[np.ndarray, " left_out"]]
    classes: tuple[Any, ...]
    signal: Float[np.ndarray, " neurons"]
    mean_squares: Float[np.ndarray, " neurons"]
    evidence: Mapping[str, float]

    def code_name(self, i: int) -> str:
        """Code `i` as the paper writes it: "1-1-0" is active on the first two of three classes; "no code" for -1."""
        return "no code" if i == -1 else "-".join("1" if active else "0" for active in self.codes[i])

    def order(self) -> Int[np.ndarray, " neurons"]:
        """Neurons sorted by code (in the order of `codes`, those without one last) and within a code by mean square.

        **Returns:** a permutation of the neurons, largest mean square first within each code; for an analog layer that
        is the paper's order from strong to weak. Ties keep the order of the layer.
        """
        place = np.where(self.neuron_codes < 0, self.codes.shape[0], self.neuron_codes)
        return np.lexsort((-self.mean_squares, place))

    def table(self) -> "Table":
        """The codes as a `rich.table.Table`: code, neurons, share, mean activation on each class; commonest codes only
        where there are more than twelve."""
        from rich.markup import escape
        from rich.table import Table

        table = Table(title=self._headline())
        for name, right in (("code", False), ("neurons", True), ("share", True)):
            table.add_column(name, justify="right" if right else "left", no_wrap=True)
        for name in self.classes[:_ROWS]:
            table.add_column(escape(f"<phi>, {name}"), justify="right", no_wrap=True)
        for row in self._rows():
            table.add_row(*map(escape, row))
        return table

    def __str__(self) -> str:
        rows = [["code", "neurons", "share", *(f"<phi>, {name}" for name in self.classes[:_ROWS])], *self._rows()]
        widths = [max(len(row[k]) if k < len(row) else 0 for row in rows) for k in range(len(rows[0]))]
        lines = [self._headline()]
        if len(rows) > 1:
            for row in rows:
                cells = [cell.rjust(width) if k else cell.ljust(width) for k, (cell, width) in _cells(row, widths)]
                lines.append("  " + "  ".join(cells).rstrip())
        for sentence in self.rule.splitlines():
            lines += textwrap.wrap(sentence, 110, initial_indent="  ", subsequent_indent="    ")
        return "\n".join(lines)

    def __repr__(self) -> str:
        names = ", ".join(self.code_name(i) for i in range(min(len(self.codes), 6)))
        more = ", ..." if len(self.codes) > 6 else ""
        codes = f", codes {names}{more}" if names else ""
        return f"CodingScheme({self.kind}{codes}; {self.neuron_codes.size} neurons, confidence {self.confidence:.2f})"

    def _headline(self) -> str:
        n, neurons = len(self.codes), self.neuron_codes.size
        codes = {0: "no codes", 1: "1 code"}.get(n, f"{n} codes")
        return f"coding scheme: {self.kind} ({codes}, {neurons} neurons, confidence {self.confidence:.2f})"

    def _rows(self) -> list[list[str]]:
        shown = np.arange(len(self.codes))
        if shown.size > _ROWS:
            shown = np.argsort(-self.counts, kind="stable")[:_ROWS]
        rows = []
        for i in shown:
            means = [f"{mean:.3g}" for mean in self.activations[i, :_ROWS]]
            rows.append([self.code_name(int(i)), str(self.counts[i]), _percent(self.fractions[i]), *means])
        if shown.size < len(self.codes):
            left = int(self.counts.sum() - self.counts[shown].sum())
            rows.append([f"{len(self.codes) - shown.size} rarer codes", str(left), _percent(left / self.signal.size)])
        for reason, neurons in self.without_code.items():
            if neurons.size == self.signal.size:
                continue  # the whole layer: the headline says so
            rows.append([f"no code: {reason}", str(neurons.size), _percent(neurons.size / self.signal.size)])
        return rows


def _cells(row: list[str], widths: list[int]):
    return enumerate(zip(row, widths[: len(row)], strict=True))


def _percent(fraction: float) -> str:
    return f"{100 * fraction:.1f} %"
