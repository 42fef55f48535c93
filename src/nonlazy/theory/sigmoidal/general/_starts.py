"""Where the search for wells starts: neurons that are active on chosen training inputs."""

import numpy as np
from jaxtyping import Float
from scipy.linalg import cho_factor, cho_solve

from nonlazy.theory.sigmoidal.general._setting import Setting
from nonlazy.theory.sigmoidal.general._well import Shape, Well, shape_of


# Preactivations of +-1 are reached up to a ridge, without which an ill-conditioned K_0 makes them cost too much.
RIDGE = 0.3


class Starts:
    """Makes a well's starting point from the training inputs on which its neuron is to be active."""

    def __init__(self, setting: Setting):
        self._setting = setting
        L = setting.roots
        self._factor = cho_factor(L.T @ L + RIDGE * np.eye(setting.rank), check_finite=False)
        self._shape = prior_shape(setting)

    def well(self, active: Float[np.ndarray, " P"], t: Float[np.ndarray, "P k"]) -> Well:
        """A neuron with `active` (0 to 1) on each input, and the readout that the field t gives it."""
        setting = self._setting
        u = cho_solve(self._factor, setting.roots.T @ (2 * active - 1), check_finite=False)
        averages = setting.averages
        activation = averages.offset + averages.height * (0.1 + 0.8 * active)
        b = setting.sigma_a * (t.T @ activation)
        return Well(u, b, self._shape.variance, self._shape.covariance, self._shape, np.inf)


def prior_shape(setting: Setting) -> Shape:
    """The prior's covariance."""
    shape = shape_of(setting, np.zeros((setting.P, setting.k)), np.zeros(setting.P))
    assert shape is not None
    return shape


def first_field(
    setting: Setting,
    members: Float[np.ndarray, "C P"],
    codes: Float[np.ndarray, "codes C"],
    weights: Float[np.ndarray, " codes"],
) -> Float[np.ndarray, "P k"]:
    """A field, the same for all inputs of a class, whose codes would carry the class means of the targets.

    Readouts a = sum_c lambda_c phi_c are the smallest that solve y_c = sum_g w_g phi_gc a_g, and lambda_c is what the
    field adds up to on the inputs of the class. A bit more than half of it is where the search starts, since the wells'
    activations are then sharper than assumed.
    """
    sizes = members.sum(axis=1)
    means = (members @ setting.targets) / sizes[:, None]
    averages = setting.averages
    activation = averages.offset + averages.height * (0.1 + 0.8 * codes)
    gram = activation.T @ (weights[:, None] * activation)
    multiplier = np.linalg.lstsq(gram, means, rcond=1e-6)[0]
    return 0.6 * members.T @ (multiplier / sizes[:, None]) / setting.sigma_a**2
