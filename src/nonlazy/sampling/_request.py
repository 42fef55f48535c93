"""What `sample` is asked for, checked before any work."""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from nonlazy.errors import InvalidInput
from nonlazy.posterior import Posterior
from nonlazy.sampling._coordinates import orthogonal
from nonlazy.sampling._devices import check_moves
from nonlazy.sampling._samplers import GradientDescent, Moves, Sampler, resolve_moves, resolve_sampler
from nonlazy.sampling._schedule import default_warmup, warmup_phases
from nonlazy.sampling._starts import Start, resolve_start


ChainMethod = Literal["processes", "batched", "sequential"]
Whole = int | np.integer
_PRECISIONS = ("float32", "float64")
# In single precision: at N = P = 500 rounding changes the chance of acceptance by 0.17 there.
_COLDEST = 1e-5
# Beyond these somebody has mistyped a number: the draws' places alone would fill the memory, and every chain is a
# process or a row of every array.
_MOST = {"draws": 10**7, "warmup": 10**7, "thin": 10**7, "chains": 1024}
_INSTEAD = {
    "draws": "keep fewer draws, further apart (thin)",
    "warmup": "choose a shorter warm-up",
    "thin": "keep draws that are closer together",
    "chains": "take fewer chains with more draws each",
}


@dataclass(frozen=True)
class Request:
    """What `nonlazy.sample` is asked for, with its defaults.

    **Fields:** as its arguments; `chain_method` is None where the machine decides it.
    """

    draws: int
    chains: int
    thin: int
    seed: int
    warmup: int
    sampler: Sampler
    moves: Moves | None
    start: Start
    chain_method: ChainMethod | None


def check_request(
    posterior: Posterior,
    draws: Whole,
    chains: Whole = 1,
    seed: Whole = 0,
    start: Start | str = "prior",
    moves: Moves | str | None = None,
    *,
    sampler: Sampler | str | None = None,
    warmup: Whole | None = None,
    thin: Whole = 1,
    precision: Literal["float32", "float64"] = "float32",
    chain_method: ChainMethod | None = None,
    devices: int = 1,
    checkpoint_seconds: float = 5.0,
) -> Request:
    """Checks what `nonlazy.sample` may be asked for: nothing is written, nothing sampled, no device looked for.

    **Arguments:** as those of `nonlazy.sample` that have to do with the draws; `devices` is their number.

    **Returns:** the request with its defaults.

    **Raises:** `nonlazy.errors.InvalidInput` for what `nonlazy.sample` refuses.
    """
    numbers = (
        ("draws", draws, 1),
        ("chains", chains, 1),
        ("thin", thin, 1),
        ("seed", seed, 0),
        ("devices", devices, 1),
    )
    for name, value, least in numbers:
        _whole(name, value, least)
    if seed >= 2**31:
        raise InvalidInput(f"seed is {seed}: it must be below 2^31")
    if precision not in _PRECISIONS:
        raise InvalidInput(f"precision is {precision!r}: choose one of {', '.join(_PRECISIONS)}")
    if not isinstance(checkpoint_seconds, int | float | np.number) or not checkpoint_seconds >= 0:
        raise InvalidInput(f"checkpoint_seconds is {checkpoint_seconds!r}: it must be 0 or more")
    sampler = resolve_sampler(sampler, posterior)
    if precision == "float32" and not isinstance(sampler, GradientDescent) and posterior.temperature < _COLDEST:
        raise InvalidInput(
            f"the temperature is {posterior.temperature:g}: below {_COLDEST:g} single precision cannot tell the "
            'energies of neighbouring states apart; ask for precision="float64" (in files below [sampling])'
        )
    start = resolve_start(start, posterior)
    asked, moves = moves, resolve_moves(moves, posterior, sampler, orthogonal(posterior.task))
    check_moves(devices, asked, moves)
    warmup = default_warmup(posterior, sampler, moves) if warmup is None else warmup
    _whole("warmup", warmup, 0)
    # The phases of the warm-up refuse starts that do not fit the temperature, the targets or the sampler.
    warmup_phases(posterior, sampler, moves, start, int(warmup))
    method = _chain_method(chain_method, devices)
    return Request(int(draws), int(chains), int(thin), int(seed), int(warmup), sampler, moves, start, method)


def _whole(name: str, value: Any, least: int) -> None:
    if not isinstance(value, int | np.integer) or isinstance(value, bool) or value < least:
        raise InvalidInput(f"{name} is {value!r}: it must be a whole number, {least} or more")
    if value > _MOST.get(name, value):
        raise InvalidInput(f"{name} is {value}: it can be at most {_MOST[name]}; {_INSTEAD[name]}")


def _chain_method(wanted: ChainMethod | None, devices: int) -> ChainMethod | None:
    if devices > 1:
        if wanted not in (None, "sequential"):
            raise InvalidInput(
                f"chain_method is {wanted!r}, and devices is {devices}: chains over many devices run one after "
                "another, chain_method='sequential'"
            )
        return "sequential"
    if wanted not in (None, "processes", "batched", "sequential"):
        raise InvalidInput(f"chain_method is {wanted!r}: choose 'processes', 'batched' or 'sequential'")
    return wanted
