"""The `[task]` section as a call of the builder in `nonlazy.tasks` that it names."""

from typing import Any

from nonlazy import tasks
from nonlazy.experiments._schema import (
    Cifar10Task,
    ImageFolderTask,
    MnistTask,
    NpzTask,
    TaskSection,
    ToyTask,
)
from nonlazy.tasks import Task


def build_task(section: TaskSection) -> Task:
    """The `Task` that a `[task]` section describes, projected to `project_to` dimensions where it says so."""
    given = section.model_dump(exclude={"kind", "project_to"}, exclude_none=True)
    arguments = {key: None if value == "all" else value for key, value in given.items()}
    task = _build(section, arguments)
    if section.project_to is None:
        return task
    return tasks.random_projection(task, section.project_to, seed=section.seed)


def _build(section: TaskSection, arguments: dict[str, Any]) -> Task:
    match section:
        case ToyTask():
            return tasks.toy(**arguments)
        case MnistTask():
            return tasks.mnist(**arguments)
        case Cifar10Task():
            return tasks.cifar10(**arguments)
        case ImageFolderTask():
            if section.size is not None:
                arguments["size"] = section.size[0] if len(section.size) == 1 else section.size
            return tasks.image_folder(**arguments)
        case NpzTask():
            return tasks.from_npz(section.path, y_plus=section.y_plus, y_minus=section.y_minus)
