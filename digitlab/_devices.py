"""Which device PyTorch works on."""


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
