"""Which device a framework works on, and which process reports."""

import os


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


def refuse_devices(device: str, devices: int, nodes: int, batch_size: int) -> None:
    """Refuse more devices than there are, or than a batch can be shared out to.

    Parameters
    ----------
    device : str
        A name that PyTorch understands.
    devices, nodes : int
        How many on each machine, and how many machines.
    batch_size : int
        How many clips they share.

    Raises
    ------
    ValueError
        If it cannot be done.

    Examples
    --------
    >>> refuse_devices("cpu", 2, 1, 128)
    """
    import torch

    if devices < 1 or nodes < 1 or batch_size % (devices * nodes):
        raise ValueError(
            f"a batch of {batch_size} clips cannot be shared out evenly to {devices} x {nodes} "
            "devices: take another number of them, or another batch size"
        )
    here = {"cuda": torch.cuda.device_count(), "cpu": devices}.get(device, 1)
    if devices > here:
        raise ValueError(f"{devices} devices were asked for; of {device} there are {here} here")


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


def reports_here(n_devices: int) -> bool:
    """Tell whether this process reports, where several are started to share one training.

    Parameters
    ----------
    n_devices : int
        How many share it.

    Returns
    -------
    bool
        True for the first process of ``torchrun`` or Slurm, on the machine whose ``NODE_RANK`` is
        0, and where nothing of the kind is set.

    Examples
    --------
    >>> reports_here(1)
    True
    """
    ranks = (os.environ.get(name) for name in ("RANK", "SLURM_PROCID", "NODE_RANK"))
    return n_devices == 1 or not any(int(rank) for rank in ranks if rank)
