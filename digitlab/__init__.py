"""The laboratory under *Hearing Digits*: what a chapter has taught once, later chapters import.

Modules are imported when first used, so that ``import digitlab`` is instant and pulls in no
framework.
"""

import lazy_loader

__version__ = "0.1.0"
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
