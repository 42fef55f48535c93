"""What the theory predicts of a posterior: `solve` and the `Prediction` it returns.

The public names are listed in `__init__.pyi` and loaded on first use: no theory waits for the others.
"""

import lazy_loader


__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

del lazy_loader
