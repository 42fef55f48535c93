"""nonlazy: how a trained network represents its task.

The public names, loaded on first use, so that `import nonlazy` is quick; `__init__.pyi` lists them for editors and type
checkers.
"""

import lazy_loader


__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

del lazy_loader
