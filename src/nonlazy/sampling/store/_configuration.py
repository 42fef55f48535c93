"""What makes two runs the same experiment, and in what they differ where they are not."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from nonlazy.activations import BUILTIN, Activation
from nonlazy.errors import InvalidInput
from nonlazy.posterior import Posterior
from nonlazy.tasks import Task


_ABSENT = object()


def full_configuration(posterior: Posterior, configuration: Mapping[str, Any]) -> dict[str, Any]:
    """`configuration` as it comes back from JSON, with the posterior and a fingerprint of its data under "posterior".

    **Raises:** `nonlazy.errors.InvalidInput` where something does not fit in JSON, or "posterior" is taken.
    """
    if "posterior" in configuration:
        raise InvalidInput("configuration has a key 'posterior': nonlazy puts the posterior there itself")
    try:
        text = json.dumps({"posterior": describe(posterior), **configuration})
    except TypeError as error:
        raise InvalidInput(f"the configuration of a run must fit in JSON: {error}") from None
    return json.loads(text)


def describe(posterior: Posterior) -> dict[str, Any]:
    """The posterior in plain values: network, temperature, variances, and its task's sizes and fingerprints.

    The names of the task and of its classes are left out: other words for the same numbers are the same experiment.
    A user's own activation is known by its name and its values at a few points.
    """
    network, task = posterior.network, posterior.task
    return {
        "network": {
            "width": int(network.width),
            "depth": int(network.depth),
            "activation": network.phi.name,
            "custom_activation": BUILTIN.get(network.phi.name) is not network.phi,
            "activation_values": activation_values(network.phi),
            "readout": network.readout,
        },
        "task": {
            "P": task.P,
            "N0": task.N0,
            "m": task.m,
            "P_test": 0 if task.X_test is None else task.X_test.shape[0],
            "sha256_of_data": data_fingerprint(task),
        },
        "temperature": posterior.temperature,
        "readout_variance": posterior.sigma_a2,
        "weight_variance": list(posterior.sigma2),
    }


def activation_values(phi: Activation) -> list[str] | None:
    """What tells a user's own activation from another of the same name; None for nonlazy's own."""
    if BUILTIN.get(phi.name) is phi:
        return None
    values = np.asarray(phi(np.linspace(-6.0, 6.0, 13)), dtype=np.float64)
    # Four digits: the same function differs in the last bits from one machine to another.
    return [f"{value:.4g}" for value in values]


def fingerprint(configuration: Mapping[str, Any]) -> str:
    """SHA-256 of a configuration, whatever the order of its keys."""
    return hashlib.sha256(json.dumps(configuration, sort_keys=True).encode()).hexdigest()


def differences(stored: Mapping[str, Any], wanted: Mapping[str, Any]) -> list[str]:
    """The keys in which two configurations differ, each with both values, as sentences."""
    there, here = dict(_flatten(stored)), dict(_flatten(wanted))
    keys = list(here) + [key for key in there if key not in here]
    return [
        f"{key} is {_show(there.get(key, _ABSENT))} there and {_show(here.get(key, _ABSENT))} here"
        for key in keys
        if there.get(key, _ABSENT) != here.get(key, _ABSENT)
    ]


def _flatten(configuration: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in configuration.items():
        if isinstance(value, Mapping) and value:
            yield from _flatten(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _show(value: Any) -> str:
    if value is _ABSENT:
        return "not set"
    text = json.dumps(value)
    return text if len(text) <= 60 else f"{text[:24]}...{text[-24:]}"


def data_fingerprint(task: Task) -> str:
    """SHA-256 of the task's inputs, targets and labels."""
    digest = hashlib.sha256()
    for array in (task.X, task.Y, task.labels, task.X_test, task.Y_test, task.labels_test):
        if array is None:
            digest.update(b"none")
            continue
        # Labels of any integer type are the same labels.
        plain = np.ascontiguousarray(array, dtype=np.int64 if array.dtype.kind in "iu" else np.float64)
        digest.update(str(plain.shape).encode())
        digest.update(plain.data)
    return digest.hexdigest()
