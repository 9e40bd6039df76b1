"""The recipe: a whole anomaly detection system as a small graph of named words.

Branches turn sound into rows of features; parts judge the rows of one or more branches and give each a calibrated tail
probability; the parts are joined into one score, and a threshold is set on it::

    branch: front end → patch → model → pooling → transform ─┐
    branch: …                                                ┴─ part: detector → aggregation → tail ─┐
                                                                part: …                              ┴─ join → threshold
"""

from __future__ import annotations

from collections.abc import Container
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from edge_asd.recipe.aggregation import AggregationSettings, Mean
from edge_asd.recipe.detectors import DetectorSettings
from edge_asd.recipe.front_ends import FrontEnd, SegmentLength
from edge_asd.recipe.models import Model, Pretrained, QuantizationChoice, TfliteFile, Trained
from edge_asd.recipe.pooling import PoolingSettings
from edge_asd.recipe.transform import TransformSettings
from edge_asd.settings import Fraction, Identifier, NonNegativeFloat, PositiveFloat, PositiveInt, Settings


class Horizon(Settings):
    """The stretch of sound that one decision looks at."""

    seconds: Annotated[float, Meta(gt=0, le=3600)] = 10.0
    """Length, in seconds."""
    hop_seconds: Annotated[float, Meta(ge=0.01, le=3600)] = 1.0
    """Time from one decision to the next, in seconds."""


class Patch(Settings):
    """How frames are cut into what a model takes."""

    frames: PositiveInt = 1
    """Length, in frames."""
    hop: Annotated[int, Meta(ge=1, le=1_000_000)] = 1
    """Frames from one patch to the next."""
    segment_hop: SegmentLength | None = None
    """Samples from one segment to the next, for a front end that takes whole segments, each of which is then a patch;
    a segment's length where left out."""
    level: Literal["keep", "remove"] = "keep"
    """`remove` subtracts the patch's own mean, so that on a logarithmic scale the microphone's gain has no effect."""


class Branch(Settings):
    """Sound → rows of features."""

    front_end: FrontEnd
    """Samples → frames."""
    patch: Patch = msgspec.field(default_factory=Patch)
    """Frames → patches."""
    model: Model | None = None
    """Patches → rows; left out, a patch is a row."""
    pooling: PoolingSettings = "none"
    """Rows of a horizon → one row, or `none` to judge each row by itself."""
    transform: TransformSettings = msgspec.field(default_factory=TransformSettings)
    """Standardization and principal components."""


class Part(Settings):
    """Rows of its branches, side by side → one score for the horizon."""

    branches: Annotated[list[Identifier], Meta(min_length=1)]
    """Branches whose rows are judged, joined side by side."""
    detector: DetectorSettings
    """Rows → scores."""
    aggregation: AggregationSettings = msgspec.field(default_factory=Mean)
    """Scores of a horizon's rows → one score."""
    scale: Literal["linear", "log"] = "linear"
    """`log` takes the natural logarithm of the score, so that its tail is a power law and cannot explode."""
    least_spread: NonNegativeFloat = 0.02
    """Least mean excess of normal scores over their median that the tail assumes, in the unit of the scale: a smaller
    one, seen in few recordings, would make a trifle an alarm."""
    enabled: bool = True
    """Whether the part has a say; a level part is switched off where a microphone's gain is not fixed."""


class Threshold(Settings):
    """How the threshold is set on cross-fitted scores of normal sound."""

    rule: Literal["gamma", "quantile", "tail", "gpd", "false-alarms"] = "tail"
    """`gamma`: a gamma distribution fitted to the scores; `quantile`: their empirical quantile; `tail`: the calibrated
    tails, which reach beyond what was recorded; `gpd`: a generalized Pareto distribution fitted to the upper tenth;
    `false-alarms`: so many false alarms per week, with the decision rate, the hysteresis and how the scores follow one
    another."""
    false_alarm_probability: Fraction = 0.001
    """Share of normal horizons that may reach the threshold; `false-alarms` does not read it."""
    false_alarms_per_week: PositiveFloat = 1.0
    """False alarms that a week of normal sound may raise; only `false-alarms` reads it."""


class Recipe(Settings):
    """A whole system, from sound to threshold."""

    name: Annotated[str, Meta(pattern=r"^(?!(.*/)?[./])[a-z0-9._/-]{1,80}(?!\n)$")]
    """Name of the recipe. Folders of results bear it, so neither it nor what follows a slash in it begins with a dot or
    a slash."""
    description: str = ""
    """What it is, in a sentence or two."""
    sample_rate: Annotated[int, Meta(ge=1000, le=384000)] = 16000
    """Rate that all sound is brought to, in hertz."""
    channel: Annotated[int, Meta(ge=0)] | Literal["mix"] = 0
    """Channel of the recordings, counted from 0, or `mix` for the mean of all."""
    horizon: Horizon = msgspec.field(default_factory=Horizon)
    """The stretch of sound that one decision looks at."""
    branches: Annotated[dict[Identifier, Branch], Meta(min_length=1)]
    """Branches by name."""
    parts: Annotated[dict[Identifier, Part], Meta(min_length=1)]
    """Parts by name."""
    join: Literal["tail", "minimum", "none"] = "tail"
    """`tail`: the joint score is −log10 of the smallest calibrated tail probability, corrected for the number of parts;
    `minimum`: the smallest of the parts' scores, as their detectors give them, for parts that are alike; `none`: the
    score of the only part."""
    folds: Annotated[int, Meta(ge=2, le=20)] = 5
    """Folds of contiguous stretches for cross-fitting."""
    threshold: Threshold = msgspec.field(default_factory=Threshold)
    """How the threshold is set."""
    one_model_for: Literal["unit", "machine"] = "unit"
    """What gets a model of its own where a data set is evaluated: each id or section, or a machine with all of them. An
    export makes one of all the recordings that it is given."""

    def __post_init__(self) -> None:
        for name, part in self.parts.items():
            self._check_branches(name, part)
        if not self.enabled_parts:
            raise ValueError("expected at least one part that is enabled, found none")
        if self.join == "none" and len(self.enabled_parts) > 1:
            raise ValueError("join 'none' goes with a single part; use 'tail' to join several")

    @property
    def enabled_parts(self) -> dict[str, Part]:
        """The parts that have a say."""
        return {name: part for name, part in self.parts.items() if part.enabled}

    @property
    def used_branches(self) -> dict[str, Branch]:
        """The branches that an enabled part judges."""
        used = {name for part in self.enabled_parts.values() for name in part.branches}
        return {name: branch for name, branch in self.branches.items() if name in used}

    @property
    def horizon_samples(self) -> int:
        """Length of the horizon, in samples."""
        return round(self.horizon.seconds * self.sample_rate)

    @property
    def hop_samples(self) -> int:
        """Samples from one decision to the next."""
        return max(1, round(self.horizon.hop_seconds * self.sample_rate))

    @property
    def pretrained_branches(self) -> dict[str, Branch]:
        """The used branches whose model has its weights from elsewhere."""
        return {name: branch for name, branch in self.used_branches.items() if isinstance(branch.model, Pretrained)}

    @property
    def trained_branches(self) -> dict[str, Branch]:
        """The used branches whose model is trained at export."""
        return {name: branch for name, branch in self.used_branches.items() if isinstance(branch.model, Trained)}

    def without_models(self, *, except_for: Container[str] = ()) -> Recipe:
        """Return the same recipe with models left out, so that the patches of such a branch are its rows."""
        branches = {
            name: branch if name in except_for else msgspec.structs.replace(branch, model=None)
            for name, branch in self.branches.items()
        }
        return msgspec.structs.replace(self, branches=branches)

    def judging_only(self, branch: str) -> Recipe:
        """Return a recipe of the parts that judge this branch, and of nothing beside it."""
        parts = {
            name: msgspec.structs.replace(part, branches=[branch])
            for name, part in self.enabled_parts.items()
            if branch in part.branches
        }
        return msgspec.structs.replace(self, branches={branch: self.branches[branch]}, parts=parts, join="tail")

    def quantized(self, quantization: QuantizationChoice, *branches: str) -> Recipe:
        """Return the same recipe with the nets of these branches stored so, or every net where none is named.

        A TFLite file of the user's is taken as it is.
        """
        replace = msgspec.structs.replace
        changed = {
            name: replace(branch, model=replace(branch.model, quantize=quantization))
            for name, branch in self.branches.items()
            if branch.model and not isinstance(branch.model, TfliteFile) and (not branches or name in branches)
        }
        return replace(self, branches={**self.branches, **changed})

    def _check_branches(self, name: str, part: Part) -> None:
        for branch in part.branches:
            if branch not in self.branches:
                known = ", ".join(self.branches)
                raise ValueError(f"parts.{name}.branches: expected one of {known}, found {branch!r}")
        unpooled = [branch for branch in part.branches if self.branches[branch].pooling == "none"]
        if unpooled and len(part.branches) > 1:
            raise ValueError(
                f"parts.{name}.branches: rows can stand side by side only when pooled, {unpooled[0]!r} is not"
            )
