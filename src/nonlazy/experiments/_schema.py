"""The sections of an experiment file: which keys there are and which values they take."""

from collections.abc import Callable
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, Strict
from pydantic_core import PydanticCustomError

from nonlazy.activations import BUILTIN


def _one_of(choices: tuple[str, ...]) -> Callable[[str], str]:
    def check(value: str) -> str:
        if value not in choices:
            raise PydanticCustomError("choice", "not among the choices", {"choices": choices})
        return value

    return check


def _as_list(value: Any) -> Any:
    return value if isinstance(value, list | tuple) else [value]


def _count_or_all(least: int) -> Callable[[Any], int | str]:
    def check(value: Any) -> int | str:
        if value == "all" or (isinstance(value, int) and not isinstance(value, bool) and value >= least):
            return value
        requirement = f'it must be a whole number, {least} or more, or "all"'
        raise PydanticCustomError("requirement", "neither a count nor all", {"requirement": requirement})

    return check


Text = Annotated[str, Strict()]
Flag = Annotated[bool, Strict()]
Number = Annotated[float, Strict(), Field(allow_inf_nan=False)]
Positive = Annotated[float, Strict(), Field(gt=0, allow_inf_nan=False)]
NotNegative = Annotated[float, Strict(), Field(ge=0, allow_inf_nan=False)]
Count = Annotated[int, Strict(), Field(ge=1)]
CountOrAll = Annotated[int | str, BeforeValidator(_count_or_all(1))]
TestCount = Annotated[int | str, BeforeValidator(_count_or_all(0))]
Seed = Annotated[int, Strict(), Field(ge=0)]
ChainMethod = Annotated[str, Strict(), AfterValidator(_one_of(("processes", "batched", "sequential")))]
Classes = Annotated[tuple[Annotated[int, Strict()] | Annotated[str, Strict()], ...], Field(min_length=2)]


class Section(BaseModel):
    """One table of the file: immutable, and no key beyond those listed."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Description(Section):
    """`[experiment]`: what the experiment is, for people."""

    name: Annotated[str, Strict(), Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", description="a short name")]
    title: Text = ""
    reference: Text = ""
    description: Text = ""


class _AnyTask(Section):
    y_plus: Number = 1.0
    y_minus: Number = 0.0
    seed: Seed = 0
    project_to: Count | None = None


class _ImageTask(_AnyTask):
    P: Annotated[CountOrAll, Field(description='the number of training inputs, or "all"')]
    P_test: TestCount = 1000
    y_minus: Number = -0.5
    preprocess: Annotated[str, Strict(), AfterValidator(_one_of(("standardize", "raw", "unit-norm", "centre")))] = (
        "standardize"
    )


class ToyTask(_AnyTask):
    """Mutually orthogonal inputs (`nonlazy.tasks.toy`)."""

    kind: Literal["toy"]
    P: Annotated[Count, Field(description="the number of training inputs")]
    N0: Annotated[Count, Field(description="how many numbers one input has, P or more")]
    class_ratios: Annotated[tuple[Positive, ...], Field(min_length=2)] | None = None
    random_labels: Flag = False
    targets: Annotated[str, Strict(), AfterValidator(_one_of(("one-hot", "binary")))] = "one-hot"


class MnistTask(_ImageTask):
    """Handwritten digits (`nonlazy.tasks.mnist`)."""

    kind: Literal["mnist"]
    classes: Classes = (0, 1, 2)
    source: Annotated[str, Strict(), AfterValidator(_one_of(("auto", "embedded", "folder", "download")))] = "auto"


class Cifar10Task(_ImageTask):
    """Small photographs (`nonlazy.tasks.cifar10`)."""

    kind: Literal["cifar10"]
    classes: Classes | None = None
    y_minus: Number = -0.1
    source: Annotated[str, Strict(), AfterValidator(_one_of(("auto", "folder", "download")))] = "auto"


class ImageFolderTask(_ImageTask):
    """Images of one's own, a folder a class (`nonlazy.tasks.image_folder`)."""

    kind: Literal["image_folder"]
    path: Annotated[str, Strict(), Field(min_length=1, description="the folder or archive, relative to this file")]
    classes: Classes | None = None
    P: CountOrAll = "all"
    P_test: TestCount = "all"
    size: Annotated[tuple[Count, ...], BeforeValidator(_as_list), Field(min_length=1, max_length=2)] | None = None
    grey: Flag = False
    y_minus: Number = 0.0


class NpzTask(_AnyTask):
    """Arrays of one's own, X, Y, labels and optionally a test set (`nonlazy.tasks.from_npz`)."""

    kind: Literal["npz"]
    path: Annotated[str, Strict(), Field(min_length=1, description="the .npz file, relative to this file")]


TaskSection = ToyTask | MnistTask | Cifar10Task | ImageFolderTask | NpzTask
TASKS: dict[str, type[TaskSection]] = {
    "toy": ToyTask,
    "mnist": MnistTask,
    "cifar10": Cifar10Task,
    "image_folder": ImageFolderTask,
    "npz": NpzTask,
}


class NetworkSection(Section):
    """`[network]`: the arguments of `nonlazy.Network`."""

    width: Annotated[Count, Field(description="the number N of neurons in a hidden layer")]
    depth: Count = 1
    activation: Annotated[str, Strict(), AfterValidator(_one_of(tuple(BUILTIN)))] = "sigmoid"
    readout: Annotated[str, Strict(), AfterValidator(_one_of(("non-lazy", "lazy")))] = "non-lazy"


class PosteriorSection(Section):
    """`[posterior]`: the arguments of `nonlazy.Posterior`; a variance left out takes the paper's scaling."""

    # 0 is for gradient descent, which has no noise; `nonlazy.sample` refuses it elsewhere.
    temperature: Annotated[NotNegative, Field(description="the rescaled temperature T; 1e-3 is a good start")]
    readout_variance: Positive | None = None
    weight_variance: Annotated[tuple[Positive, ...], BeforeValidator(_as_list), Field(min_length=1)] = (1.0,)


class PriorStart(Section):
    """A draw from the prior (`nonlazy.sampling.Prior`)."""

    kind: Literal["prior"] = "prior"


class AnnealedStart(Section):
    """Cooled from a higher temperature (`nonlazy.sampling.Annealed`)."""

    kind: Literal["annealed"]
    temperature: Positive | None = None
    iterations: Annotated[int, Strict(), Field(ge=2)] | None = None


class ContinuationStart(Section):
    """y- taken through other values first (`nonlazy.sampling.Continuation`)."""

    kind: Literal["continuation"]
    y_minus: Annotated[
        tuple[Number, ...], Field(min_length=1, description="the values of y- to go through, as [0.0, 0.2, 0.4]")
    ]
    iterations: Count | None = None


class PlantedStart(Section):
    """Feature neurons placed in given codes (`nonlazy.sampling.Planted`)."""

    kind: Literal["planted"]
    codes: Annotated[
        tuple[tuple[Annotated[int, Strict(), Field(ge=0)], ...], ...],
        Field(min_length=1, description="the codes to plant, as [[1, 1, 0], [1, 0, 1]]"),
    ]
    fractions: tuple[Number, ...] | None = None


class OutliersStart(Section):
    """Outliers of a rectified network placed in given codes (`nonlazy.sampling.Outliers`)."""

    kind: Literal["outliers"]
    codes: Annotated[
        tuple[tuple[Annotated[int, Strict(), Field(ge=0)], ...], ...],
        Field(min_length=1, description="a code an outlier, as [[1, 0, 0], [0, 1, 0], [0, 0, 1]]"),
    ]


class HMCSampler(Section):
    """Hamiltonian Monte Carlo (`nonlazy.sampling.HMC`)."""

    kind: Literal["hmc"]
    trajectory_length: Positive | None = None
    target_acceptance: Positive | None = None
    step_size: Positive | None = None
    jitter: Number | None = None
    max_steps: Count | None = None


class LangevinSampler(Section):
    """The paper's Langevin dynamics (`nonlazy.sampling.Langevin`)."""

    kind: Literal["langevin"]
    step_size: Positive | None = None
    adjusted: Flag | None = None
    steps: Count | None = None


class GradientDescentSampler(Section):
    """Gradient descent without noise (`nonlazy.sampling.GradientDescent`)."""

    kind: Literal["gradient-descent"]
    step_size: Annotated[Positive, Field(description="the learning rate, in units of the paper's time")]
    steps: Count | None = None
    weight_decay: Flag | None = None


class NoMoves(Section):
    """No moves between neurons."""

    kind: Literal["none"]


class RotationMoves(Section):
    """Pair rotations of feature neurons (`nonlazy.sampling.Rotations`)."""

    kind: Literal["rotations"]
    attempts: Annotated[int, Strict(), Field(ge=0)] | None = None
    quench_attempts: Annotated[int, Strict(), Field(ge=0)] | None = None


class JumpMoves(Section):
    """Exact moves by which neurons change their code (`nonlazy.sampling.Jumps`)."""

    kind: Literal["jump"]
    every: Count | None = None
    warmup_sweeps: Annotated[int, Strict(), Field(ge=0)] | None = None


# Keys of [sampling] that are either a name or a table whose `kind` is that name.
CHOICES: dict[str, dict[str, type[Section]]] = {
    "start": {
        "prior": PriorStart,
        "annealed": AnnealedStart,
        "continuation": ContinuationStart,
        "planted": PlantedStart,
        "outliers": OutliersStart,
    },
    "sampler": {"hmc": HMCSampler, "langevin": LangevinSampler, "gradient-descent": GradientDescentSampler},
    "moves": {"none": NoMoves, "rotations": RotationMoves, "jump": JumpMoves},
}


class SamplingSection(Section):
    """`[sampling]`: the arguments of `nonlazy.sample`; what is left out is chosen for the network."""

    chains: Count = 2
    draws: Count = 200
    seed: Seed = 0
    warmup: Annotated[int, Strict(), Field(ge=0)] | None = None
    thin: Count = 1
    start: PriorStart | AnnealedStart | ContinuationStart | PlantedStart | OutliersStart = PriorStart()
    sampler: HMCSampler | LangevinSampler | GradientDescentSampler | None = None
    moves: NoMoves | RotationMoves | JumpMoves | None = None
    precision: Annotated[str, Strict(), AfterValidator(_one_of(("float32", "float64")))] = "float32"
    chain_method: ChainMethod | None = None
    devices: CountOrAll | None = None
    snapshots: Count | None = None
