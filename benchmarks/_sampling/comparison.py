"""Ours and the peers on one posterior, side by side."""

import itertools
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from _sampling.cases import Case
from _sampling.chains import FEWEST_DRAWS, Chain, chain_of, geometric_mean
from _sampling.children import ONE_THREAD, in_child
from _sampling.peers import PEERS
from _sampling.weight_space import QUANTITIES


# In errors: what is more is no accident, where the errors themselves are well known.
DISAGREE = 4.0
# Times as far from us as the exact peer that is farthest: what shares of codes that freeze do to means, they do to all.
_FARTHER = 2.0
# Of a layer's mean of (w - c) . dU/dw, relative to its number of weights: less is found by many draws, and harmless.
LEAST_BIAS = 0.01
# With fewer effective draws of a quantity its rate, and the ratio, are a guess.
ROUGH = 20


@dataclass(frozen=True)
class Plan:
    """What is run: `draws` of ours, `seeds` chains of ours and `peer_seeds` of each peer, seeds from `seed` on;
    warm-up and draws of the peers, of those with short draws some times more; `budget`: seconds of iterations that a
    chain of a peer gets.
    """

    draws: int
    peer_warmup: int
    peer_draws: int
    budget: float
    seed: int
    seeds: int
    peer_seeds: int
    moves: str | None
    peers: tuple[str, ...]
    peer_precision: str = "float32"


@dataclass(frozen=True)
class Verdict:
    """Ours over a peer in effective samples a second: the geometric mean of the three quantities over all pairs of
    chains, its lowest and highest, and each quantity alone; or why there is no ratio. The words have the least
    effective sample size of either side where it is below 20."""

    ratio: float | None
    low: float | None
    high: float | None
    each: dict[str, float] | None
    words: str


@dataclass(frozen=True)
class Deviation:
    """How far a layer is from equipartition, relative to what holds under the posterior, and the Monte Carlo error."""

    layer: str
    relative: float
    error: float

    @property
    def errors(self) -> float:
        """In errors; infinite where values are not finite, which agree with nothing."""
        known = np.isfinite(self.relative) and self.error > 0
        return abs(self.relative) / self.error if known else float("inf")

    @property
    def found(self) -> bool:
        """Whether it is more than accident, and more than nothing."""
        return self.errors > DISAGREE and not abs(self.relative) <= LEAST_BIAS


@dataclass(frozen=True)
class Comparison:
    """All samplers on one posterior. `seconds_per_draw`: of our chains, before and after the peers, `(chains, 2)`;
    `replayed`: whether the chains that were looked at were those that were timed, number by number."""

    case: Case
    plan: Plan
    ours: list[Chain]
    peers: dict[str, list[Chain]]
    seconds_per_draw: list[list[float]]
    replayed: bool

    def apart(self, name: str) -> float | None:
        """Distance of a peer's means from ours in errors, the largest of five numbers; None without means.

        The error is that of both, Monte Carlo and between chains: where shares of codes are frozen each chain has its
        own means, and how far these are apart is seen from our chains, if there are several. From a few chains that is
        known badly, and other samplers freeze other shares: many errors are no proof that a sampler is wrong.
        """
        chains = [chain for chain in self.peers[name] if chain.means]
        if not chains:
            return None
        ours, theirs = (np.array([chain.means for chain in group]) for group in (self.ours, chains))
        between = ours.var(axis=0, ddof=1) if len(ours) > 1 else np.zeros(ours.shape[1])
        variance = np.zeros(ours.shape[1])
        for group in (self.ours, chains):
            # How far chains are apart holds their Monte Carlo errors already.
            alone = np.mean(np.square([chain.mcse for chain in group]), axis=0)
            variance = variance + np.maximum(between, alone) / len(group)
        return float(np.max(np.abs(ours.mean(axis=0) - theirs.mean(axis=0)) / np.sqrt(variance)))

    def equipartition(self, name: str) -> list[Deviation]:
        """How far a peer is from equipartition in each layer; none without draws enough.

        The posterior's mean of (w - c) . dU/dw is the number of weights, in each layer and with any shares of codes. So
        a bias is seen without another sampler to compare with. Of several chains the mean is taken.
        """
        chains = [chain.equipartition for chain in self.peers[name] if chain.equipartition]
        deviations = []
        for layer in chains[0] if chains else ():
            means, errors = np.array([chain[layer] for chain in chains]).T
            error = float(np.sqrt(np.sum(errors**2)) / len(errors))
            deviations.append(Deviation(layer, float(np.mean(means)) - 1.0, error))
        return deviations

    def deviation(self, name: str) -> Deviation | None:
        """The largest deviation from equipartition of a peer that is found, in errors, if there is any."""
        found = [deviation for deviation in self.equipartition(name) if deviation.found]
        return max(found, key=lambda deviation: deviation.errors, default=None)

    def farthest(self) -> float:
        """Means of a sampler that may be biased count as apart from here on: twice as far as the exact peer with the
        right scheme that is farthest from us, and at least 4 errors."""
        exact = [name for name in self.peers if PEERS[name].exact and all(chain.reached for chain in self.peers[name])]
        return max([DISAGREE, *(_FARTHER * apart for apart in map(self.apart, exact) if apart is not None)])

    def verdict(self, name: str) -> Verdict:
        """Ours over a peer."""
        chains = self.peers[name]
        if not all(chain.reached for chain in self.ours):
            return _none("nonlazy: not reached")
        if not all(chain.reached for chain in chains):
            seconds = max(chain.seconds for chain in chains)
            gradients = max(chain.gradients for chain in chains)
            return _none(f"not reached in {seconds:.0f} s, {gradients:,} gradients")
        if any(chain.ess is None and chain.draws >= FEWEST_DRAWS for chain in chains):
            return _none("does not move")
        if any(chain.ess is None for chain in chains):
            return _none(f"{min(chain.draws for chain in chains)} draws in {max(c.seconds for c in chains):.0f} s")
        if not PEERS[name].exact:
            deviation, apart = self.deviation(name), self.apart(name)
            if deviation is not None:
                return _none(f"biased: {deviation.layer} {deviation.relative:+.1%}, {deviation.errors:.0f} errors")
            if apart is not None and not apart <= self.farthest():
                return _none(f"apart by {apart:.0f} errors (of {self.plan.seeds} chains)")
        ratios = []
        for (chain, seconds), other in itertools.product(self._timed(), chains):
            timed = replace(chain, seconds_per_draw=seconds)
            ratios.append([timed.ess_per_second(q) / other.ess_per_second(q) for q in QUANTITIES])
        means = [geometric_mean(row) for row in ratios]
        each = {q: geometric_mean(column) for q, column in zip(QUANTITIES, zip(*ratios, strict=True), strict=True)}
        ratio, low, high = geometric_mean(means), min(means), max(means)
        least = min(min(chain.ess.values()) for chain in (*self.ours, *chains) if chain.ess is not None)
        rough = f", ESS {least:.0f}" if least < ROUGH else ""
        return Verdict(ratio, low, high, each, f"{ratio:.3g} ({low:.3g} to {high:.3g}){rough}")

    def _timed(self) -> list[tuple[Chain, float]]:
        return [(chain, s) for chain, each in zip(self.ours, self.seconds_per_draw, strict=True) for s in each]

    def as_dict(self) -> dict[str, Any]:
        """Everything, for a file."""
        verdicts = {
            name: vars(self.verdict(name))
            | {"apart": self.apart(name), "equipartition": [vars(layer) for layer in self.equipartition(name)]}
            for name in self.peers
        }
        return {
            "case": self.case.as_dict(),
            "plan": vars(self.plan) | {"moves": self.plan.moves or "default"},
            "nonlazy": [chain.as_dict() for chain in self.ours],
            "peers": {name: [chain.as_dict() for chain in chains] for name, chains in self.peers.items()},
            "verdicts": verdicts,
            "nonlazy_seconds_per_draw_before_and_after": self.seconds_per_draw,
            "nonlazy_replayed_exactly": self.replayed,
        }


def compare(case: Case, plan: Plan) -> Comparison:
    """Runs all samplers, one after the other; ours before and after the peers, as the machine may be busy with else."""
    requests = [
        {"case": case.as_dict(), "seed": seed, "moves": plan.moves} for seed in range(plan.seed, plan.seed + plan.seeds)
    ]
    ours, seconds, replayed = [], [], True
    for request in requests:
        measured = in_child("ours", request | {"draws": plan.draws})
        looked_at = in_child("replay", request)
        replayed = replayed and measured["warmup_loss"] == looked_at["warmup_loss"]
        ours.append(chain_of(measured, request["seed"], looked_at["reached"]))
        seconds.append([measured["seconds_per_draw"]])
    peers = {name: [_peer(case, plan, name, plan.seed + i) for i in range(plan.peer_seeds)] for name in plan.peers}
    if peers:
        for index, request in enumerate(requests):
            again = in_child("ours", request | {"draws": plan.draws})["seconds_per_draw"]
            seconds[index].append(again)
            ours[index] = replace(ours[index], seconds_per_draw=float(np.mean(seconds[index])))
    return Comparison(case, plan, ours, peers, seconds, replayed)


def _peer(case: Case, plan: Plan, name: str, seed: int) -> Chain:
    request = {"peer": name, "case": case.as_dict(), "budget": plan.budget, "seed": seed}
    request["precision"] = plan.peer_precision
    length = {"warmup": plan.peer_warmup, "draws": plan.peer_draws * PEERS[name].times}
    environment = ONE_THREAD | {"JAX_ENABLE_X64": str(int(plan.peer_precision == "float64"))}
    measured = in_child("peer", request | length, environment)
    return chain_of(measured, seed, measured["seen"])


def _none(words: str) -> Verdict:
    return Verdict(None, None, None, None, words)
