"""Keras's defaults, whatever keras.json or a global policy says."""

from collections.abc import Iterator
from contextlib import contextmanager

import keras


@contextmanager
def float32_channels_last() -> Iterator[None]:
    """Work with Keras's own defaults, and restore the user's settings afterwards."""
    before = keras.config.floatx(), keras.config.image_data_format(), keras.config.dtype_policy()
    _configure("float32", "channels_last", "float32")
    try:
        yield
    finally:
        _configure(*before)


def _configure(floatx: str, data_format: str, policy) -> None:
    keras.config.set_floatx(floatx)
    keras.config.set_image_data_format(data_format)
    keras.config.set_dtype_policy(policy)
