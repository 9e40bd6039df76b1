"""`edge-asd weights`: the pretrained weights of published nets."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

from edge_asd.errors import CheckFailedError
from edge_asd_export.nets import NETS, require_fit
from edge_asd_export.progress import reporting
from edge_asd_export.weights.files import WeightsFile
from edge_asd_export.weights.registry import SOURCES, Source, find_source
from edge_asd_export.weights.store import Assurance, Store

EXAMPLE = """\
  edge-asd weights list                                which there are, which are here, under which licence
  edge-asd weights fetch openl3-mel128-env             download; a cut transfer goes on where it stopped
  edge-asd weights add vggish ~/vggish_model.ckpt      take a file that was downloaded elsewhere
  edge-asd weights verify                              are those that are here still what was published, or came?

Every file is checked against its published checksum, or the net that it belongs to where there is none, and read
without running anything in it. 'export' finds what is here by itself; any other file is given to it with --weights."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION", help="what to do")
    actions.add_parser("list", help="list all published weights")
    fetch = actions.add_parser("fetch", help="download weights")
    fetch.add_argument("name", help="name of the weights, as 'list' shows it")
    fetch.add_argument("--url", help="mirror to download from; the checksum stays the published one")
    fetch.add_argument("--quiet", action="store_true", help="show no progress")
    add = actions.add_parser("add", help="take a file that was downloaded elsewhere")
    add.add_argument("name", help="name of the weights, as 'list' shows it")
    add.add_argument("file", type=Path, help="the file")
    actions.add_parser("verify", help="check the weights that are here")
    for action in actions.choices.values():
        action.add_argument("--folder", type=Path, help="folder of the weights (default: in the user's cache)")


def run(arguments: argparse.Namespace) -> int:
    """Do what was asked for."""
    return _ACTIONS[arguments.action](arguments, Store(arguments.folder, _require_fit))


def _require_fit(source: Source, weights: WeightsFile) -> None:
    for net in NETS:
        if net in source.nets:
            require_fit(net, weights)


def _list(arguments: argparse.Namespace, store: Store) -> int:
    print(f"{'name':<22} {'size':>8}  {'licence':<13} {'here':<15} checksum")
    for name, source in SOURCES.items():
        kept = store.find(name)
        here = kept.origin if kept else "-"
        checksum = source.checksum[:21] or "none known"
        print(f"{name:<22} {source.megabytes:>5.0f} MB  {source.licence:<13} {here:<15} {checksum}")
    return 0


def _fetch(arguments: argparse.Namespace, store: Store) -> int:
    with reporting(quiet=arguments.quiet) as reporter:
        path = store.fetch(arguments.name, reporter, url=arguments.url)
    print(f"{arguments.name}  {path}  ({find_source(arguments.name).licence})")
    return 0


def _add(arguments: argparse.Namespace, store: Store) -> int:
    path = store.add(arguments.name, arguments.file)
    print(f"{arguments.name}  {path}  ({find_source(arguments.name).licence})")
    return 0


def _verify(arguments: argparse.Namespace, store: Store) -> int:
    faults = store.verify()
    for name, fault in faults.items():
        print(f"{name:<22} {fault or _IN_WORDS[store.assurance(name)]}")
    if not faults:
        print(f"no weights in {store.folder}")
    bad = [name for name, fault in faults.items() if fault]
    if bad:
        raise CheckFailedError(f"weights: expected all as they came, found {', '.join(bad)} changed")
    return 0


_IN_WORDS: dict[Assurance, str] = {
    "published": "as published",
    "came": "as it came (no checksum is published)",
    "fits": "weights of its net (nothing tells whether they changed)",
}
_ACTIONS: dict[str, Callable[[argparse.Namespace, Store], int]] = {
    "list": _list,
    "fetch": _fetch,
    "add": _add,
    "verify": _verify,
}
