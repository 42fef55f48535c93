"""Runs read with the theory and the codes beside them: which codes the neurons have, and whether their shares have
reached equilibrium."""

from nonlazy.diagnostics._equilibrium import equilibrium as equilibrium
from nonlazy.diagnostics._evidence import (
    CodeShare as CodeShare,
    Equilibrium as Equilibrium,
)
from nonlazy.diagnostics._fractions import (
    Fractions as Fractions,
    fractions as fractions,
)
from nonlazy.diagnostics._history import (
    CodeHistory as CodeHistory,
    code_history as code_history,
)
from nonlazy.diagnostics._verdict import Verdict as Verdict
