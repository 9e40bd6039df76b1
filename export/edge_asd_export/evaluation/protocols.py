"""The field's protocols: which layout, which recordings train and which test, which figures, which mean."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple

import numpy as np

from edge_asd_export.evaluation.datasets import Clip, Layout, LeftOut, UnitName
from edge_asd_export.evaluation.metrics import Rule, arithmetic_mean, harmonic_mean

ProtocolName = Literal["mimii-random", "mimii-official", "dcase2020", "dcase2021", "dcase2022+", "folders"]


class Divided(NamedTuple):
    """What a unit's model is trained on and tested with."""

    train: list[Clip]
    test: list[Clip]
    notes: list[str]
    """What the protocol asks for and the data set cannot give."""
    unused: Sequence[tuple[Clip, str]] = ()
    """What is in neither set though nobody asked for fewer, and why."""


class Protocol(NamedTuple):
    """One protocol."""

    name: ProtocolName
    summary: str
    layout: Layout
    rule: Rule
    divide: Callable[[UnitName, Sequence[Clip], int, int | None], Divided]
    """A unit's clips, a seed and the wanted number of test clips per class → training and test set."""
    mean: Callable[[Sequence[float]], float]
    """How figures are averaged over units."""
    mean_name: str
    """`mean` or `harmonic mean`."""


def _balanced(unit: UnitName, clips: Sequence[Clip], seed: int, per_class: int | None) -> Divided:
    """Draw as many test normals as there are anomalies at random, or `per_class` of both; the other normals train."""
    normal, anomalous = _by_label(clips)
    order = _generator(unit, seed)
    wanted, notes = _test_size(normal, anomalous, per_class)
    drawn = set(order.permutation(len(normal))[:wanted].tolist())
    kept = sorted(order.permutation(len(anomalous))[:per_class].tolist())
    return Divided(
        train=[clip for index, clip in enumerate(normal) if index not in drawn],
        test=[*(clip for index, clip in enumerate(normal) if index in drawn), *(anomalous[index] for index in kept)],
        notes=notes,
        unused=[(clip, "its label is held back") for clip in clips if clip.label is None],
    )


def _first_sorted(unit: UnitName, clips: Sequence[Clip], seed: int, per_class: int | None) -> Divided:  # noqa: ARG001
    """MIMII's own baseline: the first N normal recordings by name test, beside N anomalous ones."""
    normal, anomalous = (sorted(group, key=lambda clip: clip.path.as_posix()) for group in _by_label(clips))
    wanted, notes = _test_size(normal, anomalous, per_class)
    return Divided(train=normal[wanted:], test=[*normal[:wanted], *anomalous[:per_class]], notes=notes)


def _as_published(unit: UnitName, clips: Sequence[Clip], seed: int, per_class: int | None) -> Divided:  # noqa: ARG001
    """Train on the training set, test with all of the test set; only what is normal trains."""
    return Divided(
        train=[clip for clip in clips if clip.split == "train" and clip.label == "normal"],
        test=[clip for clip in clips if clip.split == "test"],
        notes=[] if per_class is None else ["all of its test set is taken, whatever --test-clips says"],
        unused=[(clip, reason) for clip in clips if (reason := _neither(clip))],
    )


def _neither(clip: Clip) -> str:
    if clip.split is None:
        return "neither its name nor a folder says whether it trains or tests"
    if clip.split == "train" and clip.label != "normal":
        return "in the training set, but not normal"
    return ""


def _folders(unit: UnitName, clips: Sequence[Clip], seed: int, per_class: int | None) -> Divided:
    """Keep to folders `train` and `test`, or `test` and what is beside it, else draw as the papers on MIMII do."""
    if not {clip.split for clip in clips} >= {"train", "test"}:
        if {clip.split for clip in clips if clip.label == "normal"} != {None, "test"}:
            return _balanced(unit, clips, seed, per_class)
        # Where no folder says `train`, what is normal and not kept for testing trains, as it does in `export`.
        clips = [clip._replace(split=clip.split or ("train" if clip.label == "normal" else "test")) for clip in clips]
    return _as_published(unit, clips, seed, per_class)


def _by_label(clips: Sequence[Clip]) -> tuple[list[Clip], list[Clip]]:
    return ([clip for clip in clips if clip.label == "normal"], [clip for clip in clips if clip.label == "anomalous"])


def _test_size(normal: Sequence[Clip], anomalous: Sequence[Clip], per_class: int | None) -> tuple[int, list[str]]:
    wanted = len(anomalous)
    notes: list[str] = []
    if per_class is not None:
        wanted = min(per_class, wanted)
        if wanted < per_class:
            notes.append(f"{wanted} test anomalies instead of {per_class}, for there are no more")
    # At least half of the normal recordings train, however many anomalies there are.
    most = len(normal) // 2
    if wanted > most:
        notes.append(f"{most} test normals instead of {wanted}, so that half of the {len(normal)} normals train")
    return min(wanted, most), notes


def _generator(unit: UnitName, seed: int) -> np.random.Generator:
    # By name, so that a unit's split does not depend on which other units there are.
    digest = hashlib.sha256(f"{unit}|{seed}".encode("utf-8", "surrogateescape")).digest()
    return np.random.default_rng(int.from_bytes(digest[:8], "little"))


PROTOCOLS: dict[str, Protocol] = {
    protocol.name: protocol
    for protocol in (
        Protocol(
            "mimii-random",
            "MIMII; as many test normals as anomalies, drawn at random by the seed",
            "mimii",
            "plain",
            _balanced,
            arithmetic_mean,
            "mean",
        ),
        Protocol(
            "mimii-official",
            "MIMII; the first N normals in the order of their names test",
            "mimii",
            "plain",
            _first_sorted,
            arithmetic_mean,
            "mean",
        ),
        Protocol(
            "dcase2020",
            "DCASE 2020 task 2; AUC and pAUC by id, mean over ids",
            "dcase2020",
            "plain",
            _as_published,
            arithmetic_mean,
            "mean",
        ),
        Protocol(
            "dcase2021",
            "DCASE 2021 task 2; both within each domain, harmonic mean over sections",
            "dcase2021",
            "dcase2021",
            _as_published,
            harmonic_mean,
            "harmonic mean",
        ),
        Protocol(
            "dcase2022+",
            "DCASE 2022 and later; a domain's normals against all anomalies",
            "dcase2021",
            "dcase2022+",
            _as_published,
            harmonic_mean,
            "harmonic mean",
        ),
        Protocol(
            "folders",
            "folders normal/ and anomalous/; a folder test/ tests, else split as mimii-random does",
            "folders",
            "plain",
            _folders,
            arithmetic_mean,
            "mean",
        ),
    )
}
"""Every protocol by its name."""


def lacks(unit: UnitName, clips: Sequence[Clip], divided: Divided, rule: Rule) -> LeftOut | None:
    """Return why a unit of these clips, divided so, cannot be evaluated; None where it can."""
    labels = {clip.label for clip in divided.test}
    if not divided.train:
        return LeftOut(str(unit), "no normal recording to train on")
    if not divided.test:
        published = any(clip.split for clip in clips)
        return LeftOut(str(unit), f"no {'' if published else 'anomalous '}recording to test with")
    if labels == {None}:
        return None
    for label in ("normal", "anomalous"):
        if label not in labels:
            return LeftOut(str(unit), f"no {label} recording to test with")
    if rule != "plain" and {clip.domain for clip in divided.test} == {None}:
        return LeftOut(str(unit), "no domain in any test recording's name")
    return None
