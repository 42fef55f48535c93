"""An exact sampler of deep linear networks' posteriors, at any N, P, T > 0, as an oracle for tests.

It shares no code and no approximation with the package. Everything that a linear network's outputs know of its weights
is in L matrices of m x m: with B_L = A (readouts) and B_(l-1) = W_l^T B_l / sqrt(N), the G_l = B_l^T B_l / N obey

    G_L ~ sigma_a^2 Wishart(N) / N,    G_(l-1) | G_l ~ sigma_l^2 Wishart(N, G_l) / N,
    f | G_1 ~ N(0, s^2 N sigma_1^2 G_1 (x) K_0),    s = 1/N (non-lazy) or 1/sqrt(N) (lazy).

The Wishart factors are written as T T^T with Bartlett's lower triangular T: squared diagonals chi^2 with N, N-1, ...
degrees of freedom, standard normals below. So the prior over (log T_ii, T_ij) is a plain product and no Jacobian of
matrix coordinates is needed; G_l has the Cholesky factor sigma_a sigma_L .. sigma_(l+1) T_L .. T_l / N^((L+1-l)/2).
Many independent chains mix random-walk and independence Metropolis steps; proposals adapt in the warm-up only. Monte
Carlo errors come from the spread of the independent chains' means.
"""

import functools
import math
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Problem:
    """X (P, N0), Y (P, m), width N >= m, depth L, temperature T > 0, prior variances; noise is T/N, or T if lazy."""

    X: np.ndarray
    Y: np.ndarray
    width: int
    depth: int
    temperature: float
    readout_variance: float
    weight_variance: tuple[float, ...] = ()
    lazy: bool = False

    def __post_init__(self):
        assert self.width >= self.m, "Bartlett's factors need N >= m"
        assert self.temperature > 0
        assert len(self.sigma2) == self.depth

    @property
    def m(self) -> int:
        return self.Y.shape[1]

    @property
    def sigma2(self) -> tuple[float, ...]:
        return self.weight_variance or (1.0,) * self.depth

    @property
    def noise(self) -> float:
        return self.temperature if self.lazy else self.temperature / self.width

    @property
    def output_variance(self) -> float:
        """Prior variance of an output at unit G_1 and unit K_0: s^2 N sigma_1^2."""
        return self.sigma2[0] if self.lazy else self.sigma2[0] / self.width

    @functools.cached_property
    def modes(self) -> tuple[np.ndarray, np.ndarray]:
        """Eigenvalues of K_0, and the targets in its eigenbasis and in the `rotation` of the outputs."""
        kappa, U = np.linalg.eigh(self.X @ self.X.T / self.X.shape[1])
        return np.maximum(kappa, 0.0), U.T @ self.Y @ self.rotation

    @functools.cached_property
    def rotation(self) -> np.ndarray:
        """Principal axes of the targets, strongest first: the prior is the same, and the coordinates decouple."""
        return np.linalg.eigh(self.Y.T @ self.Y)[1][:, ::-1]

    def matrices(self, x: np.ndarray) -> np.ndarray:
        """G_1 .. G_L `(n, L, m, m)`, in rotated outputs, of coordinates `(n, L m (m+1)/2)`."""
        n, L, m, N = x.shape[0], self.depth, self.m, self.width
        rows, columns = np.tril_indices(m)
        T = np.zeros((n, L, m, m))
        T[:, :, rows, columns] = x.reshape(n, L, -1)
        diagonal = np.arange(m)
        T[:, :, diagonal, diagonal] = np.exp(T[:, :, diagonal, diagonal])
        G = np.empty_like(T)
        factor = math.sqrt(self.readout_variance) * np.broadcast_to(np.eye(m), (n, m, m))
        for layer in range(L, 0, -1):
            factor = factor @ T[:, layer - 1] / math.sqrt(N)
            G[:, layer - 1] = factor @ factor.transpose(0, 2, 1)
            factor = math.sqrt(self.sigma2[layer - 1]) * factor
        return G

    def log_density(self, x: np.ndarray, heat: float = 1.0) -> np.ndarray:
        """Log posterior density over the coordinates, `(n,)`, up to a constant; `heat` multiplies the temperature."""
        n, m, N = x.shape[0], self.m, self.width
        rows, columns = np.tril_indices(m)
        coordinates = x.reshape(n, self.depth, -1)
        logs, below = coordinates[:, :, rows == columns], coordinates[:, :, rows != columns]
        freedom = N - np.arange(m)
        # The density of t = sqrt(chi^2_nu) is t^(nu-1) exp(-t^2/2); that of log t has one more factor t.
        prior = np.sum(freedom * logs - 0.5 * np.exp(2 * logs), axis=(1, 2)) - 0.5 * np.sum(below**2, axis=(1, 2))
        kappa, targets = self.modes
        w, V = np.linalg.eigh(self.matrices(x)[:, 0])
        variance = self.output_variance * kappa[:, None] * w[:, None, :] + heat * self.noise
        return prior - 0.5 * np.sum(np.log(variance) + (targets @ V) ** 2 / variance, axis=(1, 2))

    def prior_center(self) -> np.ndarray:
        """Coordinates of G_l at about their prior means."""
        rows, columns = np.tril_indices(self.m)
        return np.tile(np.where(rows == columns, 0.5 * math.log(self.width), 0.0), self.depth)


@dataclass(frozen=True)
class Estimate:
    """A posterior mean with its Monte Carlo error (from independent chains), effective sample size and R-hat."""

    mean: np.ndarray
    error: np.ndarray
    ess: np.ndarray
    rhat: np.ndarray


def estimate(values: np.ndarray) -> Estimate:
    """Posterior mean of `values` (chains, draws, ...)."""
    means = values.mean(axis=1)
    error = means.std(axis=0, ddof=1) / math.sqrt(values.shape[0])
    variance = values.var(axis=(0, 1))
    within = values.var(axis=1).mean(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        return Estimate(means.mean(axis=0), error, variance / error**2, np.sqrt(variance / within))


@dataclass(frozen=True)
class Draws:
    """Draws of G_1 .. G_L, `(chains, draws, L, m, m)`."""

    problem: Problem
    G: np.ndarray
    acceptance: tuple[float, float]

    def readout_covariance(self) -> Estimate:
        """E[A^T A / N] = E[G_L], `(m, m)`."""
        return estimate(self.G[:, :, -1])

    def readout_trace(self) -> Estimate:
        """E[sum_i |a_i|^2 / N]."""
        return estimate(np.trace(self.G[:, :, -1], axis1=-2, axis2=-1))

    def outputs(self, X: np.ndarray, thin: int = 1) -> Estimate:
        """Posterior mean of the outputs, `(inputs, m)`: the average over G_1 of the exact Gaussian conditional mean."""
        mean, _ = self._outputs(X, X, thin)
        return estimate(mean)

    def outputs_variance(self, X: np.ndarray, thin: int = 1) -> Estimate:
        """Posterior variance of the outputs, `(inputs, m)`: E[variance given G] + variance of the mean given G."""
        mean, covariance = self._outputs(X, X, thin)
        within = np.einsum("cdjxx,cdrj->cdxr", covariance, self._basis(thin) ** 2)
        return estimate(within + (mean - mean.mean(axis=(0, 1))) ** 2)

    def kernel(self, X1: np.ndarray, X2: np.ndarray, layer: int, thin: int = 1) -> Estimate:
        """E[z^l(x1) . z^l(x2) / N], `(inputs1, inputs2)`, averaging the exact conditional mean given all G.

        Given the fields B_l, z^l = B_l G_l^-1 g^T + a part orthogonal to B_l that keeps its prior given z^(l-1), where
        g = B_l^T z^l / N is the output over s N, so <K_l> = <g G_l^-1 g^T> + (1 - m/N) sigma_l^2 <K_(l-1)>.
        """
        problem, N, m = self.problem, self.problem.width, self.problem.m
        mean1, covariance = self._outputs(X1, X2, thin)
        mean2, _ = self._outputs(X2, X2, thin)
        V = self._basis(thin)
        scale = N if problem.lazy else 1.0
        kernel = np.broadcast_to(X1 @ X2.T / X1.shape[1], (*V.shape[:2], X1.shape[0], X2.shape[0]))
        for l in range(1, layer + 1):
            inverse = np.linalg.inv(self.G[:, ::thin, l - 1])
            spread = np.einsum("cdjxy,cdrj,cdrs,cdsj->cdxy", covariance, V, inverse, V, optimize=True)
            learned = (mean1 @ inverse @ mean2.swapaxes(-1, -2) + spread) / scale
            kernel = learned + (1 - m / N) * problem.sigma2[l - 1] * kernel
        return estimate(kernel)

    def _basis(self, thin: int) -> np.ndarray:
        return np.linalg.eigh(self.G[:, ::thin, 0])[1]

    def _outputs(self, X1: np.ndarray, X2: np.ndarray, thin: int) -> tuple[np.ndarray, np.ndarray]:
        """Given each G_1: mean outputs on X1 (c, d, x, m); covariances of X1, X2 in its eigenbasis (c, d, m, x, y)."""
        problem = self.problem
        X, Y, N0 = problem.X, problem.Y, problem.X.shape[1]
        w, V = np.linalg.eigh(self.G[:, ::thin, 0])
        strength = problem.output_variance * w
        K = X @ X.T / N0
        k1, k2, k12 = X1 @ X.T / N0, X2 @ X.T / N0, X1 @ X2.T / N0
        kappa, U = np.linalg.eigh(K)
        shrink = strength[..., None] / (strength[..., None] * np.maximum(kappa, 0.0) + problem.noise)
        left, right = k1 @ U, k2 @ U
        mean = np.einsum("xk,cdjk,km,cdmj,cdrj->cdxr", left, shrink, U.T @ Y, V, V, optimize=True)
        learned = np.einsum("xk,cdjk,yk->cdjxy", left, shrink, right, optimize=True)
        covariance = strength[..., None, None] * (k12 - learned)
        return mean, covariance


def sample(
    problem: Problem, chains: int = 100, draws: int = 300, seed: int = 0, stages: int = 24, thin: int = 2
) -> Draws:
    """Draws from the exact posterior over G_1 .. G_L: `chains` independent chains of `draws`, `thin` sweeps apart.

    The warm-up cools from a high temperature in `stages`, fitting the proposals to all chains after each; it then
    repeats the last stages at the problem's own temperature. Refuses, by an assertion, to return unconverged draws.
    """
    generator = np.random.default_rng(seed)
    d = problem.prior_center().size
    x = problem.prior_center() + generator.standard_normal((chains, d)) / math.sqrt(2 * problem.width)
    factor = np.eye(d) / math.sqrt(2 * problem.width)
    cooling = np.geomspace(max(1.0, 10.0 / problem.temperature), 1.0, stages)
    for heat in (*cooling, *[1.0] * (stages // 2)):
        density, recent = problem.log_density(x, heat), []
        for step in range(40):
            x, density, _ = _walk(problem, x, density, factor, generator, heat)
            if step >= 20:
                recent.append(x)
        pooled = np.concatenate(recent)
        mean, factor = pooled.mean(axis=0), np.linalg.cholesky(np.atleast_2d(np.cov(pooled.T)))
    G = np.empty((chains, draws, problem.depth, problem.m, problem.m))
    density = problem.log_density(x)
    rates = np.zeros(2)
    for draw in range(draws):
        for _ in range(thin):
            x, density, walked = _walk(problem, x, density, factor, generator)
            x, density, jumped = _jump(problem, x, density, mean, factor, generator)
            rates += np.array([walked.mean(), jumped.mean()]) / (draws * thin)
        G[:, draw] = problem.rotation @ problem.matrices(x) @ problem.rotation.T
    drawn = Draws(problem, G, (float(rates[0]), float(rates[1])))
    reduction = np.nanmax(estimate(np.log(np.linalg.eigvalsh(G))).rhat)
    assert reduction < 1.05, f"the matrix sampler did not converge: R-hat {reduction:.3f}; raise stages or thin"
    return drawn


def _walk(problem, x, density, factor, generator, heat=1.0):
    """Random-walk step, at one of two scales: narrow parts of the posterior need the smaller."""
    scale = generator.choice([1.0, 1.0, 0.3], size=(x.shape[0], 1)) * 2.4 / math.sqrt(x.shape[1])
    proposal = x + scale * (generator.standard_normal(x.shape) @ factor.T)
    return _metropolis(problem, x, density, proposal, 0.0, generator, heat)


def _jump(problem, x, density, mean, factor, generator, freedom: float = 6.0):
    """Independence step: a multivariate t with the location and shape found in the warm-up."""
    tails = np.sqrt(freedom / generator.chisquare(freedom, size=(x.shape[0], 1)))
    proposal = mean + tails * generator.standard_normal(x.shape) @ factor.T

    def log_t(points):
        distance = np.sum(np.linalg.solve(factor, (points - mean).T) ** 2, axis=0)
        return -0.5 * (freedom + x.shape[1]) * np.log1p(distance / freedom)

    return _metropolis(problem, x, density, proposal, log_t(x) - log_t(proposal), generator)


def _metropolis(problem, x, density, proposal, log_ratio, generator, heat=1.0):
    proposed = problem.log_density(proposal, heat)
    accepted = np.log(generator.random(x.shape[0])) < proposed - density + log_ratio
    return np.where(accepted[:, None], proposal, x), np.where(accepted, proposed, density), accepted
