"""`edge-asd demo`: the whole story on a simulated machine."""

from __future__ import annotations

import argparse
import contextlib
import signal
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

from edge_asd.errors import CheckFailedError, InputError
from edge_asd.recipe.shipped import load_recipe
from edge_asd_export.demo.broker import embedded_broker
from edge_asd_export.demo.folder import Address, Folder
from edge_asd_export.demo.hearing import hear
from edge_asd_export.demo.outcome import describe, judge
from edge_asd_export.demo.picture import draw
from edge_asd_export.demo.replay import replay, topics_of
from edge_asd_export.demo.scenario import HOUR, QUICK, Scenario, checked_snr
from edge_asd_export.demo.sound import write_stretch
from edge_asd_export.demo.subscriber import subscribed
from edge_asd_export.exporter import Exported, check_seed, export
from edge_asd_export.progress import Reporter, reporting
from edge_asd_export.report import describe as describe_export
from edge_asd_export.simulation import FaultKind, Machine, MachineKind, faults_of, write_recordings
from edge_asd_export.simulation.machine import require_fault

EXAMPLE = """\
  edge-asd demo
  edge-asd demo --machine sliding --fault belt-slip --snr 6
  edge-asd demo --quick --broker localhost:1883 -o demo-here

Simulates normal sound of a machine in a factory, learns it, and replays an hour in which a fault comes and grows to the
daemon, which tells a broker: one of its own, unless another is given. Leaves recordings, bundle, configuration, clips
of the alarms and a picture in the folder.

exit status: 0 an alarm came during the fault and none before it, 1 otherwise, 2 bad usage"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("--machine", default="rotating", metavar="KIND", help=_kinds())
    parser.add_argument("--fault", metavar="KIND", help="what goes wrong (default: the first of the machine's own)")
    parser.add_argument("--snr", type=float, default=0.0, metavar="DB", help="machine over factory noise (default: 0)")
    parser.add_argument("--seed", type=int, default=0, help="which machine, and which hour of its life (default: 0)")
    parser.add_argument("-o", "--output", type=Path, metavar="DIR", help="folder to write (default: demo-MACHINE)")
    parser.add_argument("--broker", metavar="HOST:PORT", help="broker to tell, instead of one of its own")
    parser.add_argument("--quick", action="store_true", help="six minutes instead of an hour, and fewer recordings")
    parser.add_argument("--quiet", action="store_true", help="show no progress")


def _kinds() -> str:
    kinds = (f"{kind} ({', '.join(faults_of(kind))})" for kind in get_args(MachineKind))
    return f"{'; '.join(kinds)} (default: rotating)"


def run(arguments: argparse.Namespace) -> int:
    """Tell the whole story, and say whether it went as it should."""
    scenario = _scenario(arguments)
    given = None if arguments.broker is None else broker_address(arguments.broker)
    machine = scenario.machine.kind
    folder = Folder(arguments.output or Path(f"demo-{machine}"), machine)
    with _ended_by_sigterm_too(), contextlib.ExitStack() as stack:
        broker = given or stack.enter_context(embedded_broker())
        subscriber = stack.enter_context(subscribed(broker, topics_of(folder)))
        folder.prepare(given)
        # Bars of their own for each chapter, so that on a terminal what is said stands where it was said.
        with reporting(quiet=arguments.quiet) as reporter:
            exported = _learn(scenario, folder, reporter)
        _show(describe_export(exported, folder.bundle))
        with reporting(quiet=arguments.quiet) as reporter:
            write_stretch(folder.stretch, scenario, reporter)
            hearing = hear(folder.stretch, exported.bundle, reporter)
        with reporting(quiet=arguments.quiet) as reporter:
            told = replay(folder, hearing, broker, subscriber, _show, reporter)
    outcome = judge(scenario, told)
    draw(folder.picture, scenario, hearing, outcome)
    if not outcome.holds:
        raise CheckFailedError(f"{describe(scenario, outcome)}; see {folder.picture}")
    said = textwrap.fill(describe(scenario, outcome), 100, initial_indent="outcome     ", subsequent_indent=" " * 12)
    print(f"\n{said}\npicture     {folder.picture}\n\n{_next_steps(folder)}")
    return 0


def _show(text: str) -> None:
    print(text, flush=True)


def _scenario(arguments: argparse.Namespace) -> Scenario:
    check_seed(arguments.seed)
    machine = Machine(arguments.machine, unit=arguments.seed)
    fault: FaultKind = faults_of(machine.kind)[0]
    if arguments.fault is not None:
        require_fault(machine.kind, arguments.fault)
        fault = arguments.fault
    return Scenario(machine, fault, checked_snr(arguments.snr), arguments.seed, QUICK if arguments.quick else HOUR)


def broker_address(text: str) -> Address:
    """Read `HOST:PORT`; an IPv6 address stands in brackets.

    Raises
    ------
    InputError
        When it has another form.
    """
    host, _, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not host or not (port.isascii() and port.isdigit()) or not 1 <= int(port) <= 65535:
        raise InputError("--broker", expected="HOST:PORT, such as localhost:1883", found=repr(text))
    return Address(host, int(port))


def _learn(scenario: Scenario, folder: Folder, reporter: Reporter) -> Exported:
    lengths = scenario.lengths
    recordings = write_recordings(
        folder.root,
        scenario.machine,
        lengths.clips,
        lengths.clip_seconds,
        seed=scenario.seed,
        snr_db=scenario.snr_db,
        reporter=reporter,
    )
    return export(recordings, load_recipe("default"), folder.bundle, seed=scenario.seed, reporter=reporter)


@contextlib.contextmanager
def _ended_by_sigterm_too() -> Iterator[None]:
    # Without it, SIGTERM would end this process at once, and leave the daemon behind.
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _next_steps(folder: Folder) -> str:
    return f"""\
try next:
  edge-asd verify {folder.bundle}
  edge-asd score {folder.bundle} {folder.recordings} {folder.stretch}
  edge-asd export {folder.recordings} -o again.easd --seed 7
  edge-asd monitor {folder.configuration} --once      # with a broker running, such as `mosquitto -v`"""
