"""Many experiments that differ in some parameters: on all cores of a machine, or on a cluster."""

from nonlazy.sweeps._load import (
    load as load,
    names as names,
    text as text,
)
from nonlazy.sweeps._page import (
    page as page,
    write_page as write_page,
)
from nonlazy.sweeps._record import Record as Record
from nonlazy.sweeps._result import (
    SweepResult as SweepResult,
    open_sweep as open_sweep,
)
from nonlazy.sweeps._run import sweep as sweep
from nonlazy.sweeps._sweep import (
    Axis as Axis,
    Point as Point,
    Sweep as Sweep,
)
