"""The `[sampling]` section as the arguments of `nonlazy.sample`."""

from typing import Any

from nonlazy.experiments._schema import CHOICES, SamplingSection, Section


_CLASSES = {
    "prior": "Prior",
    "annealed": "Annealed",
    "continuation": "Continuation",
    "planted": "Planted",
    "outliers": "Outliers",
    "hmc": "HMC",
    "langevin": "Langevin",
    "gradient-descent": "GradientDescent",
    "rotations": "Rotations",
    "jump": "Jumps",
}


def sampling_arguments(section: SamplingSection) -> dict[str, Any]:
    """The keyword arguments that the section sets; those it leaves open are left out."""
    arguments = {}
    for key in SamplingSection.model_fields:
        value = getattr(section, key)
        if value is not None and key != "snapshots":
            arguments[key] = _choice(value) if key in CHOICES else value
    if section.snapshots is not None:
        # Imported here, because it brings JAX with it.
        from nonlazy.sampling import Record

        arguments["record"] = Record(snapshots=section.snapshots)
    return arguments


def _choice(section: Section) -> Any:
    settings = section.model_dump(exclude_none=True)
    kind = settings.pop("kind")
    if kind == "none":
        return "none"
    # Imported here, because it brings JAX with it.
    from nonlazy import sampling

    return getattr(sampling, _CLASSES[kind])(**settings)
