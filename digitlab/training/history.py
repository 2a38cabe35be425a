"""What happened while a model learned, and when that is enough."""

from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from digitlab.environment import replacing, require


@dataclass
class History:
    """Loss and accuracy of every epoch.

    They are measured after it; :mod:`digitlab.training.lightning` measures the training clips while
    it goes on, dropout at work.

    Attributes
    ----------
    loss : list of float
        Mean cross-entropy of the training clips, in nats a clip.
    accuracy : list of float
        Share of the training clips recognised. Where each clip has one label, micro-F1 is the same
        number.
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
        """What was measured, a number an epoch."""
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

    def log(self, folder: Path) -> None:
        """Write the last epoch's figures for TensorBoard, and those of all epochs as a CSV file.

        Parameters
        ----------
        folder : pathlib.Path
            ``tensorboard --logdir`` finds it, or a folder above it. The file is ``metrics.csv``.

        Raises
        ------
        ImportError
            If TensorBoard is not installed.
        """
        writer = require("tensorboard.summary", extra="book").Writer(str(folder))
        for name, values in self.curves.items():
            set_, _, what = name.rpartition("_")
            writer.add_scalar(f"{what}/{set_ or 'training'}", values[-1], step=self.epochs)
        writer.close()
        table = pd.DataFrame(self.curves, index=pd.RangeIndex(1, self.epochs + 1, name="epoch"))
        with replacing(Path(folder, "metrics.csv")) as out:
            table.to_csv(out)


@dataclass(frozen=True)
class EarlyStopping:
    """When to stop: once the validation loss has not become better for some epochs.

    It decides as Keras's callback of that name does.

    Attributes
    ----------
    min_delta : float
        By how much the loss must fall below the best one before it counts as better.
    patience : int
        How many epochs may pass without that.
    restore_best : bool
        Whether the model gets back the weights with which the validation loss was lowest. If not,
        it stays as the last epoch left it.

    Examples
    --------
    >>> published = EarlyStopping(min_delta=0.1, patience=1)
    >>> published.stops([2.3]), published.stops([2.3, 2.25]), published.stops([2.3, 2.1])
    (False, True, False)
    """

    min_delta: float = 0.0
    patience: int = 1
    restore_best: bool = False

    def stops(self, losses: list[float]) -> bool:
        """Tell whether the training is over.

        Parameters
        ----------
        losses : list of float
            Validation loss after each epoch so far.

        Returns
        -------
        bool
            True where it is.
        """
        best, waited = np.inf, 0
        for loss in losses:
            better = loss + self.min_delta < best
            best, waited = (loss, 0) if better else (best, waited + 1)
        return waited >= max(self.patience, 1)


NEVER = EarlyStopping(patience=10**9)
