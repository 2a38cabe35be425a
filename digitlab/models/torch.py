"""Models in PyTorch. Each has a twin of the same name and size in :mod:`digitlab.models.keras`."""

from digitlab._optional import require

torch = require("torch", extra="torch")


class Scattering(torch.nn.Module):
    """The scattering transform as a module: fast, differentiable, on whatever device its input is.

    Parameters
    ----------
    J : int
        The averaging scale is ``2**J`` samples.
    Q : int
        Wavelets per octave at order 1.

    Notes
    -----
    It has no parameters. Maps (n_clips, n_samples), float32 or float64, to kymatio's coefficients
    (n_clips, n_paths, n_frames). Taught in chapter 8.

    Examples
    --------
    >>> Scattering(J=8, Q=12)(torch.zeros(2, 8192)).shape
    torch.Size([2, 337, 32])
    """

    def __init__(self, J: int = 8, Q: int = 12):
        super().__init__()
        self.J, self.Q = J, Q

    def forward(self, clips: "torch.Tensor") -> "torch.Tensor":
        """Scatter clips.

        Parameters
        ----------
        clips : torch.Tensor of shape (n_clips, n_samples)
            Float32 or float64.

        Returns
        -------
        torch.Tensor of shape (n_clips, n_paths, n_frames)
            Order 0 first.
        """
        from digitlab._scattering.torch import scatter

        return scatter(clips, self.J, self.Q)

    def extra_repr(self) -> str:
        """Return what the printed module says."""
        return f"J={self.J}, Q={self.Q}"


def logistic_regression(n_features: int, n_classes: int, *, seed: int = 0) -> "torch.nn.Module":
    """Build multinomial logistic regression: one linear layer and a log-softmax.

    Parameters
    ----------
    n_features, n_classes : int
        Size of an input and of an output row.
    seed : int
        Decides the initial weights.

    Returns
    -------
    torch.nn.Module
        Maps (n_clips, n_features) to log-probabilities (n_clips, n_classes).

    Notes
    -----
    Taught in chapter 9.

    Examples
    --------
    >>> count_parameters(logistic_regression(336, 10))
    (3370, 3370)
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return torch.nn.Sequential(
            torch.nn.Linear(n_features, n_classes), torch.nn.LogSoftmax(dim=1)
        )


def normalised_regression(n_features: int, n_classes: int, *, seed: int = 0) -> "torch.nn.Module":
    """Build batch normalisation before logistic regression.

    The normalisation is Keras's: 1e-3 is added to a variance, and a batch moves the running
    statistics by a hundredth.

    Parameters
    ----------
    n_features, n_classes : int
        Size of an input and of an output row.
    seed : int
        Decides the initial weights.

    Returns
    -------
    torch.nn.Module
        Maps (n_clips, n_features) to log-probabilities (n_clips, n_classes).

    Notes
    -----
    Taught in chapter 10.

    Examples
    --------
    >>> count_parameters(normalised_regression(336, 10))
    (4714, 4042)
    """
    normalise = torch.nn.BatchNorm1d(n_features, eps=1e-3, momentum=0.01)
    return torch.nn.Sequential(normalise, *logistic_regression(n_features, n_classes, seed=seed))


def count_parameters(model: "torch.nn.Module") -> tuple[int, int]:
    """Count a model's numbers: weights with the running statistics, and the weights alone.

    Parameters
    ----------
    model : torch.nn.Module
        Any model.

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
    statistics = sum(values.numel() for values in model.buffers() if values.is_floating_point())
    return trainable + statistics, trainable
