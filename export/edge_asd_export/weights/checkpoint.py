"""TensorFlow checkpoints, for nets that were released in nothing else: VGGish.

Either one file of the old format (`vggish_model.ckpt`), or an index (`….index`) beside its data
(`….data-00000-of-00001`).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from edge_asd_export.weights.files import Array, WeightsFile, broken, check_size

TABLE_SIGNATURE = b"\x57\xfb\x80\x8b\x24\x75\x47\xdb"
"""How a checkpoint's table, of the old format or an index, ends."""

INDEX = ".index"
"""How the name of an index ends, in the new format; its numbers stand in other files beside it."""

_KIND = "a TensorFlow checkpoint"


def read(path: Path) -> WeightsFile:
    """Read the arrays of a checkpoint; `path` is the file of the old format, or the index.

    Raises
    ------
    InputError
        When it is damaged, or its data are missing.
    """
    import tensorflow as tf  # noqa: PLC0415 - takes seconds

    where, prefix = str(path), str(path).removesuffix(INDEX)
    try:
        reader = tf.train.load_checkpoint(prefix)
        shapes, types = reader.get_variable_to_shape_map(), reader.get_variable_to_dtype_map()
        check_size(sum(int(np.prod(shape)) * types[name].size for name, shape in shapes.items()), where)
        names = [name for name in sorted(shapes) if types[name].is_floating]
        arrays: dict[str, Array] = {name: np.asarray(reader.get_tensor(name)) for name in names}
    except (tf.errors.OpError, ValueError, RuntimeError) as error:
        raise broken(where, _KIND, error) from error
    if not arrays:
        raise broken(where, _KIND, "no weights")
    return WeightsFile(where, "tensorflow", arrays)
