"""The signal's way through one bundle: samples → frames → features → patches → rows → scores.

`Rows` is the half that needs no fitting but the nets': sound in, the rows of every branch out, one set per decision.
`Judge` is the fitted half: rows in, the score of each part out. `Joiner` makes one calibrated score of them. `Pipeline`
is all three. The export tool fits each on what the one before gives, so that a detector never sees other rows than the
device's own.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from edge_asd.bundle import Bundle, arrays_under
from edge_asd.detector import build_detector
from edge_asd.embedding import build_embedder
from edge_asd.errors import InputError
from edge_asd.explanation import Explainer, Explanation
from edge_asd.features import SegmentFrontEnd, StreamFrontEnd, build_front_end
from edge_asd.frames import Framer, History
from edge_asd.interpreter import Engine, require_runtime
from edge_asd.pooling import aggregate, pool
from edge_asd.recipe.front_ends import FrontEnd
from edge_asd.recipe.graph import Branch, Part, Recipe
from edge_asd.tail import build_tail, join_tails
from edge_asd.transform import build_transform

_LN10 = math.log(10.0)
_LEAST_SCORE = 1e-12
"""What a score of 0 counts as on a logarithmic scale."""

_HORIZON_LIMIT = 1 << 28
"""Most numbers that the rows of one branch may be in a horizon: a gibibyte."""

RowSet = dict[str, NDArray[np.float32]]
"""The rows of one horizon by branch, each of shape (n, d)."""


class Score(NamedTuple):
    """What one horizon of sound was found to be."""

    end: int
    """Sample at which the horizon ends, counted from the start of the stream."""
    value: float
    """The joint score: higher is more anomalous."""
    parts: dict[str, float]
    """−log10 of each part's tail probability: 3 is reached by one normal horizon in a thousand."""


class Pipeline:
    """Sound → scores, with one bundle.

    However the sound is cut into blocks, the scores are the same.

    Raises
    ------
    InputError
        When an array or a net of the bundle does not fit its recipe.
    """

    def __init__(self, bundle: Bundle, *, engine: Engine | None = None) -> None:
        require_interpreter(bundle)
        self._rows = Rows(bundle.recipe, bundle.networks, engine=engine, where=bundle.where)
        self._judge = Judge(bundle.recipe, bundle.arrays, where=bundle.where)
        statistics = arrays_under(bundle.arrays, "explanation")
        self._explainer = Explainer(bundle.recipe, statistics, f"{bundle.where}: explanation")
        self._joiner = Joiner(bundle.recipe, bundle.arrays, where=bundle.where)

    def process(self, samples: NDArray[np.float32]) -> Iterator[Score]:
        """Take samples, shape (n,), mono at the recipe's rate, and give a score for each decision that falls due."""
        for end, rows in self._rows.process(samples):
            yield self._joiner.score(self._judge.part_scores(self._judge.features(rows)), end)

    def explain(self) -> Explanation:
        """Say what stands out in the horizon of the score that `process` gave last."""
        return self._explainer.explain(self._rows.latest())

    def gap(self, lost: int | None = None) -> None:
        """Say that `lost` samples are missing here, or an unknown number."""
        self._rows.gap(lost)

    def reset(self) -> None:
        """Start afresh at sample 0."""
        self._rows.reset()


def require_interpreter(bundle: Bundle) -> None:
    """Refuse a bundle with nets that this machine's interpreter is too old for; an InputError names what is needed."""
    for name, record in bundle.manifest.networks.items():
        require_runtime(record.minimum_runtime, f"{bundle.where}: branches.{name}")


class Rows:
    """Sound → the rows of every branch, one set for each decision.

    The first decision falls due when one horizon of sound was heard, the next ones a hop later each. At a decision
    every branch gives its latest rows: as many as one horizon holds. What was lost leaves fewer, and none of them from
    before the horizon; where a branch has less than half of its rows, there is no decision.

    Parameters
    ----------
    recipe
        What to compute.
    networks
        TFLite files by `branches/NAME`.
    engine
        What computes the nets; one thread of the processor where left out.
    where
        How errors name the bundle.
    """

    def __init__(
        self, recipe: Recipe, networks: Mapping[str, bytes], *, engine: Engine | None = None, where: str
    ) -> None:
        self._horizon, self._hop = recipe.horizon_samples, recipe.hop_samples
        self._streams = [
            FrontStream(branches[0][1].front_end, dict(branches), recipe, networks, engine or Engine(), where)
            for branches in _sharing_a_front_end(recipe)
        ]
        self._end = 0
        self._missing = self._horizon

    def process(self, samples: NDArray[np.float32]) -> Iterator[tuple[int, RowSet]]:
        """Take samples, and give the end and the rows of each horizon that falls due.

        The rows are views that hold until the next step.
        """
        while len(samples):
            piece, samples = samples[: self._missing], samples[self._missing :]
            for stream in self._streams:
                stream.process(piece)
            self._end += len(piece)
            self._missing -= len(piece)
            if self._missing == 0:
                self._missing = self._hop
                if all(stream.has_enough(self._end) for stream in self._streams):
                    yield self._end, self.latest()

    def of_recording(self, blocks: Iterable[NDArray[np.float32]]) -> Iterator[tuple[int, RowSet]]:
        """Start afresh, and give what `process` gives of a recording's blocks, one after another."""
        self.reset()
        for block in blocks:
            yield from self.process(block)

    def latest(self) -> RowSet:
        """Return the rows of the latest horizon, as views that hold until the next step."""
        return {name: rows for stream in self._streams for name, rows in stream.latest(self._end)}

    def gap(self, lost: int | None = None) -> None:
        """Say that sound is missing here: no frame joins what stands on its two sides.

        A gap shorter than the hop leaves the horizon as it is; after a longer or unknown one it fills up afresh.
        """
        self._end += lost or 0
        brief = lost is not None and lost < self._hop
        for stream in self._streams:
            stream.gap(self._end, forget=not brief)
        if not brief:
            self._missing = self._horizon

    def reset(self) -> None:
        """Start afresh at sample 0."""
        self._end = 0
        self.gap()


class FrontStream:
    """One front end, and the branches that share it.

    A front end without padding works on frames of one grid, which the branches cut into patches. One that takes whole
    segments gives a patch for each, because its padding belongs to the segment.
    """

    def __init__(
        self,
        settings: FrontEnd,
        branches: Mapping[str, Branch],
        recipe: Recipe,
        networks: Mapping[str, bytes],
        engine: Engine,
        where: str,
    ) -> None:
        self._front_end = front_end = build_front_end(settings, recipe.sample_rate)
        if isinstance(front_end, SegmentFrontEnd):
            length = front_end.segment_length
            hop = next(iter(branches.values())).patch.segment_hop or length
        else:
            length, hop = front_end.frame_length, front_end.hop_length
        frames = _count(recipe.horizon_samples, length, hop)
        self._branches: dict[str, PatchStream] = {}
        for name, branch in branches.items():
            network = networks.get(f"branches/{name}")
            self._branches[name] = PatchStream(
                branch, front_end, hop, frames, recipe.horizon_samples, network, engine, f"{where}: branches.{name}"
            )
        # Only now is it known that a horizon holds a frame, so that no memory is asked for that no horizon fills.
        segmented = isinstance(front_end, SegmentFrontEnd)
        self._framer = Framer(length, hop, chunk=1) if segmented else Framer(length, hop)

    def process(self, samples: NDArray[np.float32]) -> None:
        """Take samples, and pass on what they complete."""
        if isinstance(self._front_end, SegmentFrontEnd):
            for segments in self._framer.process(samples):
                features = self._front_end.process(segments[0])
                for branch in self._branches.values():
                    branch.embed(features[np.newaxis])
        else:
            for frames in self._framer.process(samples):
                features = self._front_end.process(frames)
                for branch in self._branches.values():
                    branch.process(features)

    def has_enough(self, end: int) -> bool:
        """Return whether each branch has rows enough of the horizon that ends at this sample."""
        return all(branch.has_enough(end) for branch in self._branches.values())

    def latest(self, end: int) -> Iterator[tuple[str, NDArray[np.float32]]]:
        """Give each branch's rows of the horizon that ends at this sample."""
        return ((name, branch.latest(end)) for name, branch in self._branches.items())

    def gap(self, position: int, *, forget: bool) -> None:
        """Let nothing reach across this point, the next sample being number `position`; `forget` the rows before."""
        self._framer.gap()
        for branch in self._branches.values():
            branch.gap(position, forget=forget)


def patch_shape(branch: Branch, front_end: StreamFrontEnd | SegmentFrontEnd) -> tuple[int, int]:
    """Return the frames and bands of a branch's patches; a front end that takes segments sets the frames itself."""
    frames = front_end.n_frames if isinstance(front_end, SegmentFrontEnd) else branch.patch.frames
    return frames, front_end.n_features


class PatchStream:
    """One branch after its front end: frames of features → patches → the rows of the latest horizon."""

    def __init__(
        self,
        branch: Branch,
        front_end: StreamFrontEnd | SegmentFrontEnd,
        frame_hop: int,
        frames: int,
        horizon: int,
        network: bytes | None,
        engine: Engine,
        where: str,
    ) -> None:
        bands = front_end.n_features
        segmented = isinstance(front_end, SegmentFrontEnd)
        length, _ = patch_shape(branch, front_end)
        self._count = frames if segmented else _count(frames, branch.patch.frames, branch.patch.hop)
        if self._count < 1:
            raise InputError(
                where,
                expected="a horizon that holds a patch",
                found=f"one of {max(frames, 0)} frames for a patch of {length}",
                remedy="lengthen horizon.seconds",
            )
        self._patcher = Framer(branch.patch.frames, branch.patch.hop, row_shape=(bands,))
        self._remove_level = branch.patch.level == "remove"
        self._embedder = build_embedder(branch.model, network, frames=length, bands=bands, engine=engine, where=where)
        if self._count * self._embedder.n_features > _HORIZON_LIMIT:
            raise InputError(
                where,
                expected=f"a horizon of at most {_HORIZON_LIMIT:,} numbers",
                found=f"{self._count:,} rows of {self._embedder.n_features:,}",
                remedy="shorten horizon.seconds or lengthen the hop",
            )
        self._history = History(self._count, row_shape=(self._embedder.n_features,))
        self._horizon = horizon
        self._row_hop = frame_hop * (1 if segmented else branch.patch.hop)
        self._starts = History(self._count, dtype=np.int64)
        self._next_start = 0

    def process(self, features: NDArray[np.float32]) -> None:
        """Take frames of features, shape (n, bands), and embed the patches that they complete."""
        for patches in self._patcher.process(features):
            self.embed(patches)

    def embed(self, patches: NDArray[np.float32]) -> None:
        """Take patches, shape (n, frames, bands), and keep their rows."""
        if self._remove_level:
            patches = patches - patches.mean(axis=(1, 2), keepdims=True)
        self._history.append(self._embedder.process(patches))
        stop = self._next_start + self._row_hop * len(patches)
        self._starts.append(np.arange(self._next_start, stop, self._row_hop))
        self._next_start = stop

    def has_enough(self, end: int) -> bool:
        """Return whether it has half of the rows of the horizon that ends at this sample, or more."""
        return 2 * self._held(end) >= self._count

    def latest(self, end: int) -> NDArray[np.float32]:
        """Return the rows of the horizon that ends at this sample, fewer after a brief gap; shape (n, d)."""
        return self._history.latest(self._held(end))

    def _held(self, end: int) -> int:
        # In an unbroken stream the first row of a horizon begins less than a hop before it.
        starts = self._starts.latest(len(self._starts))
        return len(starts) - int(np.searchsorted(starts, end - self._horizon - self._row_hop, side="right"))

    def gap(self, position: int, *, forget: bool) -> None:
        """Let no patch reach across this point, the next sample being number `position`; `forget` the rows before."""
        self._patcher.gap()
        self._next_start = position
        if forget:
            self._history.clear()
            self._starts.clear()


class Judge:
    """The rows of a horizon → the score of each part: the fitted half of a recipe, before anything is calibrated.

    Parameters
    ----------
    recipe
        What was fitted.
    arrays
        The fitted arrays: `branches/NAME/transform/…` and `parts/NAME/detector/…`.
    where
        How errors name the bundle.

    Raises
    ------
    InputError
        When an array is of another form than its stage's, here; in use, when a stage is for rows of another width.
    """

    def __init__(self, recipe: Recipe, arrays: Mapping[str, NDArray[np.generic]], *, where: str) -> None:
        self._where = where
        self._branches = recipe.used_branches
        self._parts = recipe.enabled_parts
        self._transforms = {
            name: build_transform(arrays_under(arrays, f"branches/{name}/transform"), f"{where}: branches.{name}")
            for name in self._branches
        }
        self._detectors = {
            name: build_detector(
                part.detector, arrays_under(arrays, f"parts/{name}/detector"), f"{where}: parts.{name}"
            )
            for name, part in self._parts.items()
        }

    def features(self, rows: RowSet) -> dict[str, NDArray[np.float64]]:
        """Pool and transform the rows of each branch."""
        return self.transform(pool_rows(self._branches, rows))

    def transform(self, pooled: Mapping[str, NDArray[np.float64]]) -> dict[str, NDArray[np.float64]]:
        """Transform the pooled rows of each branch."""
        return {name: self._transformed(name, values) for name, values in pooled.items()}

    def part_scores(self, features: Mapping[str, NDArray[np.float64]]) -> dict[str, float]:
        """Return each part's own score, in its detector's unit or the logarithm of it."""
        return {name: self._part_score(name, part, features) for name, part in self._parts.items()}

    def _transformed(self, name: str, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        transform = self._transforms[name]
        self._check_width(f"branches.{name}", rows, transform.n_features)
        return transform.apply(rows)

    def _part_score(self, name: str, part: Part, features: Mapping[str, NDArray[np.float64]]) -> float:
        rows, detector = side_by_side(part, features), self._detectors[name]
        self._check_width(f"parts.{name}", rows, detector.n_features)
        score = aggregate(detector.score(rows), part.aggregation)
        return score if part.scale == "linear" else math.log(max(score, _LEAST_SCORE))

    def _check_width(self, place: str, rows: NDArray[np.float64], expected: int | None) -> None:
        if expected not in {None, rows.shape[1]}:
            raise InputError(
                f"{self._where}: {place}",
                expected=f"arrays for rows of {rows.shape[1]} numbers, as the recipe makes them",
                found=f"some for {expected}",
                remedy="export it again",
            )


class Joiner:
    """The scores of the parts → one joint score, through the calibrated tail of each, `parts/NAME/tail/…`."""

    def __init__(self, recipe: Recipe, arrays: Mapping[str, NDArray[np.generic]], *, where: str) -> None:
        self._plain = recipe.join != "tail"
        self._tails = {
            name: build_tail(arrays_under(arrays, f"parts/{name}/tail"), f"{where}: parts.{name}")
            for name in recipe.enabled_parts
        }

    def score(self, part_scores: Mapping[str, float], end: int) -> Score:
        """Join the scores of the parts for the horizon that ends at sample `end`."""
        tails = {name: self._tails[name].log_probability(score) for name, score in part_scores.items()}
        # join 'none' goes with a single part, which is then the least of all.
        value = min(part_scores.values()) if self._plain else join_tails(list(tails.values()))
        return Score(end, value, {name: 0.0 - log_probability / _LN10 for name, log_probability in tails.items()})


def pool_rows(branches: Mapping[str, Branch], rows: RowSet) -> dict[str, NDArray[np.float64]]:
    """Pool the rows of each branch over their horizon."""
    return {name: pool(rows[name].astype(np.float64), branch.pooling) for name, branch in branches.items()}


def side_by_side(part: Part, features: Mapping[str, NDArray[np.float64]]) -> NDArray[np.float64]:
    """Join the features of a part's branches into its rows, shape (n, d)."""
    if len(part.branches) == 1:
        return features[part.branches[0]]
    return np.concatenate([features[name] for name in part.branches], axis=1)


def _sharing_a_front_end(recipe: Recipe) -> list[list[tuple[str, Branch]]]:
    groups: dict[tuple[FrontEnd, int | None], list[tuple[str, Branch]]] = {}
    for name, branch in recipe.used_branches.items():
        groups.setdefault((branch.front_end, branch.patch.segment_hop), []).append((name, branch))
    return list(groups.values())


def _count(rows: int, length: int, hop: int) -> int:
    return 1 + (rows - length) // hop
