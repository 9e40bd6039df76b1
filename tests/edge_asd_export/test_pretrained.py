"""Pretrained nets and TFLite files of one's own, from recordings to scores on the device's path."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec
import numpy as np
import pytest

from edge_asd.bundle import read_bundle
from edge_asd.configuration import parse
from edge_asd.errors import InputError
from edge_asd.golden import require
from edge_asd.interpreter import Network
from edge_asd.recipe.graph import Recipe
from edge_asd.recipe.models import Net
from edge_asd.scoring import Scorer
from edge_asd_export.exporter import export
from edge_asd_export.pretrained import representative_patches
from edge_asd_export.tflite_file import choose_outputs
from edge_asd_export.weights.checksums import digest
from edge_asd_export.weights.store import Store
from tests.edge_asd_export.nets.released import recordings, released
from tests.edge_asd_export.small import write
from tests.handmade import RATE, hum, scored

RECIPE = """
name: try
sample_rate: {rate}
horizon: {{seconds: 10, hop_seconds: 10}}
folds: 2
branches:
  net:
    front_end: {front_end}
    patch: {patch}
    model: {model}
    pooling: {pooling}
parts:
  net: {{branches: [net], detector: {{kind: mahalanobis}}}}
"""
SMALL = "{kind: tflite, outputs: [90]}"
SYSTEMS = {
    "musicnn": (
        16000,
        "{kind: preset, name: musicnn}",
        "{segment_hop: 80000}",
        "{kind: net, name: musicnn, quantize: float32}",
    ),
    "squeezenet-1.1": (
        16000,
        "{kind: preset, name: image-transfer}",
        "{segment_hop: 160000}",
        "{kind: net, name: squeezenet-1.1, quantize: int8}",
    ),
    "edgel3": (
        8000,
        "{kind: preset, name: edgel3}",
        "{segment_hop: 16000}",
        "{kind: net, name: edgel3, quantize: float16}",
    ),
    "yamnet spectrogram": (16000, "{kind: preset, name: yamnet}", "{frames: 96, hop: 480}", SMALL),
    "yamnet waveform": (
        16000,
        "{kind: waveform, frame_length: 15600, hop_length: 15600}",
        "{}",
        "{kind: tflite, outputs: [tower0/network/layer28/reduce_mean]}",
    ),
    "speech embedding": (
        16000,
        "{kind: log-mel, n_fft: 512, win_length: 400, hop_length: 160, n_mels: 32, fmin: 60, fmax: 3800}",
        "{frames: 76, hop: 400}",
        "{kind: tflite}",
    ),
    "toycar autoencoder": (
        16000,
        "{kind: log-mel, n_fft: 1024, hop_length: 512, n_mels: 128}",
        "{frames: 5, hop: 25}",
        "{kind: tflite, row: error}",
    ),
}
FILES = {
    "musicnn": "musicnn_MTT_musicnn.h5",
    "squeezenet-1.1": "squeezenet_v1.1_notop.h5",
    "edgel3": "edgel3_sea_ust_audio_emb_64.h5.gz",
    "yamnet spectrogram": "yamnet_spectra_in.tflite",
    "yamnet waveform": "yamnet_waveform.tflite",
    "speech embedding": "speech_embedding.tflite",
    "toycar autoencoder": "ad01_int8.tflite",
}


@pytest.fixture(autouse=True)
def no_weights_in_the_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))


def recipe_of(name: str) -> Recipe:
    rate, front_end, patch, model = SYSTEMS[name]
    pooling = "[mean, max]" if "error" in model else "[mean]"
    text = RECIPE.format(rate=rate, front_end=front_end, patch=patch, model=model, pooling=pooling)
    return parse(text, Recipe, where=name)


@pytest.mark.parametrize("name", SYSTEMS)
def test_a_bundle_of_real_recordings_scores_them(name: str, tmp_path: Path) -> None:
    clips = sorted((recordings() / "normal").glob("*.wav"))[:6]
    exported = export(clips, recipe_of(name), tmp_path / "b.easd", weights={"": released(FILES[name])})
    bundle = read_bundle(tmp_path / "b.easd")
    require(bundle)
    assert list(bundle.networks) == ["branches/net"]
    score = scored(Scorer(bundle), clips[0])
    assert np.isfinite(score.score)
    assert exported.bundle.sha256 == bundle.sha256


def test_an_inner_tensor_is_what_the_whole_file_computes_there() -> None:
    litert = pytest.importorskip("ai_edge_litert.interpreter")
    path = released("yamnet_spectra_in.tflite")
    patch = np.random.default_rng(0).uniform(-6, 2, (1, 96, 64)).astype(np.float32)
    with pytest.warns(UserWarning, match="preserve_all_tensors"):
        whole = litert.Interpreter(
            str(path),
            experimental_preserve_all_tensors=True,
        )
    whole.allocate_tensors()
    whole.set_tensor(whole.get_input_details()[0]["index"], patch)
    whole.invoke()
    scale, zero = whole.get_tensor_details()[90]["quantization"]
    expected = (whole.get_tensor(90).astype(np.float32) - zero) * scale
    net = Network(choose_outputs(path.read_bytes(), [90], "file"), several_outputs=True)
    (found,) = net.outputs(patch)
    np.testing.assert_allclose(found, expected, atol=2.01 * scale)
    assert np.mean(found == expected.astype(np.float32)) > 0.9


def test_integer_inputs_and_outputs_become_float() -> None:
    litert = pytest.importorskip("ai_edge_litert.interpreter")
    path = released("ad01_int8.tflite")
    frames = np.random.default_rng(0).uniform(-60, 0, (1, 640)).astype(np.float32)
    whole = litert.Interpreter(str(path))
    whole.allocate_tensors()
    (before,), (after,) = whole.get_input_details(), whole.get_output_details()
    scale, zero = before["quantization"]
    whole.set_tensor(before["index"], np.clip(np.round(frames / scale) + zero, -128, 127).astype(np.int8))
    whole.invoke()
    scale, zero = after["quantization"]
    expected = (whole.get_tensor(after["index"]).astype(np.float32) - zero) * np.float32(scale)
    net = Network(choose_outputs(path.read_bytes(), None, "file"))
    np.testing.assert_allclose(net(frames), expected, rtol=1e-6)


@pytest.mark.parametrize(
    ("outputs", "words"),
    [(["no such"], "expected one of 94 tensors"), ([94], "expected one of 94 tensors"), ([52], "depend on the input")],
)
def test_tensors_that_are_not_there_are_refused(outputs: list[str | int], words: str) -> None:
    content = released("yamnet_spectra_in.tflite").read_bytes()
    with pytest.raises(InputError, match=words):
        choose_outputs(content, outputs, "file.tflite")


@pytest.mark.parametrize("damage", [slice(0, 1000), slice(0, 8), slice(4, None)])
def test_damaged_files_are_refused(damage: slice) -> None:
    content = released("ad01_fp32.tflite").read_bytes()
    with pytest.raises(InputError, match=r"file\.tflite: expected"):
        choose_outputs(content[damage], None, "file.tflite")


@pytest.mark.parametrize(
    ("name", "key", "words"),
    [
        ("musicnn", "another", "--weights: expected one of net, musicnn-mtt, found 'another'"),
        ("musicnn", None, "branches.net.model: expected the weights musicnn-mtt, found none"),
        ("toycar autoencoder", None, "branches.net.model: expected a TFLite file, found none"),
    ],
)
def test_weights_that_are_missing_or_misnamed(name: str, key: str | None, words: str, tmp_path: Path) -> None:
    clips = sorted((recordings() / "normal").glob("*.wav"))[:6]
    given = {} if key is None else {key: released(FILES[name])}
    with pytest.raises(InputError) as error:
        export(clips, recipe_of(name), tmp_path / "b.easd", weights=given)
    assert words in str(error.value)


def test_weights_in_the_cache_are_found(tmp_path: Path) -> None:
    clips = sorted((recordings() / "normal").glob("*.wav"))[:6]
    kept = Store().add("edgel3-ust-64", released(FILES["edgel3"]))
    assert kept.is_relative_to(os.environ["XDG_CACHE_HOME"])
    bundle = export(clips, recipe_of("edgel3"), tmp_path / "b.easd").bundle
    assert bundle.manifest.networks["net"].weights_sha256 == digest(released(FILES["edgel3"]), "sha256")


def test_weights_that_changed_in_the_cache_are_refused(tmp_path: Path) -> None:
    clips = sorted((recordings() / "normal").glob("*.wav"))[:6]
    kept = Store().add("edgel3-ust-64", released(FILES["edgel3"]))
    kept.write_bytes(kept.read_bytes() + b"x")
    with pytest.raises(InputError, match=rf"{kept.name}: expected SHA-256 d1cf0ce5.*; remove {kept.name}, and fetch"):
        export(clips, recipe_of("edgel3"), tmp_path / "b.easd")
    kept.unlink()


def test_weights_of_another_net_are_refused_by_name(tmp_path: Path) -> None:
    clips = sorted((recordings() / "normal").glob("*.wav"))[:6]
    recipe = recipe_of("edgel3")
    branch = recipe.branches["net"]
    other = msgspec.structs.replace(branch, model=Net(name="edgel3", weights="vggish"))
    recipe = msgspec.structs.replace(recipe, branches={"net": other})
    with pytest.raises(InputError, match="expected weights of edgel3: edgel3-ust-64, found 'vggish'"):
        export(clips, recipe, tmp_path / "b.easd")


def test_a_front_end_that_does_not_fit_is_refused(tmp_path: Path) -> None:
    clips = sorted((recordings() / "normal").glob("*.wav"))[:6]
    rate, _, patch, _ = SYSTEMS["yamnet spectrogram"]
    text = RECIPE.format(
        rate=rate,
        front_end="{kind: preset, name: yamnet}",
        patch=patch,
        model="{kind: net, name: musicnn}",
        pooling="[mean]",
    )
    with pytest.raises(InputError, match="96 bands for musicnn, found 96 by 64"):
        export(
            clips,
            parse(text, Recipe, where="r"),
            tmp_path / "b.easd",
            weights={"": released("musicnn_MTT_musicnn.h5")},
        )


@pytest.mark.parametrize("count", [1, 6])
def test_recordings_shorter_than_the_horizon_are_refused_in_one_line(count: int, tmp_path: Path) -> None:
    rate, front_end, patch, _ = SYSTEMS["squeezenet-1.1"]
    model = "{kind: net, name: squeezenet-1.1, weights: random}"
    text = RECIPE.format(rate=rate, front_end=front_end, patch=patch, model=model, pooling="[mean]")
    clips = [write(tmp_path / f"{number}.wav", hum(3.0, number)) for number in range(count)]
    with pytest.raises(InputError) as error:
        export(clips, parse(text, Recipe, where="r"), tmp_path / "b.easd")
    assert str(error.value) == (
        f"{clips[0]}: expected at least 10 s of sound, the horizon of one decision, found 3 s; "
        "record longer, or export with --set horizon.seconds=3"
    )


def test_a_single_recording_is_too_little_in_one_line_too(tmp_path: Path) -> None:
    rate, front_end, patch, _ = SYSTEMS["squeezenet-1.1"]
    model = "{kind: net, name: squeezenet-1.1, weights: random}"
    text = RECIPE.format(rate=rate, front_end=front_end, patch=patch, model=model, pooling="[mean]")
    clip = write(tmp_path / "a.wav", hum(10.0, 1))
    with pytest.raises(InputError, match="expected at least 5 stretches of 10 s of normal sound, found 1"):
        export([clip], parse(text, Recipe, where="r"), tmp_path / "b.easd")


def test_what_is_not_live_sets_no_ranges(tmp_path: Path) -> None:
    front_end = "{kind: log-mel, n_fft: 512, hop_length: 256, n_mels: 8, fmin: 50}"
    text = RECIPE.format(
        rate=RATE, front_end=front_end, patch="{frames: 4, hop: 4}", model="{kind: tflite}", pooling="[mean]"
    )
    short = parse(text, Recipe, where="try", overrides=["horizon.seconds=1", "horizon.hop_seconds=1"])
    dead = write(tmp_path / "dead.wav", np.sign(hum(2, 1)))
    late = write(tmp_path / "late.wav", np.concatenate([np.zeros(3 * RATE, np.float32), hum(4, 2)]))
    live = write(tmp_path / "live.wav", hum(2, 2))
    expected = representative_patches(short, "net", [live])
    np.testing.assert_array_equal(representative_patches(short, "net", [dead, live]), expected)
    found = representative_patches(short, "net", [late])
    assert found.shape == expected.shape
    # A logarithm of silence is far below all of these.
    assert found.min() > expected.min() - 5
    with pytest.raises(InputError, match=r"dead\.wav: expected 1 s of a live signal, found one that is clipped"):
        representative_patches(short, "net", [dead])
