"""The public door: activations and labels in, coding scheme out."""

from typing import Any

import numpy as np
from jaxtyping import Float, Int

from nonlazy.codes._arrays import as_classes
from nonlazy.codes._coding_scheme import CodingScheme
from nonlazy.codes._fractions import effective_number, proportion_intervals
from nonlazy.codes._geometry import alignment, kernel_share, neural_collapse
from nonlazy.codes._neurons import neuron_codes
from nonlazy.codes._scheme import decide
from nonlazy.codes._signal import class_signal
from nonlazy.codes._source import Layer, as_layer
from nonlazy.errors import InvalidInput


_ACTIVATIONS = ("sigmoid", "relu", "linear")


def detect(
    activations: Any,
    labels: Any,
    activation: str | None = None,
    threshold: float | None = None,
    reference: Any = None,
    readouts: Any = None,
) -> CodingScheme:
    """The coding scheme of a layer: which classes activate each neuron, and what the neurons make of it together.

    A neuron's code is the set of classes that activate it. The layer is *sparse* if few neurons carry the class signal,
    *redundant* if the class means of its neurons take two levels, *analog* if they are graded, and has no scheme
    (*none*) if its class means do not differ, differ less than five per cent of the variance within classes, or differ
    hardly more than in an untrained network. The definitions are those of van Meegen & Sompolinsky (2025); the tests
    and their thresholds are nonlazy's own (`nonlazy.codes._scheme`) and stand, with the numbers that decided, in the
    result's `rule`. The basis of neuron space matters: a rotation leaves the kernel and hides the codes.

    **Arguments:**

    - `activations`: `(neurons, inputs)`, finite numbers: a NumPy, JAX, PyTorch, xarray, Zarr, h5py or dask array, a
      data frame or nested lists. Arrays on disk are read a few neurons at a time and may be larger than memory.
    - `labels`: class of each input, `(inputs,)`, integers or strings.
    - `activation`: where a class begins to count. `"sigmoid"`: above 1/2. `"relu"`: above half the neuron's largest
      class mean, for the neurons with a class signal; the bulk has no code. `"linear"` or None: between the two modes
      of all class means (in a sparse layer, between each neuron's lowest and highest). It never changes the kind.
    - `threshold`: takes the place of that rule, in units of the activations.
    - `reference`: an untrained network's activations on the same inputs, `(any number of neurons, inputs)`. Without it,
      inputs that are grouped by class make even an untrained layer look analog.
    - `readouts`: a_i^r, `(neurons, classes)` in sorted order of the labels, or `(neurons, 1)` for two classes (the
      larger label at positive outputs): for NC3 and NC4 only.

    **Returns:** a `CodingScheme`. Constant neurons are excluded and listed in its `without_code`.

    **Raises:** `nonlazy.errors.InvalidInput` for arrays that do not fit, values that are not finite, a single class,
    an unknown `activation`, or a `threshold` above or below all class means.
    """
    if activation is not None and activation not in _ACTIVATIONS:
        raise InvalidInput(f"activation {activation!r} is not known: choose one of {', '.join(_ACTIVATIONS)}, or None")
    if threshold is not None and not np.isfinite(threshold):
        raise InvalidInput(f"threshold is {threshold}: give a finite number in units of the activations, or None")
    layer = as_layer(activations)
    names, classes = as_classes(labels, layer.inputs)
    signal = class_signal(layer, classes)
    if threshold is not None:
        _check_threshold(threshold, signal.means)
    untrained = None
    if reference is not None:
        other = as_layer(reference, "reference activations")
        if other.inputs != layer.inputs:
            raise InvalidInput(
                f"reference has {other.inputs} inputs, activations {layer.inputs}: both must be of the same inputs"
            )
        untrained = class_signal(other, classes)
    weights = None if readouts is None else _readouts(readouts, layer.neurons, len(names))
    decision = decide(signal, untrained)
    chosen = neuron_codes(signal, decision, activation, threshold)
    # Descending, so that codes with the first class come first, whatever their numbers.
    codes, index = np.unique(~chosen.active[chosen.coded], axis=0, return_inverse=True)
    codes = ~codes
    of_neuron = np.full(layer.neurons, -1)
    of_neuron[chosen.coded] = index.ravel()
    counts = np.bincount(index.ravel(), minlength=len(codes))
    means = np.array([signal.means[of_neuron == i].mean(axis=0) for i in range(len(codes))]).reshape(codes.shape)
    evidence = decision.evidence if chosen.threshold is None else {**decision.evidence, "threshold": chosen.threshold}
    return CodingScheme(
        kind=decision.kind,
        codes=codes,
        fractions=counts / layer.neurons,
        neuron_codes=of_neuron,
        confidence=decision.confidence,
        class_means=signal.means,
        rule=f"Kind: {decision.reason}\nCodes: {chosen.rule}.",
        activations=means,
        counts=counts,
        without_code=chosen.without,
        classes=names,
        signal=signal.signal,
        mean_squares=signal.mean_squares,
        evidence=evidence,
        fraction_intervals=proportion_intervals(counts, layer.neurons),
        code_confidences=chosen.confidence,
        effective_codes=effective_number(counts),
        kernel_share=kernel_share(signal, of_neuron, len(codes)),
        alignment=alignment(signal),
        collapse=neural_collapse(signal, weights, None if weights is None else _decisions(layer, weights)),
    )


def _check_threshold(threshold: float, means: Float[np.ndarray, "neurons classes"]) -> None:
    lowest, highest = float(means.min()), float(means.max())
    if not lowest <= threshold < highest:
        raise InvalidInput(
            f"threshold is {threshold:g}, and the mean activations by class lie from {lowest:.4g} to {highest:.4g}: "
            "choose a value between them, or None for the rule of the activation"
        )


def _readouts(readouts: Any, neurons: int, classes: int) -> Float[np.ndarray, "neurons classes"]:
    table = as_layer(readouts, "readouts")
    if table.neurons != neurons or (table.inputs != classes and (table.inputs, classes) != (1, 2)):
        raise InvalidInput(
            f"readouts have shape {(table.neurons, table.inputs)}: {neurons} neurons and {classes} classes need "
            f"({neurons}, {classes})" + (f" or ({neurons}, 1)" if classes == 2 else "")
        )
    weights = table.read(0, neurons)
    return np.concatenate([-weights, weights], axis=1) if weights.shape[1] < classes else weights


def _decisions(layer: Layer, weights: Float[np.ndarray, "neurons classes"]) -> Int[np.ndarray, " inputs"]:
    outputs = np.zeros((weights.shape[1], layer.inputs))
    for rows, values in layer.chunks():
        outputs += weights[rows].T @ values
    return np.argmax(outputs, axis=0)
