# lazy_loader reads this file at run time and wants relative imports.

from ._convergence import Diagnostics as Diagnostics
from ._driver import sample as sample
from ._kept_programs import keep_programs as keep_programs
from ._record import Record as Record
from ._request import (
    Request as Request,
    check_request as check_request,
)
from ._run import (
    Run as Run,
    open_run as open_run,
)
from ._samplers import (
    HMC as HMC,
    GradientDescent as GradientDescent,
    Jumps as Jumps,
    Langevin as Langevin,
    Rotations as Rotations,
)
from ._starts import (
    Annealed as Annealed,
    Continuation as Continuation,
    Outliers as Outliers,
    Planted as Planted,
    Prior as Prior,
)
