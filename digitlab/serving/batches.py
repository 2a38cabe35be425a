"""What waits is answered together, by one thread."""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any


class Batcher:
    """Collect what comes while a thread is busy, and give it all of that at once.

    Nothing waits for a batch to fill: what comes alone is answered alone, at once.

    Parameters
    ----------
    function : callable
        Takes a list and returns as many results. It runs in a thread of its own, one call at a
        time.
    batch_size : int
        How many it is given at most.

    Examples
    --------
    >>> async def main():
    ...     batcher = Batcher(lambda numbers: [-number for number in numbers], batch_size=8)
    ...     async with batcher:
    ...         return await asyncio.gather(*map(batcher.answer, range(3)))
    >>> asyncio.run(main())
    [0, -1, -2]
    """

    def __init__(self, function: Callable[[Sequence], Sequence], batch_size: int) -> None:
        self.function, self.batch_size = function, batch_size
        self._waiting: asyncio.Queue[tuple[Any, asyncio.Future]]

    async def __aenter__(self) -> "Batcher":
        """Begin to answer."""
        self._waiting = asyncio.Queue()
        self._task = asyncio.create_task(self._run())
        return self

    async def __aexit__(self, *_) -> None:
        """Stop; what still waits is not answered."""
        self._task.cancel()
        await asyncio.wait([self._task])

    @property
    def is_running(self) -> bool:
        """Whether what is put in will be answered."""
        return not self._task.done()

    @property
    def n_waiting(self) -> int:
        """How many wait for the thread."""
        return self._waiting.qsize()

    async def answer(self, item: Any) -> Any:
        """Return the result for one item.

        Parameters
        ----------
        item : object
            For `function`.

        Raises
        ------
        Exception
            What `function` raised for its batch.
        """
        future = asyncio.get_running_loop().create_future()
        self._waiting.put_nowait((item, future))
        return await future

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        with ThreadPoolExecutor(1, "batches") as thread:
            while True:
                batch = [await self._waiting.get()]
                while len(batch) < self.batch_size and not self._waiting.empty():
                    batch.append(self._waiting.get_nowait())
                items = [item for item, _ in batch]
                results: Sequence
                try:
                    results = await loop.run_in_executor(thread, self.function, items)
                except Exception as error:
                    results = [error] * len(batch)
                for (_, future), result in zip(batch, results, strict=True):
                    if future.done():  # nobody waits for it any more
                        continue
                    if isinstance(result, Exception):
                        future.set_exception(result)
                    else:
                        future.set_result(result)
