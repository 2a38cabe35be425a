"""Clips read as they are needed, by other processes where that helps: what Lightning trains on."""

import sys
from collections.abc import Callable, Iterable
from typing import Any

from digitlab.corpora import Corpus, CorpusError
from digitlab.environment import require, wrapped
from digitlab.preparation import Preparation
from digitlab.training.common import as_clips

require("torch", extra="torch")

import torch  # noqa: E402
from torch.utils.data import Dataset, TensorDataset  # noqa: E402


class Clips(Dataset):
    """Clips of a corpus, read from their files whenever they are needed.

    The corpus may be larger than the memory, and other processes can read ahead.

    Parameters
    ----------
    corpus : Corpus
        Its clips, in its order.
    preparation : Preparation
        Rate and length of the clips, and how recordings are fitted to them. A printed line says how
        many are too long.
    feature : callable, optional
        Takes waveforms, (n_clips, n_samples), and their rate: a function of
        :mod:`digitlab.features`. By default the samples are the features.

    Raises
    ------
    CorpusError
        When a clip is read that cannot be used; it names the file.

    Examples
    --------
    >>> from digitlab import corpora
    >>> from digitlab.preparation import Preparation
    >>> clips = Clips(corpora.load("voices"), Preparation(rate=8000, n_samples=8192))
    >>> x, y = clips[700]
    >>> x.shape, bool(y == clips.corpus.table["label"][700])
    (torch.Size([8192]), True)
    """

    def __init__(
        self, corpus: Corpus, preparation: Preparation, *, feature: Callable | None = None
    ):
        self.corpus, self.preparation, self.feature = corpus, preparation, feature
        n_long = int((corpus.durations() > preparation.seconds).sum())
        if n_long:
            cut = f"{n_long:,} of {len(corpus):,} recordings are longer than the "
            print(wrapped(f"{cut}{preparation.seconds:.2f} s of a clip: each is cut to its word."))
        self.labels = torch.tensor(corpus.table["label"].to_numpy(), dtype=torch.long)

    def __len__(self) -> int:
        """Return the number of clips."""
        return len(self.corpus)

    def __getitem__(self, row: int) -> tuple["torch.Tensor", "torch.Tensor"]:
        """Return the features of a clip, and its label."""
        return self.__getitems__([row])[0]

    def __getitems__(self, rows: list[int]) -> list[tuple["torch.Tensor", "torch.Tensor"]]:
        """Return the features of some clips, and their labels: PyTorch asks for a batch so."""
        x, _ = self.corpus.select(rows).prepare(self.preparation)
        if self.feature is not None:
            x = self.feature(x, self.preparation.rate)
        return list(zip(torch.as_tensor(x), self.labels[rows], strict=True))


def identity(data: "torch.utils.data.Dataset | None"):
    """Return all that decides what the clips are."""
    if isinstance(data, TensorDataset):
        return [values.numpy() for values in data.tensors]
    if not isinstance(data, Clips):
        return data
    files = [str(path) for path in data.corpus.table["path"]]
    return data.corpus.digest, files, data.labels.numpy(), data.preparation, data.feature


class _Guarded(Dataset):
    """Clips that another process may read: an error comes back in place of a batch."""

    def __init__(self, clips: "torch.utils.data.Dataset"):
        self.clips = clips

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


def as_dataset(clips) -> Any:
    """Return a data set: the one given, or one of a pair of arrays."""
    if not isinstance(clips, Dataset):
        clips = TensorDataset(*map(torch.from_numpy, as_clips(*clips)))
    if not len(clips):
        raise ValueError("there are no clips")
    return clips


def load(
    data: "torch.utils.data.Dataset", batch_size: int, order: Iterable[int], workers: int
) -> "torch.utils.data.DataLoader":
    """Read clips in batches, in this order, with so many processes where files are read."""
    if isinstance(data, TensorDataset):
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
