"""The class-level problem: what is left of a deep posterior whose training inputs are orthogonal and equally long."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from nonlazy.errors import InvalidInput
from nonlazy.posterior import Posterior
from nonlazy.theory.deep._class_kernel import ClassKernel


_MOST_CLASSES = 4
_OVERLAP = 1e-7
_INSTEAD = "sample this network instead, with nonlazy.sample"


@dataclass(frozen=True, eq=False)
class ClassProblem:
    """A sigmoidal network on classes of exchangeable inputs, in the network's own units.

    **Fields:**

    - `counts`: P_c, training inputs of each class, `(C,)`. `targets`: y_c `(C, m)`.
    - `temperature`: T. `readout_variance`: sigma_a^2.
    - `first_variance`: sigma_1^2 |x|^2 / N0, prior variance of a first-layer preactivation.
    - `weight_variances`: sigma_l^2 of the layers 2 .. L.
    - `classes`: the task's numbers of the classes that have training inputs, `(C,)`.
    - `input_covariance`: covariance of the first layer's preactivations at class level; None: `first_variance` times
      the identity. It serves continuation from one depth to the next.
    """

    counts: Float[np.ndarray, " C"]
    targets: Float[np.ndarray, "C m"]
    temperature: float
    readout_variance: float
    first_variance: float
    weight_variances: tuple[float, ...]
    classes: tuple[int, ...]
    input_covariance: ClassKernel | None = None

    @property
    def C(self) -> int:
        """Number of classes with training inputs."""
        return len(self.counts)

    @property
    def m(self) -> int:
        """Number of outputs."""
        return self.targets.shape[1]

    @property
    def P(self) -> float:
        """Number of training inputs."""
        return float(self.counts.sum())

    @property
    def depth(self) -> int:
        """Number of hidden layers L."""
        return len(self.weight_variances) + 1


def class_problem(posterior: Posterior) -> ClassProblem:
    """The class-level problem of a posterior.

    **Raises:** `nonlazy.errors.InvalidInput` for any posterior that the deep theory does not cover, with the reason.
    """
    network = posterior.network
    if network.phi.name != "sigmoid":
        raise InvalidInput(
            f"activation {network.phi.name!r} with L = {network.depth} hidden layers: the deep theory covers "
            f"'sigmoid' (and 'linear', in closed form) only; {_INSTEAD}"
        )
    if network.readout != "non-lazy":
        raise InvalidInput(
            "readout is 'lazy': the theory of deep sigmoidal networks is that of the non-lazy readout; "
            "nonlazy.theory.gaussian_process has the lazy one's limit of large N"
        )
    if posterior.temperature <= 0:
        raise InvalidInput(
            "temperature is 0: the deep theory needs T > 0 (1e-3 is a good start); "
            "nonlazy.theory.deep.deep_limit has the codes at T = 0 for large P"
        )
    return _classes_of(posterior)


def limit_problem(posterior: Posterior) -> ClassProblem:
    """As `class_problem`, for the limit of large P, which exists at T = 0, too."""
    if posterior.temperature > 0:
        return class_problem(posterior)
    return class_problem(
        Posterior(posterior.network, posterior.task, 1.0, posterior.readout_variance, posterior.weight_variance)
    )


def _classes_of(posterior: Posterior) -> ClassProblem:
    task = posterior.task
    kernel = task.input_kernel
    scale = float(np.mean(np.diag(kernel)))
    off = float(np.abs(kernel - scale * np.eye(task.P)).max()) / scale if scale > 0 else np.inf
    if off > _OVERLAP:
        raise InvalidInput(
            f"the training inputs are not orthogonal and equally long (K_0 differs from a multiple of the identity by "
            f"{off:.2g} of its diagonal): for deep sigmoidal networks there is a theory on orthogonal inputs only "
            f"(nonlazy.tasks.toy); {_INSTEAD}, or solve one hidden layer (depth=1)"
        )
    classes = np.unique(task.labels)
    if len(classes) > _MOST_CLASSES or task.m > _MOST_CLASSES:
        raise InvalidInput(
            f"{len(classes)} classes and m = {task.m} outputs: the deep theory integrates over two fields a class and "
            f"covers up to {_MOST_CLASSES} of each; {_INSTEAD}, or solve one hidden layer (depth=1)"
        )
    members = [task.labels == c for c in classes]
    targets = np.array([task.Y[inputs].mean(axis=0) for inputs in members])
    spread = max(float(np.abs(task.Y[inputs] - y).max()) for inputs, y in zip(members, targets, strict=True))
    if spread > 1e-9 * max(1.0, float(np.abs(task.Y).max())):
        raise InvalidInput(
            f"targets differ by {spread:.2g} within a class: the deep theory needs one target vector a class; "
            "give inputs with equal targets the same label"
        )
    return ClassProblem(
        counts=np.array([float(inputs.sum()) for inputs in members]),
        targets=targets,
        temperature=posterior.temperature,
        readout_variance=posterior.sigma_a2,
        first_variance=posterior.sigma2[0] * scale,
        weight_variances=posterior.sigma2[1:],
        classes=tuple(int(c) for c in classes),
    )
