"""Markov chain Monte Carlo for the posteriors of wide networks, and the runs that it leaves on disk."""

from nonlazy.sampling._convergence import Diagnostics as Diagnostics
from nonlazy.sampling._driver import sample as sample
from nonlazy.sampling._record import Record as Record
from nonlazy.sampling._run import (
    Run as Run,
    open_run as open_run,
)
from nonlazy.sampling._samplers import (
    HMC as HMC,
    GradientDescent as GradientDescent,
    Jumps as Jumps,
    Langevin as Langevin,
    Rotations as Rotations,
)
from nonlazy.sampling._starts import (
    Annealed as Annealed,
    Continuation as Continuation,
    Planted as Planted,
    Prior as Prior,
)
