"""Ours and the peers on one posterior, side by side."""

import itertools
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from _sampling.cases import Case
from _sampling.chains import Chain, chain_of, geometric_mean
from _sampling.children import ONE_THREAD, in_child
from _sampling.peers import PEERS
from _sampling.weight_space import QUANTITIES


# In errors, which are themselves known from a few chains: a bias that is found is there, one that is not may be.
DISAGREE = 4.0
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
        own means, and how far these are apart is seen from our chains, if there are several.
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

    def verdict(self, name: str) -> Verdict:
        """Ours over a peer."""
        chains = self.peers[name]
        if not all(chain.reached for chain in self.ours):
            return _none("nonlazy: not reached")
        if not all(chain.reached for chain in chains):
            seconds = max(chain.seconds for chain in chains)
            gradients = max(chain.gradients for chain in chains)
            return _none(f"not reached in {seconds:.0f} s, {gradients:,} gradients")
        if any(chain.ess is None for chain in chains):
            return _none(f"{min(chain.draws for chain in chains)} draws in {max(c.seconds for c in chains):.0f} s")
        apart = self.apart(name)
        if not PEERS[name].exact and apart is not None and not apart <= DISAGREE:
            return _none(f"biased: {apart:.0f} errors")
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
        verdicts = {name: vars(self.verdict(name)) | {"apart": self.apart(name)} for name in self.peers}
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
