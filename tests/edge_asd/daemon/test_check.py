"""The check of a whole configuration or recipe."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
import soundfile

from edge_asd.bundle import Bundle, write_bundle
from edge_asd.calibration.alarms import threshold_of
from edge_asd.daemon.check import check_configuration
from edge_asd.errors import CheckFailedError, InputError
from edge_asd.firmware import Decision
from edge_asd.recipe.graph import Threshold
from tests.handmade import RATE, hum, write_handmade

FIRMWARE = """\
device: pump-hall-07
mqtt: {host: broker.local, port: 1883}
sources:
  - {name: pump-3, bundle: pump-3.easd, source: "mic:USB Audio"}
"""
RECIPE = """\
name: plant/bands
description: Mean bands.
branches:
  bands: {front_end: {kind: log-mel, n_mels: 16}, pooling: [mean]}
  level: {front_end: {kind: rms}, pooling: [mean]}
parts:
  steady: {branches: [bands], detector: {kind: mahalanobis}}
  level: {branches: [level], detector: {kind: gmm, components: 1}, enabled: false}
"""


@pytest.fixture
def check(tmp_path: Path) -> Callable[..., str]:
    def run(text: str, **environ: str) -> str:
        path = tmp_path / "given.yaml"
        path.write_text(text)
        return check_configuration(path, environ=environ)

    return run


def test_a_recipe_is_told_apart_and_told(check: Callable[..., str], tmp_path: Path) -> None:
    report = check(RECIPE)
    assert report.splitlines()[0] == f"{tmp_path}/given.yaml: a recipe, nothing wrong with it"
    for words in (
        "plant/bands: Mean bands.",
        "16000 Hz",
        "bands: log-mel",
        "(not used)",
        "(switched off)",
        "mahalanobis",
    ):
        assert words in report


def test_a_fault_in_a_recipe(check: Callable[..., str]) -> None:
    with pytest.raises(
        InputError, match=r"given.yaml: parts.steady.detector.kind: expected one of gmm, .*did you mean"
    ):
        check(RECIPE.replace("mahalanobis", "mahalanobi"))


def test_neither_configuration_nor_recipe(check: Callable[..., str]) -> None:
    with pytest.raises(InputError, match=r"expected a firmware configuration \(device, mqtt, sources\) or a recipe"):
        check("fruit: apple")


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    return write_handmade(tmp_path / "pump-3.easd")


def test_a_firmware_configuration_is_told_in_words(check: Callable[..., str], bundle: Bundle, tmp_path: Path) -> None:
    rule = (
        "an anomaly begins after 1 decision at or above the bundle's threshold, "
        "and ends after 3 decisions in a row well below it"
    )
    assert check(FIRMWARE + "spool: {path: state/pump-hall-07.spool}\n").splitlines() == [
        f"{tmp_path}/given.yaml: a firmware configuration, nothing wrong with it",
        "  device     pump-hall-07, topics edge-asd/pump-hall-07/…",
        "  broker     broker.local, port 1883, no login, not encrypted",
        f"  spool      {tmp_path}/state/pump-hall-07.spool, at most 32 MiB",
        "  source     pump-3 hears the microphone 'USB Audio', channel 0",
        f"             judged by {tmp_path}/pump-3.easd (recipe handmade, SHA-256 {bundle.sha256[:12]}…)",
        f"             {rule}",
    ]


def test_a_threshold_of_false_alarms_is_told_as_one(check: Callable[..., str], bundle: Bundle, tmp_path: Path) -> None:
    asked = FIRMWARE.replace('Audio"', 'Audio", decision: {false_alarms_per_week: 2}')
    found = threshold_of(bundle, Decision(false_alarms_per_week=2))
    assert f"at or above {found:.4g}, expected to give 2 false alarms a week, and ends" in check(asked)
    ruled = msgspec.structs.replace(bundle.recipe, threshold=Threshold(rule="false-alarms", false_alarms_per_week=1))
    write_bundle(
        tmp_path / "pump-3.easd", msgspec.structs.replace(bundle.manifest, recipe=ruled), bundle.arrays, bundle.networks
    )
    assert ", expected to give 1 false alarm a week, and ends" in check(FIRMWARE)
    assert "2 false alarms a week" in check(asked)
    assert "at or above 3.5, " in check(FIRMWARE.replace('Audio"', 'Audio", decision: {threshold: 3.5}'))


def test_a_bundle_that_holds_too_little_for_what_is_asked(check: Callable[..., str], bundle: Bundle) -> None:
    arrays = {name: array for name, array in bundle.arrays.items() if not name.startswith("joint/")}
    write_bundle(Path(bundle.where), bundle.manifest, arrays, bundle.networks)
    with pytest.raises(InputError, match=rf"{bundle.where}: joint"):
        check(FIRMWARE.replace('Audio"', 'Audio", decision: {false_alarms_per_week: 2}'))


def test_the_rule_of_a_recipe_is_told_with_what_it_reads(check: Callable[..., str]) -> None:
    assert "  threshold  tail, for a false-alarm probability of 0.001" in check(RECIPE).splitlines()
    counting = RECIPE + "threshold: {rule: false-alarms, false_alarms_per_week: 0.5}\n"
    assert "  threshold  false-alarms, for 0.5 false alarms a week" in check(counting).splitlines()


def test_a_login_is_told_without_its_password(check: Callable[..., str], bundle: Bundle, tmp_path: Path) -> None:
    (tmp_path / "pw").write_text("hunter2-Zq\n")
    (tmp_path / "pw").chmod(0o600)
    (tmp_path / "sound").mkdir()
    soundfile.write(tmp_path / "sound" / "a.wav", hum(3, 1), RATE)
    text = FIRMWARE.replace("port: 1883", "username: plant, password_file: pw").replace("mic:USB Audio", "file:sound")
    report = check(text, EDGE_ASD__SOURCES__0__CHANNEL="mix", EDGE_ASD__SOURCES__0__DECISION__THRESHOLD="3.5")
    assert f"as plant with the password in {tmp_path}/pw" in report
    assert "in the clear" in report
    assert f"pump-3 hears {tmp_path}/sound, all channels mixed" in report
    assert "at or above 3.5, " in report
    assert "hunter2" not in report
    encrypted = check(text.replace("password_file: pw", "password_file: pw, tls: {}"))
    assert "encrypted, its certificate checked by the system's certificate authorities" in encrypted
    assert "in the clear" not in encrypted


def test_a_missing_bundle_is_an_error(check: Callable[..., str], tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        check(FIRMWARE)
    assert (
        f"given.yaml: sources[0].bundle: {tmp_path}/pump-3.easd: expected a bundle, found No such file or directory; "
        "make one with 'edge-asd export', or copy it there"
    ) in str(caught.value)


def test_a_bundle_that_is_none_is_an_error(check: Callable[..., str], tmp_path: Path) -> None:
    (tmp_path / "pump-3.easd").write_text("text")
    with pytest.raises(InputError, match=r"pump-3.easd: expected a bundle, found another kind of file"):
        check(FIRMWARE)


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("stdin?rate=5", r"given.yaml: sources\[0\].source: stdin\?rate=5: expected a whole number from 1000"),
        ("file:a.wav?speed=fast", r"given.yaml: sources\[0\].source: 'file:.*=fast': expected mic, mic:NAME"),
    ],
)
def test_a_source_of_no_form_is_named(check: Callable[..., str], source: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        check(FIRMWARE.replace("mic:USB Audio", source))


def test_a_missing_recording_is_an_error(check: Callable[..., str], tmp_path: Path) -> None:
    with pytest.raises(
        InputError, match=r"sources\[0\].source: .*none.wav: expected a recording or a folder of .*no such"
    ):
        check(FIRMWARE.replace("mic:USB Audio", "file:none.wav?speed=max"))


def test_a_source_that_monitor_would_refuse_is_an_error(check: Callable[..., str], tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "a.txt").touch()
    os.mkfifo(tmp_path / "pipe")
    for name, found in (("empty", "none in it"), ("notes", "none in it"), ("pipe", "something"), ("/dev/zero", "some")):
        path = tmp_path / name
        with pytest.raises(InputError, match=rf"given.yaml: sources\[0\].source: {path}: expected a .*found {found}"):
            check(FIRMWARE.replace("mic:USB Audio", f"file:{name}"))


@pytest.mark.usefixtures("bundle")
def test_a_missing_password_or_certificate_is_an_error(check: Callable[..., str], tmp_path: Path) -> None:
    login = FIRMWARE.replace("port: 1883", "username: u, password_file: pw")
    with pytest.raises(InputError, match=r"given.yaml: mqtt.password_file: expected the path of a file"):
        check(login)
    (tmp_path / "ca.pem").write_text("no certificate")
    with pytest.raises(InputError, match=r"mqtt.tls.ca_file: expected a file of PEM certificates"):
        check(FIRMWARE.replace("port: 1883", "tls: {ca_file: ca.pem}"))


def test_a_pipe_in_the_place_of_a_file_is_refused_and_not_waited_for(check: Callable[..., str], tmp_path: Path) -> None:
    for name in ("pipe", "pump-3.easd"):
        os.mkfifo(tmp_path / name)
    with pytest.raises(InputError, match=r"pump-3.easd: expected a bundle, found something that is no regular file"):
        check(FIRMWARE)
    with pytest.raises(InputError, match=r"pipe: expected a YAML file, found something that is no regular file"):
        check_configuration(tmp_path / "pipe")


def test_overrides_are_checked_too(check: Callable[..., str]) -> None:
    with pytest.raises(InputError, match="overridden by EDGE_ASD__MQTT__PORT"):
        check(FIRMWARE, EDGE_ASD__MQTT__PORT="tls")


def test_a_spool_in_the_place_of_a_bundle_is_an_error(check: Callable[..., str], bundle: Bundle) -> None:
    with pytest.raises(
        InputError, match=r"spool.path: .*pump-3.easd: expected a place for the spool, found a file that"
    ):
        check(FIRMWARE + "spool: {path: pump-3.easd}\n")


def test_what_the_daemon_would_refuse_is_an_error(check: Callable[..., str], bundle: Bundle, tmp_path: Path) -> None:
    soundfile.write(tmp_path / "mono.wav", hum(3, 1), RATE)
    (tmp_path / "text.wav").write_text("no sound")
    where = r"given.yaml: sources\[0\]"
    for source, told in (
        ("file:mono.wav", rf"{where}.source: .*mono.wav: expected channel 3, counted from 0, found 1 channel"),
        ("file:text.wav", rf"{where}.source: .*text.wav: expected a recording"),
        ("file:mono.wav?speed=fast", rf"{where}.source: '.*speed=fast': expected mic, .*, found another form"),
        ("stdin?channels=2", rf"{where}.source: stdin.*: expected channel 3, .* found 2 channels"),
    ):
        with pytest.raises(InputError, match=told):
            check(FIRMWARE.replace("mic:USB Audio", source), EDGE_ASD__SOURCES__0__CHANNEL="3")
    golden = {name: array + 1 if name.startswith("golden/") and array.dtype.kind == "f" else array
              for name, array in bundle.arrays.items()}  # fmt: skip
    write_bundle(Path(bundle.where), bundle.manifest, golden, bundle.networks)
    with pytest.raises(CheckFailedError, match=r"within 0\.001 of its golden values"):
        check(FIRMWARE)


@pytest.mark.usefixtures("bundle")
def test_of_several_recordings_one_that_can_be_heard_is_enough(check: Callable[..., str], tmp_path: Path) -> None:
    (tmp_path / "sound").mkdir()
    (tmp_path / "sound" / "1.wav").write_text("no sound")
    text = FIRMWARE.replace("mic:USB Audio", "file:sound")
    with pytest.raises(InputError, match=r"1\.wav: expected a recording"):
        check(text)
    soundfile.write(tmp_path / "sound" / "2.wav", hum(3, 1), RATE)
    assert "pump-3 hears" in check(text)
