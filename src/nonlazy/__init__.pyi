# lazy_loader reads this file at run time and wants relative imports.
from . import (
    activations as activations,
    codes as codes,
    diagnostics as diagnostics,
    errors as errors,
    experiments as experiments,
    figures as figures,
    plots as plots,
    sampling as sampling,
    sweeps as sweeps,
    tasks as tasks,
    theory as theory,
)
from ._version import __version__ as __version__
from .network import (
    Network as Network,
    Weights as Weights,
)
from .posterior import Posterior as Posterior
from .sampling import (
    Run as Run,
    open_run as open_run,
    sample as sample,
)
from .tasks import Task as Task
