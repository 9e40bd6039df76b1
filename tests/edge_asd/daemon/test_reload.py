"""The daemon under systemd's eyes and with its configuration changed, as a process of its own on a real broker."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from msgspec.structs import replace

from edge_asd.bundle import read_bundle, write_bundle
from tests.edge_asd.publish.certificates import Certificates, encrypted
from tests.handmade import RATE, hum, write_handmade
from tests.waiting import free_port, wait_until


@pytest.fixture(scope="module")
def material(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("material")
    write_handmade(folder / "hum.easd")
    soundfile.write(folder / "long.wav", hum(120, 7), RATE)
    return folder


@pytest.fixture
def site(material: Path, tmp_path: Path) -> Path:
    shutil.copytree(material, tmp_path / "site")
    return tmp_path / "site"


class Device:
    """A daemon, what its systemd heard, and its log."""

    def __init__(self, site: Path, broker_port: int) -> None:
        self.site, self._broker_port = site, broker_port
        self.web_port = free_port()
        self.config = site / "firmware.yaml"
        self._systemd = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        # An abstract one: the path of a test's folder can be longer than a socket's may be.
        self._notify = f"edge-asd-test-{os.getpid()}-{self.web_port}"
        self._systemd.bind(f"\0{self._notify}")
        self._systemd.setblocking(False)
        self._heard: list[str] = []
        self._process: subprocess.Popen[bytes] | None = None

    def write(self, *sources: str, device: str = "bench-1", mqtt: str = "host: 127.0.0.1") -> None:
        names = "".join(f"  - {{{source}}}\n" for source in sources)
        self.config.write_text(
            f"device: {device}\nmqtt: {{{mqtt}, port: {self._broker_port}}}\n"
            f"web: {{port: {self.web_port}}}\nlog: {{format: json}}\nhealth_interval_s: 1\nsources:\n{names}"
        )

    def start(self, code: str = "", *arguments: str) -> None:
        main = f"{code}\nimport sys\nfrom edge_asd.cli import main\nsys.exit(main(sys.argv[1:]))"
        environ = {**os.environ, "NOTIFY_SOCKET": f"@{self._notify}", "WATCHDOG_USEC": "600000"}
        environ["STATE_DIRECTORY"] = str(self.site / "state")
        with (self.site / "log").open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-c", main, "monitor", str(self.config), *arguments], env=environ, stderr=log
            )

    def heard(self) -> list[str]:
        try:
            while True:
                self._heard.append(self._systemd.recv(4096).decode())
        except BlockingIOError:
            return self._heard

    def log(self) -> list[str]:
        return [json.loads(line)["message"] for line in (self.site / "log").read_text().splitlines()]

    def fetch(self, path: str) -> str:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.web_port}{path}", timeout=5) as answer:
            return str(answer.read().decode())

    def signal(self, number: int) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    def ignores(self, number: int) -> bool:
        assert self._process is not None
        status = Path(f"/proc/{self._process.pid}/status").read_text()
        ignored = re.search(r"^SigIgn:\s*(\w+)$", status, re.MULTILINE)
        return ignored is not None and bool(int(ignored[1], 16) >> (number - 1) & 1)

    def wait(self) -> int:
        assert self._process is not None
        return self._process.wait(60)

    def end(self) -> int:
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        return self._process.wait(20)

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def close(self) -> None:
        self.kill()
        self._systemd.close()


@pytest.fixture
def device(site: Path, broker: Any) -> Iterator[Device]:
    made = Device(site, broker.port)
    yield made
    made.close()


HUM = "name: hum, bundle: hum.easd, source: 'file:long.wav'"


def windows(device: Device, name: str) -> float:
    try:
        text = device.fetch("/metrics")
    except urllib.error.URLError:
        return 0.0
    for line in text.splitlines():
        if line.startswith(f'edge_asd_windows_scored_total{{source="{name}"}}'):
            return float(line.split()[1])
    return 0.0


def test_systemd_hears_of_readiness_of_life_and_of_the_end(device: Device) -> None:
    device.write(HUM)
    device.start()
    wait_until(lambda: device.heard().count("WATCHDOG=1") > 3)
    assert device.heard()[0] == "READY=1\nSTATUS=listening to 1 source(s)"
    assert json.loads(device.fetch("/healthz"))["status"] == "ok"
    assert device.end() == 0
    assert device.heard()[-1] == "STOPPING=1"


def test_a_scorer_that_hangs_silences_the_watchdog_and_nothing_else(device: Device) -> None:
    device.write(HUM, "name: stuck, bundle: hum.easd, source: 'file:long.wav?speed=max'")
    device.start(
        "import time, threading\n"
        "from edge_asd.daemon import listener\n"
        "listener._SPARE_S = 0.5\n"
        "process = listener.Pipeline.process\n"
        "def hang(self, samples):\n"
        "    if 'stuck' in threading.current_thread().name:\n"
        "        time.sleep(600)\n"
        "    return process(self, samples)\n"
        "listener.Pipeline.process = hang"
    )
    wait_until(lambda: "WATCHDOG=1" in device.heard())

    def healthz() -> Any:
        try:
            return json.loads(device.fetch("/healthz"))
        except urllib.error.HTTPError as error:
            return json.loads(error.read())

    wait_until(lambda: healthz()["stuck"] == ["stuck"])
    pings, scored = device.heard().count("WATCHDOG=1"), windows(device, "hum")
    time.sleep(2)
    assert device.heard().count("WATCHDOG=1") == pings
    assert windows(device, "hum") > scored


def test_a_changed_configuration_is_carried_out_and_who_is_not_concerned_goes_on(device: Device, broker: Any) -> None:
    device.write(HUM)
    device.start()
    wait_until(lambda: windows(device, "hum") >= 4)
    device.write(HUM, HUM.replace("name: hum", "name: other"))
    device.signal(signal.SIGHUP)
    wait_until(lambda: windows(device, "other") >= 2)
    assert windows(device, "hum") >= 6
    with broker.listener() as listener:
        info = listener.wait_for(lambda message: message.topic.endswith("/info"))[0].json()
        assert [source["name"] for source in info["sources"]] == ["hum", "other"]
        health = listener.wait_for(lambda message: message.topic.endswith("/health"))[0].json()
        assert (health["reloads"]["done"], health["reloads"]["refused"]) == (1, 0)


def test_who_asks_for_a_reload_before_the_daemon_is_ready_does_not_end_it(device: Device) -> None:
    device.write(HUM)
    device.start()
    wait_until(lambda: device.ignores(signal.SIGHUP), every_s=0.002)
    device.signal(signal.SIGHUP)
    wait_until(lambda: windows(device, "hum") >= 2)
    assert device.end() == 0


def test_a_recording_that_has_ended_is_not_played_again(device: Device, broker: Any) -> None:
    soundfile.write(device.site / "short.wav", np.concatenate([hum(10, 1), hum(10, 2, wrong=True)]), RATE)
    short = "name: short, bundle: hum.easd, source: 'file:short.wav?speed=max'"
    with broker.listener("edge-asd/+/short/event") as listener:
        device.write(HUM, short)
        device.start()
        listener.wait_for(lambda message: message.json()["type"] == "end")
        device.signal(signal.SIGHUP)
        wait_until(lambda: len([line for line in device.log() if "reloaded: 2" in line]) == 1)
        # Another publisher, and another crew with it.
        device.write(HUM, short, device="bench-2")
        with broker.listener("edge-asd/bench-2/short/state") as states:
            (told,) = states.wait_for(lambda message: message.json()["microphone"] == "ended")
            assert told.json()["reason"] == "the recording has ended"
        wait_until(lambda: windows(device, "hum") >= 2)
        assert [message.json()["type"] for message in listener.messages("short/event")].count("new") == 1


def test_a_reload_that_leads_to_another_broker_is_answered(device: Device, broker: Any) -> None:
    device.write(HUM)
    device.start()
    wait_until(lambda: windows(device, "hum") >= 2)
    with broker.listener("edge-asd/bench-1/response/reload") as listener:
        device.write(HUM, mqtt="host: localhost")
        where = ["-h", "127.0.0.1", "-p", str(broker.port), "-t", "edge-asd/bench-1/request/reload"]
        subprocess.run(["mosquitto_pub", *where, "-m", '{"transaction": 23}'], check=True)
        (answer,) = listener.wait_for(lambda message: message.json()["transaction"] == 23, timeout_s=30)
        assert answer.json()["status"] == "ok"


def test_an_anomaly_that_a_kill_has_left_without_an_end_gets_it_at_the_next_start(device: Device, broker: Any) -> None:
    soundfile.write(device.site / "wrong.wav", np.concatenate([hum(4, 1), hum(60, 2, wrong=True)]), RATE)
    with broker.listener("edge-asd/bench-1/hum/event") as listener:
        device.write(HUM.replace("long.wav", "wrong.wav"))
        device.start()
        new = listener.wait_for(lambda message: message.json()["type"] == "new")[0].json()
        # The broker has it, and so has the disk.
        time.sleep(0.5)
        device.kill()
        device.write(HUM)
        device.start()
        end = listener.wait_for(lambda message: message.json()["type"] == "end")[0].json()
        assert (end["id"], end["reason"], end["since"]) == (new["id"], "restarted", new["since"])
        assert end["ts"] > new["ts"]
        wait_until(lambda: windows(device, "hum") >= 1)
        assert device.end() == 0
        device.start()
        wait_until(lambda: windows(device, "hum") >= 1)
        assert [message.json()["type"] for message in listener.messages("event")].count("end") == 1


def test_with_once_a_reload_is_not_the_end(device: Device) -> None:
    soundfile.write(device.site / "short.wav", hum(15, 1), RATE)
    short = "name: short, bundle: hum.easd, source: 'file:short.wav'"
    device.write(short)
    device.start("", "--once")
    wait_until(lambda: windows(device, "short") >= 1)
    device.write(short, mqtt="host: localhost")
    device.signal(signal.SIGHUP)
    wait_until(lambda: any("reloaded: 1 source(s)" in line for line in device.log()))
    wait_until(lambda: windows(device, "short") >= 3)
    assert device.wait() == 0


def test_nothing_is_left_of_a_source_that_is_listened_to_no_more(device: Device, broker: Any) -> None:
    device.write(HUM, HUM.replace("name: hum", "name: other"))
    device.start()
    wait_until(lambda: windows(device, "other") >= 2)
    state = "edge-asd/bench-1/other/state"
    with broker.listener() as listener:
        listener.wait_for(lambda message: message.topic == state and message.retained and message.payload)
    device.write(HUM)
    device.signal(signal.SIGHUP)
    wait_until(lambda: any("reloaded: 1 source(s)" in line for line in device.log()))
    with broker.listener() as listener:
        listener.wait_for(lambda message: message.topic == "edge-asd/bench-1/hum/state")
        listener.wait_for(lambda message: message.topic.endswith("/health"))
        assert not listener.messages("other/state")
        discovery = "homeassistant/device/bench-1/config"
        (told,) = listener.wait_for(lambda message: message.topic == discovery)
        assert told.json()["cmps"]["other_problem"] == {"p": "binary_sensor"}
    # Back again, it is shown again.
    device.write(HUM, HUM.replace("name: hum", "name: other"))
    device.signal(signal.SIGHUP)
    with broker.listener() as listener:
        listener.wait_for(lambda message: message.topic == state and message.payload)
    # A restart knows what was there before.
    assert device.end() == 0
    device.write(HUM)
    device.start()
    wait_until(lambda: windows(device, "hum") >= 1)
    with broker.listener() as listener:
        listener.wait_for(lambda message: message.topic.endswith("/health"))
        assert not listener.messages("other/state")


def test_a_bundle_that_fails_its_self_test_is_refused_and_the_old_one_goes_on(device: Device, broker: Any) -> None:
    device.write(HUM)
    device.start()
    wait_until(lambda: windows(device, "hum") >= 2)
    good = (device.site / "hum.easd").read_bytes()
    broken = bytearray(good)
    broken[len(broken) // 2] ^= 1
    # Without a signal: the change itself is seen.
    (device.site / "hum.easd").write_bytes(broken)
    wait_until(lambda: any("not reloaded" in line for line in device.log()))
    (line,) = [line for line in device.log() if "not reloaded" in line]
    assert "hum.easd" in line
    before = windows(device, "hum")
    wait_until(lambda: windows(device, "hum") >= before + 2)
    with broker.listener() as listener:
        refused = listener.wait_for(lambda m: m.topic.endswith("/health") and m.json()["reloads"]["refused"] == 1)
        assert "truncated or altered" in refused[0].json()["reloads"]["last_error"]
        (device.site / "hum.easd").write_bytes(good)
        listener.wait_for(lambda m: m.topic.endswith("/health") and m.json()["reloads"]["last_error"] is None)
    assert windows(device, "hum") > before


def test_what_cannot_be_listened_with_is_refused_before_anybody_ceases_to_listen(device: Device) -> None:
    device.write(HUM)
    device.start()
    wait_until(lambda: windows(device, "hum") >= 2)
    bundle = read_bundle(device.site / "hum.easd")
    # The self-test asks nothing of these.
    arrays = {**bundle.arrays, "joint/lengths": np.array([1])}
    write_bundle(device.site / "other.easd", bundle.manifest, arrays, bundle.networks)
    device.write(HUM.replace("hum.easd", "other.easd") + ", decision: {false_alarms_per_week: 1}")
    wait_until(lambda: any("not reloaded" in line for line in device.log()))
    before = windows(device, "hum")
    wait_until(lambda: windows(device, "hum") >= before + 2)


def test_a_bundle_that_is_replaced_while_it_is_tested_is_seen(device: Device, broker: Any) -> None:
    bundle = read_bundle(device.site / "hum.easd")
    manifest = replace(bundle.manifest, versions={"edge-asd": "1"})
    newer = write_bundle(device.site / "newer.easd", manifest, bundle.arrays, bundle.networks)
    device.write(HUM)
    device.start(
        "import os\n"
        "from edge_asd.daemon import plan\n"
        "require = plan.golden.require\n"
        "def replace(bundle, **options):\n"
        "    require(bundle, **options)\n"
        f"    if os.path.exists('{device.site}/newer.easd'):\n"
        f"        os.replace('{device.site}/newer.easd', '{device.site}/hum.easd')\n"
        "plan.golden.require = replace"
    )
    with broker.listener() as listener:
        listener.wait_for(lambda message: message.topic.endswith("/info") and newer.sha256 in message.payload)


def test_certificates_that_are_renewed_under_their_old_names_are_shown(site: Path, make_broker: Any) -> None:
    certificates = Certificates(site)
    device = Device(site, encrypted(make_broker, certificates, "require_certificate true").port)
    (site / "elsewhere").mkdir()
    shutil.copy(Certificates(site / "elsewhere").path("device.crt"), site / "mine.crt")
    shutil.copy(site / "elsewhere" / "device.key", site / "mine.key")
    device.write(HUM, mqtt="host: localhost, tls: {ca_file: ca.pem, cert_file: mine.crt, key_file: mine.key}")
    try:
        device.start()
        wait_until(lambda: any("attempt" in line for line in device.log()))
        shutil.copy(certificates.path("device.crt"), site / "mine.crt")
        shutil.copy(certificates.path("device.key"), site / "mine.key")
        wait_until(lambda: any("connected to the broker" in line for line in device.log()))
    finally:
        device.close()


@pytest.mark.parametrize(
    "text",
    ["device: [", "device: bench-1\n", "", None, "pipe"],
    ids=["no YAML", "incomplete", "empty", "gone", "a pipe"],
)
def test_a_configuration_that_cannot_be_used_is_refused(device: Device, text: str | None) -> None:
    device.write(HUM)
    device.start()
    wait_until(lambda: windows(device, "hum") >= 2)
    if text is None:
        device.config.unlink()
    elif text == "pipe":
        device.config.unlink()
        os.mkfifo(device.config)
    else:
        device.config.write_text(text)
    device.signal(signal.SIGHUP)
    wait_until(lambda: any("not reloaded" in line for line in device.log()))
    before = windows(device, "hum")
    wait_until(lambda: windows(device, "hum") > before)


def test_a_file_that_hangs_keeps_the_daemon_from_nothing(device: Device) -> None:
    device.write(HUM)
    # A pipe stands for a disk that hangs, where nobody asks what it is.
    device.start("import edge_asd.files\nedge_asd.files.require_regular = lambda *_given, **_named: 1")
    wait_until(lambda: windows(device, "hum") >= 2)
    device.config.unlink()
    os.mkfifo(device.config)
    device.signal(signal.SIGHUP)
    time.sleep(0.5)
    pings, before = device.heard().count("WATCHDOG=1"), windows(device, "hum")
    wait_until(lambda: device.heard().count("WATCHDOG=1") > pings + 2 and windows(device, "hum") > before)
    assert device.end() == 0


def test_another_device_id_is_another_device_to_the_broker(device: Device, broker: Any) -> None:
    device.write(HUM)
    device.start()
    wait_until(lambda: windows(device, "hum") >= 2)
    device.write(HUM, device="bench-2")
    device.signal(signal.SIGHUP)
    with broker.listener() as listener:
        for name, word in (("bench-1", "offline"), ("bench-2", "online")):
            topic = f"edge-asd/{name}/availability"
            listener.wait_for(lambda m, topic=topic, word=word: (m.topic, m.payload) == (topic, word))
    wait_until(lambda: windows(device, "hum") >= 2)
    # What the new device has told of is known after a restart too.
    assert device.end() == 0
    device.write(HUM.replace("name: hum", "name: other"), device="bench-2")
    device.start()
    wait_until(lambda: windows(device, "other") >= 1)
    with broker.listener() as listener:
        listener.wait_for(lambda message: message.topic == "edge-asd/bench-2/health")
        assert not listener.messages("bench-2/hum/state")


def test_commands_take_a_snapshot_and_reload(device: Device, broker: Any) -> None:
    device.write(HUM)
    device.start()
    wait_until(lambda: windows(device, "hum") >= 2)
    publish = ["mosquitto_pub", "-h", "127.0.0.1", "-p", str(broker.port), "-t"]
    with broker.listener() as listener:
        subprocess.run([*publish, "edge-asd/bench-1/request/snapshot", "-m", '{"transaction": 1}'], check=True)
        answer = listener.wait_for(lambda message: message.topic.endswith("/response/snapshot"))[0].json()
        assert (answer["status"], answer["transaction"]) == ("ok", 1)
        clip = answer["data"]["clips"]["hum"]
        assert soundfile.info(clip["path"]).samplerate == RATE
        assert Path(clip["picture"]).exists()
        device.write(HUM, device="bench-2")
        subprocess.run([*publish, "edge-asd/bench-1/request/reload", "-n"], check=True)
        topic = "edge-asd/bench-2/availability"
        listener.wait_for(lambda message: (message.topic, message.payload) == (topic, "online"))
    wait_until(lambda: windows(device, "hum") >= 2)
    assert device.end() == 0
