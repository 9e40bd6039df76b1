"""What `edge-asd devices` says of a machine whose sound devices are not as they should be: by PortAudio and ALSA."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

if not Path("/usr/share/alsa/alsa.conf").exists():
    pytest.skip("ALSA is not installed (Debian package libasound2-data)", allow_module_level=True)


def devices(configuration: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "edge_asd", "devices"],
        env={**os.environ, "ALSA_CONFIG_PATH": str(configuration)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def pcm(name: bytes) -> bytes:
    return b'pcm."' + name + b'" { type null hint { show on description "Nothing" } }\n'


def test_a_device_whose_name_is_no_text_hides_no_other(tmp_path: Path) -> None:
    configuration = tmp_path / "asound.conf"
    configuration.write_bytes(b"</usr/share/alsa/alsa.conf>\n" + pcm(b"caf\xe9") + pcm(b"pump") + pcm(b"fan\x1b[31m"))
    done = devices(configuration)
    assert (done.returncode, done.stderr) == (0, "")
    assert "    mic:pump\n" in done.stdout
    assert "    mic:fan\\x1b[31m\n" in done.stdout


def test_a_portaudio_that_cannot_start_is_told_in_one_line(tmp_path: Path) -> None:
    configuration = tmp_path / "asound.conf"
    configuration.write_text("pcm.!default {{{")
    done = devices(configuration)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("edge-asd: PortAudio: cannot start (Error initializing PortAudio")
    assert done.stderr.count("\n") == 1
