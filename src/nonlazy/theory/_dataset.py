"""A prediction's numbers as a labelled dataset."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any


if TYPE_CHECKING:
    import xarray

    from nonlazy.theory._codes import Codes
    from nonlazy.theory._prediction import Prediction


def labelled_dataset(
    prediction: "Prediction", variables: Mapping[str, tuple[tuple[str, ...], Any]]
) -> "xarray.Dataset":
    """`variables` as `{name: (dims, values)}`, with what every prediction has as scalars and attributes.

    The dims `output`, `output_2` and `class` get the task's coordinates.
    """
    import xarray

    posterior = prediction.posterior
    task = posterior.task
    sizes = {dim: size for dims, values in variables.values() for dim, size in zip(dims, values.shape, strict=True)}
    coordinates: dict[str, Any] = {dim: range(task.m) for dim in ("output", "output_2") if dim in sizes}
    if "class" in sizes:
        coordinates["class"] = list(task.class_names)
    scalars = {name: ((), getattr(prediction, name)) for name in ("free_energy", "residual", "gap")}
    attributes = {
        "theory": type(prediction).__name__,
        "posterior": str(posterior),
        "ensemble": prediction.ensemble,
        "certified": int(prediction.certified),
        "certificate": prediction.certificate,
    }
    return xarray.Dataset({**scalars, **variables}, coords=coordinates, attrs=attributes)


def dataset_of_codes(
    prediction: "Prediction", codes: "Codes", dual_field: Any, variables: Mapping[str, tuple[tuple[str, ...], Any]]
) -> "xarray.Dataset":
    """Codes, field and further `variables` as `{name: (dims, values)}`, labelled by the codes' names."""
    of_codes = {
        "readout": (("code", "output"), codes.readout),
        "fraction": (("code",), codes.fraction),
        "activation": (("code", "class"), codes.activation),
        "active": (("code", "class"), codes.active),
        "dual_field": (("input", "output"), dual_field),
    }
    return labelled_dataset(prediction, {**of_codes, **variables}).assign_coords(code=list(codes.names))
