"""The `Experiment`: what an experiment file says, checked, and how it becomes a posterior."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from nonlazy.errors import InvalidInput
from nonlazy.experiments._parse import parse, tables
from nonlazy.experiments._sampling import sampling_arguments
from nonlazy.experiments._schema import Description, NetworkSection, PosteriorSection, SamplingSection, TaskSection
from nonlazy.experiments._tasks import build_task
from nonlazy.network import Network
from nonlazy.posterior import Posterior
from nonlazy.tasks import Task


@dataclass(frozen=True)
class Experiment:
    """A task, a network, a posterior and how to sample it, with a name: one TOML file.

    Made by `nonlazy.experiments.load`. The fields are the sections of the file, each a frozen record whose attributes
    are the keys.

    **Fields:** `about` (`[experiment]`: name, title, reference, description), `task`, `network`, `posterior`,
    `sampling`, and `quick_changes`, the `[quick]` table as a mapping of sections to the keys that differ.
    """

    about: Description
    task: TaskSection
    network: NetworkSection
    posterior: PosteriorSection
    sampling: SamplingSection
    quick_changes: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The experiment's name, which also names its folder of results."""
        return self.about.name

    def build_task(self) -> Task:
        """The `Task`: this is where data are read or downloaded.

        **Raises:** `nonlazy.errors.InvalidInput`, `nonlazy.errors.DataError`.
        """
        return build_task(self.task)

    def build(self) -> Posterior:
        """The `Posterior` that the experiment samples, its task included.

        **Raises:** `nonlazy.errors.InvalidInput`, `nonlazy.errors.DataError`.
        """
        variances = self.posterior.weight_variance
        network = Network(
            width=self.network.width,
            depth=self.network.depth,
            activation=self.network.activation,
            readout="lazy" if self.network.readout == "lazy" else "non-lazy",
        )
        return Posterior(
            network,
            self.build_task(),
            temperature=self.posterior.temperature,
            readout_variance=self.posterior.readout_variance,
            weight_variance=variances[0] if len(variances) == 1 else variances,
        )

    def sampling_arguments(self) -> dict[str, Any]:
        """The keyword arguments of `nonlazy.sample`; what the file leaves open is left to its defaults."""
        return sampling_arguments(self.sampling)

    def changed(self, changes: Mapping[str, Mapping[str, Any]]) -> "Experiment":
        """The experiment with some keys of some sections changed, checked as a file is.

        **Arguments:** `changes`: for each section, the keys and their new values, as `{"sampling": {"draws": 50}}`.

        **Raises:** `nonlazy.errors.InvalidInput`.
        """
        merged = self.to_tables()
        quick_changes = merged.pop("quick", {})
        for section, keys in changes.items():
            merged[section] = {**merged.get(section, {}), **keys}
        sections = parse(merged, where=f"experiment {self.name!r}")
        return replace(self, **{**sections, "quick_changes": quick_changes})

    def quick(self) -> "Experiment":
        """The smaller size that the `[quick]` table describes, with "-quick" added to the name.

        **Raises:** `nonlazy.errors.InvalidInput` where the experiment has no such table.
        """
        if not self.quick_changes:
            raise InvalidInput(
                f"experiment {self.name!r} has no [quick] table: run it at full size, or add a table such as "
                "[quick.network] width = 100"
            )
        title = f"{self.about.title or self.name} (quick: a smaller size than the full experiment)"
        changed = self.changed(self.quick_changes)
        about = changed.about.model_copy(update={"name": f"{self.name}-quick", "title": title})
        return replace(changed, about=about, quick_changes={})

    def to_tables(self) -> dict[str, dict[str, Any]]:
        """The file's tables as plain dictionaries, defaults included, keys without a value left out."""
        sections = {
            "experiment": self.about,
            "task": self.task,
            "network": self.network,
            "posterior": self.posterior,
            "sampling": self.sampling,
        }
        return tables(sections, self.quick_changes)

    def to_toml(self) -> str:
        """The experiment as the text of a TOML file that `nonlazy.experiments.load` reads back to the same thing."""
        import tomli_w

        return tomli_w.dumps(self.to_tables())
