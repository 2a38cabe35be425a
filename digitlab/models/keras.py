"""Models in Keras. Each has a twin of the same name and size in :mod:`digitlab.models.torch`."""

from digitlab._optional import require

keras = require("keras", extra="keras")


def logistic_regression(n_features: int, n_classes: int, *, seed: int = 0) -> "keras.Model":
    """Build multinomial logistic regression: one dense layer with a softmax.

    The initial weights are drawn as PyTorch draws them, uniformly from ±1/√n_features, so that the
    twins start alike.

    Parameters
    ----------
    n_features, n_classes : int
        Size of an input and of an output row.
    seed : int
        Decides the initial weights.

    Returns
    -------
    keras.Model
        Maps (n_clips, n_features) to probabilities (n_clips, n_classes).

    Notes
    -----
    Taught in chapter 9, in PyTorch; chapter 10 is about Keras.

    Examples
    --------
    >>> count_parameters(logistic_regression(336, 10))
    (3370, 3370)
    """
    bound = n_features**-0.5
    weights, biases = (
        keras.initializers.RandomUniform(-bound, bound, seed=2 * seed + which) for which in (0, 1)
    )
    dense = keras.layers.Dense(
        n_classes, activation="softmax", kernel_initializer=weights, bias_initializer=biases
    )
    return keras.Sequential([keras.Input((n_features,)), dense])


def count_parameters(model: "keras.Model") -> tuple[int, int]:
    """Count a model's numbers: weights with the running statistics, and the weights alone.

    Parameters
    ----------
    model : keras.Model
        Any built model.

    Returns
    -------
    n_parameters, n_trainable : int
        Both counts.

    Examples
    --------
    >>> count_parameters(keras.Sequential([keras.Input((4,)), keras.layers.BatchNormalization()]))
    (16, 8)
    """
    trainable = sum(int(keras.ops.size(weights)) for weights in model.trainable_weights)
    return model.count_params(), trainable
