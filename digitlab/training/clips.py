"""Clips read as they are needed, by other processes where that helps: what Lightning trains on."""

import sys
from collections.abc import Callable, Iterable
from typing import Any

from digitlab.corpora import Corpus, CorpusError
from digitlab.environment import require
from digitlab.training.common import as_clips

torch = require("torch", extra="torch")
Dataset, TensorDataset = torch.utils.data.Dataset, torch.utils.data.TensorDataset


class Clips(Dataset):
    """Clips of a corpus, read from their files whenever they are needed.

    The corpus may be larger than the memory, and other processes can read ahead.

    Parameters
    ----------
    corpus : Corpus
        Its clips, in its order.
    in_memory : bool
        Whether all are read at once instead, and kept.
    transform : callable, optional
        Takes samples, (n_clips, n_samples), and returns features: a module such as
        :class:`digitlab.models.torch.Scattering`, or a function of :mod:`digitlab.features`. By
        default the samples are the features.
    **fitting
        `n_samples`, `align`, `normalize` and `rate`, as for
        :meth:`digitlab.corpora.Corpus.waveforms`.

    Raises
    ------
    CorpusError
        When a clip is read that cannot be used; it names the file.

    Notes
    -----
    Taught in chapter 14.

    Examples
    --------
    >>> from digitlab import corpora
    >>> clips = Clips(corpora.load("voices"), n_samples=4000)
    >>> x, y = clips[700]
    >>> x.shape, bool(y == clips.corpus.table["label"][700])
    (torch.Size([4000]), True)
    """

    def __init__(
        self,
        corpus: Corpus,
        *,
        in_memory: bool = False,
        transform: Callable | None = None,
        **fitting: Any,
    ):
        self.corpus, self.transform, self.fitting = corpus, transform, fitting
        self.waveforms = corpus.waveforms(**fitting) if in_memory else None
        self.labels = torch.tensor(corpus.table["label"].to_numpy(), dtype=torch.long)

    def __len__(self) -> int:
        """Return the number of clips."""
        return len(self.corpus)

    def __getitem__(self, row: int) -> tuple["torch.Tensor", "torch.Tensor"]:
        """Return the features of a clip, and its label."""
        return self.__getitems__([row])[0]

    def __getitems__(self, rows: list[int]) -> list[tuple["torch.Tensor", "torch.Tensor"]]:
        """Return the features of some clips, and their labels: PyTorch asks for a batch so."""
        if self.waveforms is None:
            x = self.corpus.select(rows).waveforms(**self.fitting)
        else:
            x = self.waveforms[rows]
        x = torch.from_numpy(x)
        if self.transform is not None:
            x = torch.as_tensor(self.transform(x))
        return list(zip(x, self.labels[rows], strict=True))


def identity(data: "torch.utils.data.Dataset | None"):
    """Return all that decides what the clips are."""
    if isinstance(data, TensorDataset):
        return [values.numpy() for values in data.tensors]
    if not isinstance(data, Clips):
        return data
    is_module = isinstance(data.transform, torch.nn.Module)
    transform = str(data.transform) if is_module else data.transform
    files = [str(path) for path in data.corpus.table["path"]]
    return data.corpus.digest, files, data.labels.numpy(), data.fitting, transform


class _Guarded(Dataset):
    """Clips that another process may read: an error comes back in place of a batch."""

    def __init__(self, clips: "torch.utils.data.Dataset"):
        self.clips = clips

    def __len__(self) -> int:
        return len(self.clips)

    def __getitems__(self, rows: list[int]):
        try:
            if hasattr(self.clips, "__getitems__"):
                return self.clips.__getitems__(rows)
            return [self.clips[row] for row in rows]
        except (CorpusError, OSError, ValueError) as error:
            return error


def _collate(clips):
    return clips if isinstance(clips, Exception) else torch.utils.data.default_collate(clips)


def read(batch):
    """Return a batch; raise the error that stands in its place."""
    if isinstance(batch, Exception):
        raise batch
    return batch


def as_dataset(clips) -> "torch.utils.data.Dataset":
    """Return a data set: the one given, or one of a pair of arrays."""
    if isinstance(clips, Dataset):
        return clips
    return TensorDataset(*map(torch.from_numpy, as_clips(*clips)))


def load(
    data: "torch.utils.data.Dataset", batch_size: int, order: Iterable[int], workers: int
) -> "torch.utils.data.DataLoader":
    """Read clips in batches, in this order, with so many processes where files are read."""
    if isinstance(data, TensorDataset) or getattr(data, "waveforms", None) is not None:
        workers = 0  # there is nothing to read
    return torch.utils.data.DataLoader(
        _Guarded(data),
        batch_size,
        sampler=order,
        num_workers=workers,
        collate_fn=_collate,
        persistent_workers=workers > 0,
        multiprocessing_context="fork" if workers and sys.platform == "linux" else None,
        pin_memory=torch.cuda.is_available(),
        generator=torch.Generator(),  # its own: else it would disturb what dropout draws from
    )
