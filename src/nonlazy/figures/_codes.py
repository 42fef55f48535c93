"""The table of codes: which neurons share a code, and what their readouts and activations are."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from nonlazy.codes import CodingScheme


@dataclass(frozen=True)
class CodeRow:
    """The neurons of one code, in one draw of one chain.

    **Fields:**

    - `code`: one digit a class, 1 where the class activates the neurons, as "1-1-0"; "bulk" or "no code" for the
      neurons that have none, "all" where the scheme has no codes at all.
    - `classes`: names of the classes that activate the neurons.
    - `neurons`, `fraction`: how many neurons, and their share of the layer.
    - `readout`, `readout_deviation`: mean of the readout vectors over these neurons, and their standard deviation, one
      number an output.
    - `activation`: mean activation over these neurons and the inputs of a class, one number a class.
    """

    code: str
    classes: tuple[str, ...]
    neurons: int
    fraction: float
    readout: tuple[float, ...]
    readout_deviation: tuple[float, ...]
    activation: tuple[float, ...]


def code_rows(
    codes: Bool[np.ndarray, "n C"],
    neuron_codes: Int[np.ndarray, " N"],
    readouts: Float[np.ndarray, "N m"],
    class_activations: Float[np.ndarray, "N C"],
    class_names: tuple[str, ...],
    kind: str,
) -> tuple[CodeRow, ...]:
    """One row a code, the most frequent first, neurons without a code last.

    **Arguments:** `codes` and `neuron_codes` (index into `codes`, or -1) as a `nonlazy.codes.CodingScheme` has them;
    `readouts` and `class_activations` of the draw that the codes are of, the latter averaged over the inputs of each
    class; `kind` of the coding scheme.
    """
    counts = [int((neuron_codes == index).sum()) for index in range(len(codes))]
    order = sorted((i for i in range(len(codes)) if counts[i]), key=lambda i: (-counts[i], *(~codes[i]).tolist()))
    rows = []
    for index in order:
        name = "-".join("1" if active else "0" for active in codes[index])
        classes = tuple(label for label, active in zip(class_names, codes[index], strict=True) if active)
        rows.append(_row(name, classes, neuron_codes == index, readouts, class_activations))
    rest = neuron_codes == -1
    if rest.any():
        name = "all" if not rows else "bulk" if kind == "sparse" else "no code"
        rows.append(_row(name, (), rest, readouts, class_activations))
    return tuple(rows)


def neurons_by_chain(schemes: Sequence[CodingScheme]) -> dict[str, tuple[int, ...]]:
    """For each code of any chain, how many neurons have it in each of them."""
    counts = [{s.code_name(i): int(s.counts[i]) for i in range(len(s.codes))} for s in schemes]
    names = sorted({name for chain in counts for name in chain}, reverse=True)
    return {name: tuple(chain.get(name, 0) for chain in counts) for name in names}


def _row(
    code: str,
    classes: tuple[str, ...],
    chosen: Bool[np.ndarray, " N"],
    readouts: Float[np.ndarray, "N m"],
    class_activations: Float[np.ndarray, "N C"],
) -> CodeRow:
    return CodeRow(
        code=code,
        classes=classes,
        neurons=int(chosen.sum()),
        fraction=float(chosen.mean()),
        readout=_floats(readouts[chosen].mean(axis=0)),
        readout_deviation=_floats(readouts[chosen].std(axis=0)),
        activation=_floats(class_activations[chosen].mean(axis=0)),
    )


def _floats(values: Float[np.ndarray, " n"]) -> tuple[float, ...]:
    return tuple(float(value) for value in values)
