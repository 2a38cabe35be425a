"""Import what an extra brings, or say which extra it is."""

import importlib
from types import ModuleType


def require(module: str, extra: str) -> ModuleType:
    """Import `module`, or raise an ImportError that names the extra to install.

    Parameters
    ----------
    module : str
        What to import, such as ``"torch"``.
    extra : str
        The extra of digitlab that brings it.

    Returns
    -------
    module
        The imported module.

    Raises
    ------
    ImportError
        If it cannot be imported; the message holds the command that mends it.

    Examples
    --------
    >>> require("math", extra="book").floor(2.5)
    2
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise ImportError(
            f"this part of digitlab needs {module} ({error}); "
            f"install it with:  python -m pip install 'digitlab[{extra}]'"
        ) from error
