"""A prediction's numbers as a labelled dataset."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any


if TYPE_CHECKING:
    import xarray

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
