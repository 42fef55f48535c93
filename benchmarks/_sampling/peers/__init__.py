"""The other samplers, each in weight space (`_sampling.weight_space`) and in a process of its own."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Peer:
    """A sampler to compare with: `module` holds its class `Sampler`, `package` is what must be installed.

    `exact`: it has a Metropolis test, so that its stationary distribution is the posterior. One that is not must show
    no bias before its effective samples count (`_sampling.comparison`). `times`: how many times more draws it makes
    than NUTS, whose draws take more gradients.
    """

    label: str
    module: str
    package: str
    exact: bool = True
    times: int = 1


PEERS = {
    "numpyro-nuts": Peer("NumPyro NUTS", "numpyro_nuts", "numpyro"),
    "blackjax-nuts": Peer("BlackJAX NUTS", "blackjax_hmc", "blackjax"),
    "blackjax-hmc": Peer("BlackJAX HMC", "blackjax_hmc", "blackjax", times=3),
    "blackjax-mclmc": Peer("BlackJAX MCLMC", "blackjax_mclmc", "blackjax", exact=False, times=5),
    "blackjax-adjusted-mclmc": Peer("BlackJAX adjusted MCLMC", "blackjax_adjusted_mclmc", "blackjax", times=5),
    "torch-sgld": Peer("PyTorch Langevin", "torch_langevin", "torch", exact=False, times=2),
}
