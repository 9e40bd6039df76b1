"""`edge-asd devices`: the microphones of this machine."""

from __future__ import annotations

import argparse
import json
from typing import Any

from edge_asd.errors import one_line
from edge_asd.microphones.choice import MicrophoneInfo
from edge_asd.microphones.portaudio import list_microphones, load_portaudio, rates_of

EXAMPLE = """\
  edge-asd devices
  edge-asd devices --format json | jq -r '.[].stable_ids[0]'

Write one into a configuration by any of its names, or by a part of one: source: 'mic:usb-path=1-1.3'. The USB path is
the socket it is plugged into, usb= its vendor, product and serial number: both outlast a reboot, when cards are
numbered anew. A name or a part of it will do where only one microphone has it."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("--format", choices=("text", "json"), default="text", help="how to list them (default: text)")


def run(arguments: argparse.Namespace) -> int:
    """List the microphones."""
    library = load_portaudio()
    found = [(microphone, rates_of(library, microphone)) for microphone in list_microphones(library)]
    if arguments.format == "json":
        print(json.dumps([_document(microphone, rates) for microphone, rates in found], indent=2, ensure_ascii=False))
    else:
        print("\n".join(_lines(microphone, rates) for microphone, rates in found) or "no microphone found")
    return 0


def _document(microphone: MicrophoneInfo, rates: list[int]) -> dict[str, Any]:
    return {
        "name": microphone.name,
        "stable_ids": [f"mic:{word}" for word in microphone.stable_ids],
        "channels": microphone.channels,
        "default_rate": microphone.default_rate,
        "rates": rates,
        "host_api": microphone.host_api,
        "is_default": microphone.is_default,
        "usb": microphone.usb._asdict() if microphone.usb else None,
    }


def _lines(microphone: MicrophoneInfo, rates: list[int]) -> str:
    default = ", the default" if microphone.is_default else ""
    channels = f"{microphone.channels} channel{'s' if microphone.channels != 1 else ''}"
    shown = ", ".join(f"{rate}" for rate in rates) or "none of the usual rates: in use, or a plug without a microphone"
    names = "\n".join(f"    mic:{one_line(word)}" for word in microphone.stable_ids)
    return f"{one_line(microphone.name)}  {channels}, {microphone.host_api}{default}\n{names}\n    Hz: {shown}"
