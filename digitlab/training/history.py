"""What happened while a model was trained."""

from dataclasses import asdict, dataclass, field

import numpy as np


@dataclass
class History:
    """Loss and accuracy of every epoch.

    They are measured after it; :mod:`digitlab.training.lightning` measures the training clips while
    it goes on, with dropout.

    Attributes
    ----------
    loss, accuracy : list of float
        Mean cross-entropy of the training clips, in nats a clip; and share of them recognised,
        which is micro-F1 where each clip has one label.
    validation_loss, validation_accuracy : list of float
        Of the validation clips; empty where there are none.
    seconds : float
        Time that the training took, measuring included.
    device : str
        What it ran on.

    Examples
    --------
    >>> history = History()
    >>> history.record((2.3, 0.1), (2.4, 0.05))
    >>> history.accuracy, history.validation_accuracy
    ([0.1], [0.05])
    """

    loss: list[float] = field(default_factory=list)
    accuracy: list[float] = field(default_factory=list)
    validation_loss: list[float] = field(default_factory=list)
    validation_accuracy: list[float] = field(default_factory=list)
    seconds: float = 0.0
    device: str = ""

    @property
    def epochs(self) -> int:
        """How many epochs are over."""
        return len(self.loss)

    @property
    def best_epoch(self) -> int:
        """After which epoch the validation loss was lowest; 0 if it was not measured."""
        return int(np.argmin(self.validation_loss)) + 1 if self.validation_loss else 0

    @property
    def curves(self) -> dict[str, list[float]]:
        """What was measured, a number for each epoch."""
        measured = {k: v for k, v in asdict(self).items() if isinstance(v, list)}
        return {name: values for name, values in measured.items() if values}

    def record(
        self, training: tuple[float, float], validation: tuple[float, float] | None = None
    ) -> None:
        """Note one epoch's figures.

        Parameters
        ----------
        training, validation : tuple of float
            Loss and accuracy, measured on the clips of either set.

        Raises
        ------
        FloatingPointError
            If a loss is NaN or infinite: nothing can be learned from there on.
        """
        for name, measured in (("", training), ("validation ", validation)):
            if measured and not np.isfinite(measured[0]):
                raise FloatingPointError(
                    f"the {name}loss was {measured[0]} after epoch {self.epochs + 1}: lower the "
                    "learning rate, or look for NaN and very large numbers in the features"
                )
        self.loss.append(float(training[0]))
        self.accuracy.append(float(training[1]))
        if validation:
            self.validation_loss.append(float(validation[0]))
            self.validation_accuracy.append(float(validation[1]))
