"""Keras, quiet and repeatable: one seed gives one net."""

from __future__ import annotations

import logging
import os
from typing import Any

import numpy as np


def import_keras(seed: int) -> Any:
    """Import Keras and set everything random to `seed`."""
    # oneDNN sums in an order that depends on the machine, and says so on standard error.
    for name, value in (("TF_CPP_MIN_LOG_LEVEL", "3"), ("TF_ENABLE_ONEDNN_OPTS", "0"), ("CUDA_VISIBLE_DEVICES", "-1")):
        os.environ.setdefault(name, value)
    import keras  # noqa: PLC0415 - takes seconds
    import tensorflow as tf  # noqa: PLC0415 - takes seconds

    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    # Layers are numbered from 0 again; the garbage collector needs no call for it, which would take longer than a net.
    keras.backend.clear_session(free_memory=False)
    keras.utils.set_random_seed(seed)
    tf.config.experimental.enable_op_determinism()
    return keras


def mixed_seed(seed: int, own: int) -> int:
    """Return the seed, 0 to 2³² − 1, of a net that has one of its `own` in a recipe exported with `seed`.

    Both are mixed, for sums would share nets: with seeds 0 and 1, four of five nets numbered 0 to 4 would be the same.
    """
    return int(np.random.SeedSequence([seed, own]).generate_state(1)[0])
