"""Shares of the codes in a run, as the theory takes them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float, Int

from nonlazy.diagnostics._history import code_history
from nonlazy.errors import InvalidInput
from nonlazy.sampling import Run


@dataclass(frozen=True, eq=False)
class Fractions(Mapping[tuple[int, ...], float]):
    """The share of the neurons in each code. Get one from `nonlazy.diagnostics.fractions`.

    A mapping such as `{(1, 1, 0): 0.31, ...}` that sums to 1, which `nonlazy.theory.solve(..., fractions=...)` takes as
    it is: the quenched theory at a run's own shares.

    **Fields:**

    - `codes`: one digit a class, 1 for each class that activates the neurons; the most frequent code first.
    - `shares`: over all chains and draws, `(n,)`.
    - `by_draw`: `(chain, draw, n)`. `draws`: which draws these are, `(draw,)`.
    - `neurons`: N, of the feature layer.
    - `agreement`: share of the neurons, in the draws kept in full, whose readouts tell the same code as their
      activations; where it is below 0.98, `by_draw` has those draws alone.
    """

    codes: tuple[tuple[int, ...], ...]
    shares: Float[np.ndarray, " n"]
    by_draw: Float[np.ndarray, "chain draw n"] = field(repr=False)
    draws: Int[np.ndarray, " draw"] = field(repr=False)
    neurons: int
    agreement: float

    def __post_init__(self):
        for array in (self.shares, self.by_draw, self.draws):
            array.setflags(write=False)

    @property
    def by_chain(self) -> Float[np.ndarray, "chain n"]:
        """Shares in each chain, `(chain, n)`."""
        return self.by_draw.mean(axis=1)

    @property
    def names(self) -> tuple[str, ...]:
        """The codes as they are written in tables, `1-1-0`."""
        return tuple("-".join(map(str, code)) for code in self.codes)

    def __getitem__(self, code: tuple[int, ...]) -> float:
        try:
            return float(self.shares[self.codes.index(code)])
        except ValueError:
            raise KeyError(code) from None

    def __iter__(self) -> Iterator[tuple[int, ...]]:
        return iter(self.codes)

    def __len__(self) -> int:
        return len(self.codes)

    def __str__(self) -> str:
        chains = self.by_chain * self.neurons
        width = max(len("code"), *(len(name) for name in self.names))
        shown = range(min(len(chains), 8))
        heads = "".join(f"{f'chain {chain}':>9}" for chain in shown)
        lines = [f"{'code':<{width}}  {'share':>7}  neurons:{heads}"]
        for k, name in enumerate(self.names):
            numbers = "".join(f"{chains[chain, k]:9.1f}" for chain in shown)
            lines.append(f"{name:<{width}}  {self.shares[k]:7.4f}          {numbers}")
        if len(chains) > len(shown):
            lines.append(f"and {len(chains) - len(shown)} more chains")
        return "\n".join(lines)


def fractions(run: Run, chain: int | None = None, discard: int = 0) -> Fractions:
    """The share of the feature layer's neurons in each code, over the draws of a run.

    A neuron's code is the set of classes that activate it: those on whose inputs its mean activation is above the
    middle of the activation's range. It is measured in the draws kept in full (`Record(snapshots=...)`), and in the
    others told by the neuron's readout; `Fractions.agreement` says how well that does. Codes that hold less than half a
    neuron on average, in each chain, are neurons that cross a threshold for a moment, and count for the code that their
    readout tells.

    **Arguments:**

    - `run`: of a network with a bounded activation.
    - `chain`: of one chain alone; None: of all. Frozen chains have shares of their own: solve the theory for each.
    - `discard`: draws at the beginning to leave out.

    **Returns:** a `Fractions`, which `nonlazy.theory.solve(posterior, fractions=...)` takes.

    **Raises:** `nonlazy.errors.InvalidInput` for networks whose neurons share no codes, and arguments out of range;
    `nonlazy.errors.StoreError` where the run has no draws.
    """
    if chain is not None and not (isinstance(chain, int) and -run.chains <= chain < run.chains):
        raise InvalidInput(f"chain is {chain!r}: this run has {run.chains}, counted from 0")
    history = code_history([run], discard)
    counts = history.counts if chain is None else history.counts[[chain]]
    neurons = history.index.shape[2]
    totals = counts.sum(axis=(0, 1))
    order = [k for k in np.argsort(-totals, kind="stable") if totals[k] > 0]
    return Fractions(
        codes=tuple(tuple(int(on) for on in history.codes[k]) for k in order),
        shares=totals[order] / totals.sum(),
        by_draw=counts[:, :, order] / neurons,
        draws=history.draws,
        neurons=neurons,
        agreement=history.agreement,
    )
