"""What happened while a model learned."""

from dataclasses import dataclass, field

import numpy as np


@dataclass
class History:
    """Loss and accuracy on the training set, measured after every epoch.

    Attributes
    ----------
    loss : list of float
        Mean cross-entropy, in nats a clip.
    accuracy : list of float
        Share of clips recognised.
    seconds : float
        Time that the training took.
    device : str
        What it ran on.

    Examples
    --------
    >>> history = History()
    >>> history.record(2.3, 0.1, epoch=1)
    >>> history.accuracy
    [0.1]
    """

    loss: list[float] = field(default_factory=list)
    accuracy: list[float] = field(default_factory=list)
    seconds: float = 0.0
    device: str = ""

    def record(self, loss: float, accuracy: float, *, epoch: int) -> None:
        """Note one epoch's figures.

        Parameters
        ----------
        loss, accuracy : float
            Measured on the training set.
        epoch : int
            Counted from 1.

        Raises
        ------
        FloatingPointError
            If the loss is NaN or infinite: nothing can be learned from there on.
        """
        if not np.isfinite(loss):
            raise FloatingPointError(
                f"the loss was {loss} after epoch {epoch}: lower the learning rate, "
                "or look for NaN and very large numbers in the features"
            )
        self.loss.append(float(loss))
        self.accuracy.append(float(accuracy))
