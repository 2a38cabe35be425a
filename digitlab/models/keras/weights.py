"""Numbers of a Keras model: how many there are, and how to take them out and put them in."""

import keras
import numpy as np


def count_parameters(model: keras.Model) -> tuple[int, int]:
    """Count as its twin :func:`digitlab.models.torch.count_parameters` does, for a built model."""
    trainable = sum(int(keras.ops.size(weights)) for weights in model.trainable_weights)
    return model.count_params(), trainable


def get_weights(model: keras.Model) -> list[np.ndarray]:
    """Return what its twin :func:`digitlab.models.torch.get_weights` does, for a built model."""
    return model.get_weights()


def set_weights(model: keras.Model, weights: list[np.ndarray]) -> None:
    """Set weights as its twin :func:`digitlab.models.torch.set_weights` does."""
    if [values.shape for values in model.get_weights()] != [np.shape(each) for each in weights]:
        raise ValueError("these weights do not fit this model")
    model.set_weights(weights)
