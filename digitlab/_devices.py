"""Which device a framework works on."""


def torch_device(name: str | None = None) -> str:
    """Return the device to use: the one named, else a GPU where there is one, else the CPU.

    Parameters
    ----------
    name : str, optional
        ``"cpu"``, ``"cuda"``, ``"cuda:1"``, ``"mps"``, ...

    Returns
    -------
    str
        A name that PyTorch understands.

    Raises
    ------
    ValueError
        If the device named is not on this machine.

    Examples
    --------
    >>> torch_device("cpu")
    'cpu'
    """
    import torch

    if name is None:
        if torch.cuda.is_available():
            return "cuda"
        return "mps" if torch.backends.mps.is_available() else "cpu"
    try:
        torch.empty(0, device=name)
    except (RuntimeError, AssertionError) as error:
        raise ValueError(
            f"PyTorch cannot use the device {name!r} here ({str(error).splitlines()[0]}). "
            "Leave the device out, and a GPU is used where there is one."
        ) from error
    return name


def keras_device(name: str | None = None) -> str:
    """Return the device to use with Keras: the one named, else a GPU where there is one.

    Parameters
    ----------
    name : str, optional
        ``"cpu"``, ``"gpu:0"``, ...; on the PyTorch backend, what PyTorch understands.

    Returns
    -------
    str
        A name that Keras's backend understands.

    Examples
    --------
    >>> keras_device("cpu")
    'cpu'
    """
    import keras

    if keras.backend.backend() == "torch":
        return torch_device(name)
    return name or keras.distribution.list_devices()[0]
