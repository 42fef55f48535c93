"""Neurons that change their code for good, and codes that mirror each other."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from nonlazy.diagnostics._history import CodeHistory


# A neuron that crosses a threshold for a moment does not change the code it has in most draws of a block.
_BLOCKS = 20
_SHORTEST_BLOCK = 2
# A code with this share of the neurons is one of the scheme; its mirror image must be populated, too.
_PART_OF_SCHEME = 0.05


@dataclass(frozen=True, eq=False)
class Groups:
    """Codes that are judged together: a code alone, or with its mirror image.

    **Fields:** `names`: `(G,)`, as `1-1-0` or `1-1-0 + 0-0-1`; `of_code`: the group of each code, `(n,)`; `mirrored`.
    """

    names: tuple[str, ...]
    of_code: Int[np.ndarray, " n"]
    mirrored: bool

    def sums(self, values: Float[np.ndarray, "*shape n"]) -> Float[np.ndarray, "*shape G"]:
        """Sums of values by code over the codes of each group; the last axis is that of the codes."""
        return values @ (self.of_code[:, None] == np.arange(len(self.names))).astype(float)


def groups(codes: Bool[np.ndarray, "n C"], shares: Float[np.ndarray, " n"]) -> Groups:
    """Codes alone; or pairs of a code and its mirror image (the other classes), where every code with 5 % of the
    neurons or more has a mirror image with neurons, and there are two pairs or more: such pairs can exchange neurons
    without any change of the outputs."""
    names = ["-".join("1" if on else "0" for on in code) for code in codes]
    known = {tuple(code): k for k, code in enumerate(codes.tolist())}
    mirror = [known.get(tuple(not on for on in code), -1) for code in codes.tolist()]
    main = np.flatnonzero(shares >= _PART_OF_SCHEME)
    # Three codes or more are never one pair alone.
    if len(main) < 3 or any(mirror[k] < 0 or shares[mirror[k]] == 0 for k in main):
        return Groups(tuple(names), np.arange(len(codes)), False)
    of_code, said = np.full(len(codes), -1), []
    for k in range(len(codes)):
        if of_code[k] < 0:
            of_code[k] = len(said)
            if mirror[k] >= 0:
                of_code[mirror[k]] = len(said)
            said.append(names[k] if mirror[k] < 0 else f"{names[k]} + {names[mirror[k]]}")
    return Groups(tuple(said), of_code, True)


@dataclass(frozen=True, eq=False)
class Exchanges:
    """Lasting changes of code: of the code that a neuron has in most draws of a block, from one block to the next.

    **Fields:** `arrivals`, `departures`: of each group, `(chain, G)`; `block`: draws in a block.
    """

    arrivals: Int[np.ndarray, "chain G"]
    departures: Int[np.ndarray, "chain G"]
    block: int

    @property
    def total(self) -> Int[np.ndarray, " chain"]:
        """Changes in each chain."""
        return self.arrivals.sum(axis=1)


def exchanges(history: CodeHistory, of_code: Int[np.ndarray, " n"]) -> Exchanges:
    """The lasting changes in each chain, in up to 20 blocks of two draws or more."""
    index = of_code[history.index]
    G = int(of_code.max()) + 1
    chains, draws, _ = index.shape
    block = max(_SHORTEST_BLOCK, -(-draws // _BLOCKS))
    blocks = draws // block
    tail = index[:, draws - blocks * block :].reshape(chains, blocks, block, -1)
    modal = np.argmax(np.stack([(tail == g).sum(axis=2) for g in range(G)]), axis=0)
    before, after = modal[:, :-1], modal[:, 1:]
    changed = before != after
    arrivals, departures = (
        np.stack([((side == g) & changed).sum(axis=(1, 2)) for g in range(G)], axis=1) for side in (after, before)
    )
    return Exchanges(arrivals, departures, block)
