"""`edge-asd devices`: the microphones of this machine."""

from __future__ import annotations

import argparse

from edge_asd.capture import list_microphones

EXAMPLE = "  edge-asd devices\n\nWrite one into a configuration by its name, or a part of it: source: 'mic:USB Audio'"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments: none."""


def run(arguments: argparse.Namespace) -> int:
    """List the microphones."""
    microphones = list_microphones()
    for microphone in microphones:
        print(
            f"{microphone.name}  {microphone.channels} channel(s), {microphone.default_rate} Hz, {microphone.host_api}"
        )
    if not microphones:
        print("no microphone found")
    return 0
