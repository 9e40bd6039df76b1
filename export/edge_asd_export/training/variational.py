"""Trains the variational autoencoder of CL-VAE: reconstruction, divergence, and centres that latents are drawn to.

L = L_rec + L_kld + w L_centre for a row x of a section, with its latent mean m, variance v and sample z, the
reconstruction x′ of z and the section's centre c:

- L_rec = Σ (x − x′)²
- L_kld = ½ Σ (m² + v − 1 − ln v)  (Kingma & Welling 2014, appendix B)
- L_centre = ½ Σ (z − c)²; c moves by −α Σ (c − z) / (1 + n) over the n rows of its section in a batch (Wen et al., ECCV
  2016, eq. 4)

A conditional one (Sohn et al., NIPS 2015) is told the section: a one for it and a zero for each other one stand beside
what encoder and decoder take.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_asd.recipe.detectors import VaeSettings
from edge_asd_export.training.keras_session import import_keras


def train_variational(
    settings: VaeSettings, rows: NDArray[np.float32], sections: NDArray[np.intp], *, seed: int
) -> Any:
    """Train on rows, shape (n, d), and the section of each, shape (n,), an index into the settings' sections.

    Returns a Keras model of batch 1: (1, d) → (sections, 3), L_rec, L_kld and L_centre of the row, taken for a row of
    each section. It takes the latent mean itself for z: scoring is not random.
    """
    keras = import_keras(seed)
    width = rows.shape[1]
    known = np.eye(max(1, len(settings.sections)), dtype=np.float32)
    told = len(known) if settings.conditional else 0
    encoder, decoder = _encoder(keras, settings, width + told), _decoder(keras, settings, told, width)
    trainer = _trainer_class(keras)(encoder, decoder, settings, len(known), seed)
    trainer.compile(optimizer=keras.optimizers.Adam(settings.learning_rate))
    batch = min(settings.batch_size, len(rows))
    trainer.fit(rows, known[sections], batch_size=batch, epochs=settings.epochs, verbose=0)
    return _losses_of(keras, encoder, decoder, trainer.centres.numpy(), known[:, :told], width)


def _encoder(keras: Any, settings: VaeSettings, width: int) -> Any:
    entry = keras.Input((width,))
    hidden = _blocks(keras, entry, settings.hidden)
    latent = settings.latent
    return keras.Model(entry, [keras.layers.Dense(latent)(hidden), keras.layers.Dense(latent)(hidden)])


def _decoder(keras: Any, settings: VaeSettings, told: int, width: int) -> Any:
    entry = keras.Input((settings.latent + told,))
    hidden = _blocks(keras, entry, list(reversed(settings.hidden)))
    return keras.Model(entry, keras.layers.Dense(width, activation=settings.output)(hidden))


def _blocks(keras: Any, values: Any, widths: list[int]) -> Any:
    for width in widths:
        values = keras.layers.ReLU()(keras.layers.BatchNormalization()(keras.layers.Dense(width)(values)))
    return values


def _trainer_class(keras: Any) -> type[Any]:
    import tensorflow as tf  # noqa: PLC0415 - takes seconds

    class Trainer(keras.Model):  # type: ignore[misc]
        """Steps of the training; Keras needs a class for them."""

        def __init__(self, encoder: Any, decoder: Any, settings: VaeSettings, sections: int, seed: int) -> None:
            super().__init__()
            self.encoder, self.decoder, self._settings = encoder, decoder, settings
            self.noise = keras.random.SeedGenerator(seed)
            self.centres = tf.Variable(tf.zeros((sections, settings.latent)), trainable=False)

        def train_step(self, data: Any) -> dict[str, Any]:
            rows, sections = data
            told = sections if self._settings.conditional else sections[:, :0]
            with tf.GradientTape() as tape:
                mean, log_variance = self.encoder(tf.concat([rows, told], axis=1), training=True)
                noise = keras.random.normal(tf.shape(mean), seed=self.noise)
                latent = mean + tf.exp(0.5 * log_variance) * noise
                restored = self.decoder(tf.concat([latent, told], axis=1), training=True)
                from_centre = latent - tf.matmul(sections, self.centres)
                reconstruction, divergence, distance = _losses(keras, rows, restored, mean, log_variance, from_centre)
                weighted = reconstruction + divergence + self._settings.centre_weight * distance
                loss = tf.reduce_mean(weighted)
            weights = self.encoder.trainable_weights + self.decoder.trainable_weights
            self.optimizer.apply_gradients(zip(tape.gradient(loss, weights), weights, strict=True))
            counts = tf.reduce_sum(sections, axis=0)[:, tf.newaxis]
            step = -tf.matmul(sections, from_centre, transpose_a=True) / (1.0 + counts)
            self.centres.assign_sub(self._settings.centre_rate * step)
            return {"loss": loss}

    return Trainer


def _losses(
    keras: Any, rows: Any, restored: Any, mean: Any, log_variance: Any, from_centre: Any
) -> tuple[Any, Any, Any]:
    ops = keras.ops
    reconstruction = ops.sum(ops.square(rows - restored), axis=1)
    divergence = 0.5 * ops.sum(ops.square(mean) + ops.exp(log_variance) - 1.0 - log_variance, axis=1)
    return reconstruction, divergence, 0.5 * ops.sum(ops.square(from_centre), axis=1)


def _losses_of(
    keras: Any,
    encoder: Any,
    decoder: Any,
    centres: NDArray[np.float32],
    told: NDArray[np.float32],
    width: int,
) -> Any:
    """Join the halves, with `centres` of shape (sections, latent) and what they are `told` of each, (sections, t)."""
    ops, sections = keras.ops, len(centres)
    entry = keras.Input(batch_shape=(1, width))
    # Without a condition one run of both halves does for all sections.
    runs = sections if told.size else 1
    rows, conditions = ops.repeat(entry, runs, axis=0), told[:runs]
    mean, log_variance = encoder(ops.concatenate([rows, conditions], axis=1) if told.size else rows)
    restored = decoder(ops.concatenate([mean, conditions], axis=1) if told.size else mean)
    losses = _losses(keras, rows, restored, mean, log_variance, mean - centres)
    return keras.Model(entry, ops.stack([ops.broadcast_to(loss, (sections,)) for loss in losses], axis=1))
