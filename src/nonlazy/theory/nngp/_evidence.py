"""The readout variance that makes the targets most probable."""

from typing import Any

import numpy as np
import scipy.optimize

from nonlazy.errors import InvalidInput
from nonlazy.theory.nngp._regression import Modes


def evidence_readout_variance(modes: Modes, temperature: float) -> float:
    """sigma_a^2 at the maximum of p(Y): tr(Y^T K^-1 Y) / (m P) at T = 0 (m rank(K) where K is singular).

    **Raises:** `nonlazy.errors.InvalidInput` where no positive variance beats sigma_a^2 = 0.
    """
    m = modes.targets.shape[1]
    strength = np.sum(modes.targets**2, axis=1) / (m * modes.values) if modes.rank else np.zeros(1)
    best = float(np.mean(strength))
    if temperature > 0 and best > 0:
        # Beyond the largest strength every mode is more variable than its targets, and the evidence falls.
        logs = np.log(float(strength.max())) + np.linspace(-40.0, 0.0, 801)
        cost = np.array([-modes.log_evidence(float(np.exp(s)), temperature) for s in logs])
        lowest = int(np.argmin(cost))
        around = logs[max(lowest - 1, 0)], logs[min(lowest + 1, logs.size - 1)]
        found: Any = scipy.optimize.minimize_scalar(
            lambda s: -modes.log_evidence(float(np.exp(s)), temperature), bounds=around, options={"xatol": 1e-10}
        )
        # The lower end stands for sigma_a^2 = 0.
        best = float(np.exp(found.x)) if float(found.fun) < cost[0] else 0.0
    if best == 0:
        raise InvalidInput(
            f"readout_variance is 'evidence', but at temperature {temperature:g} noise alone explains the targets best "
            "(no positive variance is more probable than 0): give a number, or a lower temperature"
        )
    return best
