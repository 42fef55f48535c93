"""Runs of seconds on digits and on the toy task, which the tests of several figures read."""

import functools

import nonlazy as nl
from nonlazy.experiments import Experiment, load
from nonlazy.sampling import Run


_SAMPLING = {"draws": 10, "warmup": 30, "thin": 1, "chain_method": "sequential", "moves": "none"}


def tiny_digits() -> Experiment:
    """24 digits projected to 20 numbers, one hidden layer of 30 sigmoidal neurons."""
    return load("figure6-sigmoid").changed(
        {
            "task": {"P": 24, "P_test": 60, "project_to": 20},
            "network": {"width": 30},
            "posterior": {"temperature": 1e-2},
            "sampling": _SAMPLING,
        }
    )


@functools.cache
def run(name: str) -> Run:
    """One of `"digits"`, `"lazy"` (the same, a lazy network), `"deep"` (two layers), `"relu"` (two layers, toy)."""
    experiment = {
        "digits": tiny_digits,
        "lazy": lambda: tiny_digits().changed({"network": {"readout": "lazy"}}),
        "deep": lambda: tiny_digits().changed({"network": {"depth": 2}}),
        "relu": lambda: load("figure5-relu").changed(
            {"task": {"P": 20, "N0": 22}, "network": {"width": 24}, "sampling": _SAMPLING}
        ),
    }[name]()
    return nl.sample(experiment.build(), progress=False, **experiment.sampling_arguments())


def claim_keys(figure: str, full_size: bool = True) -> set[str]:
    """Keys of the criteria that a figure measures; `full_size`: with those that only the paper's size decides."""
    from nonlazy.figures.claims import claims_of

    return {c.key for claim in claims_of(figure) for c in claim.criteria if full_size or not c.full_size}
