"""Peak memory of a chain's process."""

import resource
import sys
from typing import Any

import nonlazy as nl
from _sampling.cases import Case


def measure(case: dict[str, Any], draws: int, launched: float) -> dict[str, Any]:
    """Peak resident memory, in MB, of the process that makes `draws` draws of one chain."""
    nl.sample(Case(**case).posterior(), draws, chains=1, chain_method="processes", progress=False)
    unit = 1 if sys.platform == "darwin" else 1024
    chain, caller = (
        resource.getrusage(who).ru_maxrss * unit / 1e6 for who in (resource.RUSAGE_CHILDREN, resource.RUSAGE_SELF)
    )
    if chain <= caller:
        # A process that was just begun counts the memory of the one that began it.
        raise SystemExit("the chain's process needs less memory than its caller: its peak cannot be told")
    return {"draws": draws, "chain_MB": chain, "caller_MB": caller}
