"""Trains the variational autoencoder of CL-VAE: reconstruction, divergence, and a centre that latents are drawn to.

L = L_rec + L_kld + w L_centre for a row x, with its latent mean m, variance v and sample z, the reconstruction x′ of z
and the centre c:

- L_rec = Σ (x − x′)²
- L_kld = ½ Σ (m² + v − 1 − ln v)  (Kingma & Welling 2014, appendix B)
- L_centre = ½ Σ (z − c)²; c moves by −α Σ (c − z) / (1 + n) over the n rows of a batch (Wen et al., ECCV 2016, eq. 4)
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_asd.recipe.detectors import VaeSettings
from edge_asd_export.training.keras_session import import_keras


def train_variational(settings: VaeSettings, rows: NDArray[np.float32], *, seed: int) -> Any:
    """Train on rows, shape (n, d), and return a Keras model of batch 1: (1, d) → (1, 3), L_rec, L_kld and L_centre.

    What it returns takes the latent mean itself for z: scoring is not random.
    """
    keras = import_keras(seed)
    width = rows.shape[1]
    encoder, decoder = _encoder(keras, settings, width), _decoder(keras, settings, width)
    trainer = _trainer_class(keras)(encoder, decoder, settings, seed)
    trainer.compile(optimizer=keras.optimizers.Adam(settings.learning_rate))
    batch = min(settings.batch_size, len(rows))
    trainer.fit(rows, batch_size=batch, epochs=settings.epochs, verbose=0)
    return _losses_of(keras, encoder, decoder, trainer.centre.numpy(), width)


def _encoder(keras: Any, settings: VaeSettings, width: int) -> Any:
    entry = keras.Input((width,))
    hidden = _blocks(keras, entry, settings.hidden)
    latent = settings.latent
    return keras.Model(entry, [keras.layers.Dense(latent)(hidden), keras.layers.Dense(latent)(hidden)])


def _decoder(keras: Any, settings: VaeSettings, width: int) -> Any:
    entry = keras.Input((settings.latent,))
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

        def __init__(self, encoder: Any, decoder: Any, settings: VaeSettings, seed: int) -> None:
            super().__init__()
            self.encoder, self.decoder, self._settings = encoder, decoder, settings
            self.noise = keras.random.SeedGenerator(seed)
            self.centre = tf.Variable(tf.zeros(settings.latent), trainable=False)

        def train_step(self, data: Any) -> dict[str, Any]:
            with tf.GradientTape() as tape:
                mean, log_variance = self.encoder(data, training=True)
                noise = keras.random.normal(tf.shape(mean), seed=self.noise)
                latent = mean + tf.exp(0.5 * log_variance) * noise
                reconstruction, divergence, distance = _losses(
                    keras, data, self.decoder(latent, training=True), mean, log_variance, latent - self.centre
                )
                weighted = reconstruction + divergence + self._settings.centre_weight * distance
                loss = tf.reduce_mean(weighted)
            weights = self.encoder.trainable_weights + self.decoder.trainable_weights
            self.optimizer.apply_gradients(zip(tape.gradient(loss, weights), weights, strict=True))
            rows = tf.cast(tf.shape(latent)[0], tf.float32)
            step = tf.reduce_sum(self.centre - latent, axis=0) / (1.0 + rows)
            self.centre.assign_sub(self._settings.centre_rate * step)
            return {"loss": loss}

    return Trainer


def _losses(
    keras: Any, rows: Any, restored: Any, mean: Any, log_variance: Any, from_centre: Any
) -> tuple[Any, Any, Any]:
    ops = keras.ops
    reconstruction = ops.sum(ops.square(rows - restored), axis=1)
    divergence = 0.5 * ops.sum(ops.square(mean) + ops.exp(log_variance) - 1.0 - log_variance, axis=1)
    return reconstruction, divergence, 0.5 * ops.sum(ops.square(from_centre), axis=1)


def _losses_of(keras: Any, encoder: Any, decoder: Any, centre: NDArray[np.float32], width: int) -> Any:
    entry = keras.Input(batch_shape=(1, width))
    mean, log_variance = encoder(entry)
    losses = _losses(keras, entry, decoder(mean), mean, log_variance, mean - centre[np.newaxis])
    return keras.Model(entry, keras.ops.stack(losses, axis=1))
