"""Models in Keras. Each has a twin of the same name and size in :mod:`digitlab.models.torch`."""

from digitlab._optional import require

keras = require("keras", extra="keras")


@keras.saving.register_keras_serializable("digitlab")
class Scattering(keras.layers.Layer):
    """The scattering transform as a layer, on whichever backend Keras has.

    Parameters
    ----------
    J : int
        The averaging scale is ``2**J`` samples.
    Q : int
        Wavelets per octave at order 1.
    **kwargs
        Of every Keras layer. It computes in float32 unless ``dtype`` says otherwise.

    Notes
    -----
    It has no weights. Maps (n_clips, n_samples) to kymatio's coefficients (n_clips, n_paths,
    n_frames). A model that holds it is saved and loaded like any other, once this module has been
    imported. Taught in chapter 10.

    Examples
    --------
    >>> keras.Sequential([keras.Input((8192,)), Scattering(J=8, Q=12)]).output_shape
    (None, 337, 32)
    """

    def __init__(self, J: int = 8, Q: int = 12, **kwargs):
        super().__init__(**{"dtype": "float32"} | kwargs)
        self.J, self.Q = J, Q

    def call(self, clips):
        """Scatter clips (n_clips, n_samples)."""
        from digitlab._scattering.keras import scatter

        return scatter(clips, self.J, self.Q)

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        """Return (n_clips, n_paths, n_frames)."""
        from digitlab._scattering import plan

        what = plan(input_shape[1], self.J, self.Q)
        return input_shape[0], len(what.order), what.n_frames

    def get_config(self) -> dict:
        """Return what the layer is made of, for its model's file."""
        return super().get_config() | {"J": self.J, "Q": self.Q}


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


def normalised_regression(n_features: int, n_classes: int, *, seed: int = 0) -> "keras.Model":
    """Build batch normalisation before logistic regression: what K1 learns with.

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
    Taught in chapter 10.

    Examples
    --------
    >>> count_parameters(normalised_regression(336, 10))
    (4714, 4042)
    """
    normalise = keras.layers.BatchNormalization()
    regression = logistic_regression(n_features, n_classes, seed=seed)
    return keras.Sequential([keras.Input((n_features,)), normalise, *regression.layers])


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
