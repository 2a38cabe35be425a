"""The laboratory under *Hearing Digits*: what a chapter has taught once, later chapters import.

Modules are imported when first used, so that ``import digitlab`` is instant and pulls in no
framework.
"""

import sys
from importlib.util import find_spec

import lazy_loader

# PyTorch for GPUs brings triton, which it loads for its first optimizer. Loaded after TensorFlow it
# crashes the process, because both bring LLVM; before it, all is well (tensorflow issue 124205).
if "tensorflow" not in sys.modules and find_spec("triton") and find_spec("tensorflow"):
    import triton  # noqa: F401

__version__ = "0.1.0"
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
