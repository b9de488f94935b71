"""Torch tensors as arrays, without importing torch."""

from __future__ import annotations

from typing import Any

import numpy as np


def torch_array(tensor: Any) -> np.ndarray[Any, Any]:
    """The numbers of a torch tensor, wherever it lives; bfloat16 and float8, which numpy does not have, as float32 of the same values.

    Raises:
        ValueError: It has no numbers to give (sparse, on the meta device); the text says what torch says.
    """
    try:
        try:
            array = tensor.numpy(force=True)
        except TypeError:
            if not tensor.is_floating_point():
                raise
            array = tensor.float().numpy(force=True)
    except (TypeError, RuntimeError) as error:
        raise ValueError(f"a torch tensor that numpy cannot take: {error}") from None
    return np.asarray(array)
