"""The record of what a layer's codes are."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from jaxtyping import Bool, Float, Int

from nonlazy.codes import _text
from nonlazy.codes._geometry import Alignment, NeuralCollapse


if TYPE_CHECKING:
    from rich.table import Table


Kind = Literal["analog", "redundant", "sparse", "none"]


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
    - `fraction_intervals`: 95 % Clopper-Pearson interval of each fraction, `(n, 2)`, with the neurons as independent
      draws from a population of neurons. In a sparse layer they are no such draws (one outlier a class, say).
    - `code_confidences`: for each neuron the probability that its code is the one that class means without errors of
      measurement would give (Gaussian errors), `(neurons,)`; NaN for neurons without a code.
    - `effective_codes`: effective number of codes, exp(entropy of the shares of the codes among neurons that have one);
      0 without codes.
    - `kernel_share`: how much of the layer's centred kernel its codes explain, in [0, 1]: 1 - |K - K_codes|^2 / |K|^2,
      where in K_codes all neurons of a code have its mean activations and the others are silent.
    - `alignment`: centred kernel alignment with the task, and its mean over shuffled labels.
    - `collapse`: the metrics NC1 to NC4 of neural collapse.
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
    fraction_intervals: Float[np.ndarray, "n 2"]
    code_confidences: Float[np.ndarray, " neurons"]
    effective_codes: float
    kernel_share: float
    alignment: Alignment
    collapse: NeuralCollapse

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
        """The codes as a `rich.table.Table`: code, neurons, share with its interval, mean activation on each class;
        commonest codes only where there are more than twelve."""
        return _text.table(self)

    def headline(self) -> str:
        """Kind, number of codes and of neurons, and confidence, in a line."""
        return _text.headline(self)

    def facts(self) -> list[str]:
        """What is known of the layer besides its codes, as sentences."""
        return _text.facts(self)

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain lists, numbers and strings, for `json.dumps`; None stands for what is not a number.

        **Returns:** `kind`, `confidence`, `classes`, `codes` (of each: `code`, `active`, `neurons`, `fraction`,
        `interval`, `activation`), `neuron_codes`, `code_confidences`, `without_code`, `effective_codes`,
        `kernel_share`, `alignment`, `collapse`, `class_means`, `signal`, `mean_squares`, `rule` and `evidence`.
        """
        return _text.plain(self)

    def __str__(self) -> str:
        return _text.text(self)

    def __repr__(self) -> str:
        names = ", ".join(self.code_name(i) for i in range(min(len(self.codes), 6)))
        more = ", ..." if len(self.codes) > 6 else ""
        codes = f", codes {names}{more}" if names else ""
        return f"CodingScheme({self.kind}{codes}; {self.neuron_codes.size} neurons, confidence {self.confidence:.2f})"
