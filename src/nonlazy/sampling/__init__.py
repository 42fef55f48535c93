"""Markov chain Monte Carlo for the posteriors of wide networks, and the runs that it leaves on disk.

The public names are listed in `__init__.pyi` and loaded on first use: the process of a chain needs none of them.
"""

import lazy_loader


__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

del lazy_loader
