"""Numbers of a PyTorch model: how many there are, and how to take them out and put them in."""

import numpy as np
import torch


def count_parameters(model: torch.nn.Module) -> tuple[int, int]:
    """Count a model's numbers: weights with the running statistics, and the weights alone.

    Parameters
    ----------
    model : torch.nn.Module
        Any model. Weights that are frozen are left out of both.

    Returns
    -------
    n_parameters, n_trainable : int
        Both counts.

    Examples
    --------
    >>> count_parameters(torch.nn.BatchNorm1d(4))
    (16, 8)
    """
    trainable = sum(weights.numel() for weights in model.parameters() if weights.requires_grad)
    kept = model.state_dict()
    statistics = sum(
        values.numel()
        for name, values in model.named_buffers()
        if name in kept and values.is_floating_point()
    )
    return trainable + statistics, trainable


def count_multiplications(model: torch.nn.Module, *shape: int) -> int:
    """Count the multiplications of weights that a model does for one clip.

    Parameters
    ----------
    model : torch.nn.Module
        Of dense layers, convolutions and LSTMs; what other layers do is not counted.
    *shape : int
        Of the features of a clip.

    Returns
    -------
    int
        Each weight as often as it is used. Taught in chapter 15.

    Examples
    --------
    >>> count_multiplications(torch.nn.Conv1d(1, 4, 3, bias=False), 1, 10)
    96
    """
    counts = []

    def count(layer, inputs, output):
        weights = sum(p.numel() for name, p in layer.named_parameters() if "weight" in name)
        if isinstance(layer, torch.nn.LSTM):
            steps = inputs[0].data.shape[0] if hasattr(inputs[0], "batch_sizes") else shape[0]
            counts.append(weights * steps)
        elif isinstance(layer, torch.nn.Linear):
            counts.append(weights * output.numel() // output.shape[-1])
        else:
            counts.append(weights * output[0, 0].numel())

    kinds = (torch.nn.Linear, torch.nn.Conv1d, torch.nn.Conv2d, torch.nn.LSTM)
    handles = [
        layer.register_forward_hook(count) for layer in model.modules() if isinstance(layer, kinds)
    ]
    was_training = model.training
    try:
        with torch.inference_mode():
            model.eval()(torch.ones(1, *shape, device=next(model.parameters()).device))
    finally:
        model.train(was_training)
        for handle in handles:
            handle.remove()
    return sum(counts)


def get_weights(model: torch.nn.Module) -> list[np.ndarray]:
    """Return all numbers of a model, weights and running statistics, in its own order.

    Parameters
    ----------
    model : torch.nn.Module
        Any model.

    Returns
    -------
    list of ndarray
        For :func:`set_weights`. Later training does not change them.
    """
    return [values.numpy(force=True).copy() for values in model.state_dict().values()]


def set_weights(model: torch.nn.Module, weights: list[np.ndarray]) -> None:
    """Give a model the numbers of another one that is built alike.

    Parameters
    ----------
    model : torch.nn.Module
        Changed in place.
    weights : list of ndarray
        From :func:`get_weights`.

    Raises
    ------
    ValueError
        If their number or shapes do not fit the model.

    Examples
    --------
    >>> first, second = torch.nn.Linear(4, 2), torch.nn.Linear(4, 2)
    >>> set_weights(second, get_weights(first))
    >>> bool((first.weight == second.weight).all())
    True
    """
    state = model.state_dict()
    if [tuple(values.shape) for values in state.values()] != [np.shape(each) for each in weights]:
        raise ValueError("these weights do not fit this model")
    model.load_state_dict(dict(zip(state, map(torch.as_tensor, weights), strict=True)))
