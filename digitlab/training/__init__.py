"""How each framework learns. Both return the trained model and one kind of history."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
