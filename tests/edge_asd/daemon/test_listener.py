"""What a source's listener tells, without a broker."""

from __future__ import annotations

import contextlib
import itertools
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from edge_asd import files
from edge_asd.bundle import Bundle
from edge_asd.capture import Block, Files, Gap, Microphone, Stdin
from edge_asd.capture.items import Item
from edge_asd.capture.track import Track
from edge_asd.daemon import listener as listener_module
from edge_asd.daemon.judgement import Judgement
from edge_asd.daemon.listener import Listener
from edge_asd.errors import CaptureError, InputError
from edge_asd.evidence import ClipStore, Recorder, store
from edge_asd.evidence.teller import FINISH_S
from edge_asd.firmware import Decision, Evidence, QuietHours, Schedule, Source
from edge_asd.publish import Event, SourceHealth, State
from tests.handmade import RATE, hum, write_handmade


class Told:
    """Keeps what is told."""

    def __init__(self) -> None:
        self.states: list[State] = []
        self.events: list[Event] = []

    def state(self, state: State) -> None:
        self.states.append(state)

    def event(self, event: Event) -> None:
        self.events.append(event)

    def course(self) -> list[tuple[str, str]]:
        """What became of microphone and verdict, one after another."""
        told = [(state.microphone, state.verdict) for state in self.states]
        return [key for key, _ in itertools.groupby(told)]


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return write_handmade(tmp_path_factory.mktemp("bundle") / "hum.easd")


def listen(bundle: Bundle, path: Path, sound: np.ndarray, **settings: Any) -> tuple[Listener, Told]:
    soundfile.write(path, sound, RATE)
    told = Told()
    source = Source(name="hum", bundle="hum.easd", source=f"file:{path}?speed=max", **settings)
    listener = Listener(source, Files(path, real_time=False), bundle, told)
    listener.run()
    return listener, told


def test_an_anomaly_is_told_from_its_beginning_to_its_end(bundle: Bundle, tmp_path: Path) -> None:
    sound = np.concatenate([hum(10, 1), hum(10, 2, wrong=True), hum(20, 3)])
    listener, told = listen(bundle, tmp_path / "a.wav", sound)
    assert listener.failure is None
    assert told.course() == [
        ("starting", "unknown"),
        ("ok", "unknown"),
        ("ok", "normal"),
        ("ok", "anomaly"),
        ("ok", "normal"),
        ("ended", "unknown"),
    ]
    assert [told.events[0].type, told.events[-1].type] == ["new", "end"]
    assert len({event.id for event in told.events}) == 1
    assert told.states[-1].score is None
    assert all((state.reason is not None) == (state.verdict == "unknown") for state in told.states)
    assert listener.health().windows_scored == 1 + (40 - 2) * 2


def test_a_latched_anomaly_ends_when_nobody_listens_any_more(bundle: Bundle, tmp_path: Path) -> None:
    sound = np.concatenate([hum(10, 1), hum(10, 2, wrong=True), hum(20, 3)])
    _, told = listen(bundle, tmp_path / "a.wav", sound, decision=Decision(latch=True))
    assert [told.events[0].type, told.events[-1].type] == ["new", "end"]
    assert told.events[-1].reason == "the recording has ended"


@pytest.mark.parametrize("error", [CaptureError("unplugged"), RuntimeError("an error in this program")])
def test_a_latched_anomaly_ends_with_a_microphone_that_is_gone_or_a_listener_that_fails(
    bundle: Bundle, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    told = Told()
    source = Source(name="hum", bundle="hum.easd", source="mic", decision=Decision(latch=True))
    listener = Listener(source, Microphone(), bundle, told)
    sound = np.concatenate([hum(10, 1), hum(10, 2, wrong=True)])
    monkeypatch.setattr(listener_module, "RETRY_S", 0.0)

    @contextlib.contextmanager
    def open_capture(*_given: Any, **_options: Any) -> Iterator[Iterator[Block]]:
        yield blocks()

    def blocks() -> Iterator[Block]:
        if told.events:
            listener.stop()
        else:
            yield from (Block(piece, 0) for piece in np.split(sound, 200))
        raise error

    monkeypatch.setattr(listener_module, "open_capture", open_capture)
    listener.run()
    assert [told.events[0].type, told.events[-1].type] == ["new", "end"]
    assert (told.states[-1].verdict, told.states[-1].event) == ("unknown", None)


def test_how_sound_is_cut_into_blocks_changes_no_verdict(bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    rng, told = np.random.default_rng(0), []
    sound = np.concatenate([hum(5, 1), hum(6.3, 2, wrong=True), hum(5, 3), hum(6.3, 4, wrong=True), hum(5, 5)])
    settings = Decision(min_duration_s=2.0, cooldown_s=4.0, exit=1)
    source = Source(name="hum", bundle="hum.easd", source="stdin", decision=settings)
    for _ in range(6):
        cuts = np.sort(rng.integers(0, len(sound), rng.integers(20, 300)))
        blocks = [Block(piece, 0) for piece in np.split(sound, cuts) if len(piece)]

        @contextlib.contextmanager
        def open_capture(*_given: Any, _blocks: list[Block] = blocks, **_options: Any) -> Iterator[list[Block]]:
            yield _blocks

        monkeypatch.setattr(listener_module, "open_capture", open_capture)
        heard = Told()
        Listener(source, Stdin(), bundle, heard).run()
        told.append([(state.score, state.verdict) for state in heard.states if state.score is not None])
    assert {verdict for _, verdict in told[0]} == {"normal", "anomaly"}
    assert told == [told[0]] * 6


def test_silence_is_unknown_and_never_an_anomaly(bundle: Bundle, tmp_path: Path) -> None:
    dropout, silence = np.zeros(round(1.5 * RATE)), np.zeros(10 * RATE)
    sound = np.concatenate([hum(10, 1), dropout, hum(10, 2), silence, hum(10, 3)])
    listener, told = listen(bundle, tmp_path / "a.wav", sound)
    assert listener.failure is None
    assert told.course() == [
        ("starting", "unknown"),
        ("ok", "unknown"),
        ("ok", "normal"),
        ("silent", "unknown"),
        ("ok", "unknown"),
        ("ok", "normal"),
        ("ended", "unknown"),
    ]
    assert not told.events


def test_an_anomaly_ends_where_the_microphone_falls_silent(bundle: Bundle, tmp_path: Path) -> None:
    sound = np.concatenate([hum(10, 1), hum(10, 2, wrong=True), np.zeros(8 * RATE), hum(10, 3)])
    _, told = listen(bundle, tmp_path / "a.wav", sound)
    assert told.events[-1].type == "end"
    assert told.events[-1].reason == "the microphone is silent"


def test_sound_that_can_never_be_judged_is_a_failure(bundle: Bundle, tmp_path: Path) -> None:
    listener, told = listen(bundle, tmp_path / "a.wav", np.zeros(60 * RATE))
    assert isinstance(listener.failure, InputError)
    assert "found one that is interrupted and silent" in str(listener.failure)
    assert told.states[-1].verdict == "unknown"
    listener, _ = listen(bundle, tmp_path / "a.wav", hum(1, 1))
    assert "expected at least 2 s of sound" in str(listener.failure)


def test_a_threshold_of_the_source_comes_before_the_bundle_s(bundle: Bundle, tmp_path: Path) -> None:
    sound = np.concatenate([hum(10, 1), hum(10, 2, wrong=True)])
    _, told = listen(bundle, tmp_path / "a.wav", sound, decision=Decision(threshold=1e6))
    assert not told.events
    assert {state.threshold for state in told.states} == {1e6}


def test_sound_that_lacks_what_the_bundle_has_learnt_is_told_once(
    bundle: Bundle, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    listen(bundle, tmp_path / "whole.wav", hum(5, 1))
    assert not caplog.records
    narrow = tmp_path / "narrow.wav"
    soundfile.write(narrow, hum(10, 1)[::2], RATE // 2)
    source = Source(name="hum", bundle="hum.easd", source=f"file:{narrow}?speed=max")
    Listener(source, Files(narrow, real_time=False), bundle, Told()).run()
    said = [record.getMessage() for record in caplog.records if "holds nothing above" in record.getMessage()]
    assert len(said) == 1
    assert said[0].startswith("hum: sampled at 4000 Hz, it holds nothing above 2000 Hz, and the bundle has")


def test_nothing_is_judged_in_quiet_hours(bundle: Bundle, tmp_path: Path) -> None:
    sound = np.concatenate([hum(10, 1), hum(10, 2, wrong=True)])
    always = Schedule(quiet=[QuietHours(start="00:00", end="00:00")])
    _, told = listen(bundle, tmp_path / "a.wav", sound, schedule=always)
    assert not told.events
    assert {state.verdict for state in told.states} == {"unknown"}
    scored = [state for state in told.states if state.score is not None]
    assert scored
    assert {state.reason for state in scored} == {"quiet hours"}


@pytest.fixture
def judgement(bundle: Bundle) -> tuple[Judgement, Told]:
    told = Told()
    judgement = Judgement(Source(name="hum", bundle="hum.easd", source="mic"), bundle, told)
    judgement.report("ok", "heard", 0.0)
    return judgement, told


def test_a_threshold_is_set_and_set_back(judgement: tuple[Judgement, Told]) -> None:
    judge, told = judgement
    judge.set_threshold(1000.0)
    assert (told.states[-1].threshold, told.states[-1].reason) == (1000.0, "heard")
    judge.decide(100.0, 1.0)
    assert (told.states[-1].verdict, told.states[-1].threshold) == ("normal", 1000.0)
    judge.set_threshold(None)
    judge.decide(100.0, 2.0)
    assert (told.states[-1].verdict, told.states[-1].threshold) == ("anomaly", judge.threshold)


def test_a_score_that_is_none_is_the_reason(judgement: tuple[Judgement, Told]) -> None:
    judge, told = judgement
    judge.decide(float("nan"), 1.0)
    assert (told.states[-1].verdict, told.states[-1].reason) == ("unknown", "score is not a number")
    judge.decide(0.0, 2.0)
    assert (told.states[-1].verdict, told.states[-1].reason) == ("normal", None)


@pytest.mark.parametrize(("decision", "threshold"), [(Decision(), 7.0), (Decision(threshold=5.0), 5.0)])
def test_what_commands_have_set_holds_for_a_successor_with_the_same_scores(
    bundle: Bundle, judgement: tuple[Judgement, Told], decision: Decision, threshold: float
) -> None:
    judge, told = judgement
    judge.set_threshold(7.0)
    judge.arm(armed=False)
    successor = Judgement(Source(name="hum", bundle="hum.easd", source="mic", decision=decision), bundle, told)
    successor.succeed(judge)
    assert (successor.armed, successor.threshold) == (False, threshold)


def test_disarmed_an_anomaly_ends_and_none_begins(judgement: tuple[Judgement, Told]) -> None:
    judge, told = judgement
    judge.decide(100.0, 1.0)
    judge.arm(armed=False)
    judge.decide(100.0, 2.0)
    assert [(event.type, event.reason) for event in told.events] == [("new", None), ("end", "disarmed")]
    assert (told.states[-1].verdict, told.states[-1].reason) == ("unknown", "disarmed")
    judge.arm(armed=True)
    assert (told.states[-1].armed, told.states[-1].reason) == (True, "too few decisions yet")
    judge.decide(100.0, 3.0)
    assert told.events[-1].type == "new"


def test_armed_in_quiet_hours_it_is_still_these_that_say_why(bundle: Bundle) -> None:
    told = Told()
    schedule = Schedule(quiet=[QuietHours(start="00:00", end="00:00")])
    judge = Judgement(Source(name="hum", bundle="hum.easd", source="mic", schedule=schedule), bundle, told)
    judge.report("ok", "heard", 0.0)
    judge.arm(armed=False)
    judge.arm(armed=True)
    assert (told.states[-1].verdict, told.states[-1].reason) == ("unknown", "quiet hours")


def test_what_commands_set_is_told_though_nothing_is_heard(judgement: tuple[Judgement, Told]) -> None:
    judge, told = judgement
    judge.report("gone", "unplugged", 1.0)
    judge.arm(armed=False)
    assert (told.states[-1].armed, told.states[-1].reason) == (False, "disarmed")
    judge.arm(armed=True)
    judge.set_threshold(7.0)
    last = told.states[-1]
    assert (last.verdict, last.armed, last.threshold, last.reason) == ("unknown", True, 7.0, "unplugged")


def test_an_anomaly_is_acknowledged_by_its_id_or_without(judgement: tuple[Judgement, Told]) -> None:
    judge, told = judgement
    assert judge.acknowledge() is None
    judge.decide(100.0, 1.0)
    (new,) = told.events
    assert judge.acknowledge("01" + "0" * 24) is None
    assert judge.acknowledge(new.id) == new.id
    assert (told.events[-1].type, told.events[-1].id, told.events[-1].acknowledged) == ("update", new.id, True)
    assert judge.acknowledge() is None
    assert len(told.events) == 2


def test_what_is_interrupted_again_and_again_is_unknown(bundle: Bundle, tmp_path: Path) -> None:
    hiccups = [np.concatenate([hum(1.4, seed), np.zeros(RATE)]) for seed in range(20)]
    sound = np.concatenate([hum(10, 1), *hiccups, hum(10, 3)])
    listener, told = listen(bundle, tmp_path / "a.wav", sound)
    assert listener.failure is None
    assert told.course() == [
        ("starting", "unknown"),
        ("ok", "unknown"),
        ("ok", "normal"),
        ("interrupted", "unknown"),
        ("ok", "unknown"),
        ("ok", "normal"),
        ("ended", "unknown"),
    ]


def test_an_anomaly_has_a_clip_that_its_events_refer_to(bundle: Bundle, tmp_path: Path) -> None:
    sound = np.concatenate([hum(10, 1), hum(10, 2, wrong=True), hum(20, 3)])
    soundfile.write(tmp_path / "a.wav", sound, RATE)
    told, settings = Told(), Evidence(path=str(tmp_path / "clips"), before_s=3, after_s=2, keep_free_bytes=0)
    recorder = Recorder("hum", RATE, settings, ClipStore(settings))
    source = Source(name="hum", bundle="hum.easd", source="file:a.wav")
    Listener(source, Files(tmp_path / "a.wav", real_time=False), bundle, told, recorder=recorder).run()
    assert (told.events[0].type, told.events[0].clip) == ("new", None)
    last = told.events[-1]
    assert last.type == "end"
    assert last.clip is not None
    assert Path(last.clip.path).name == f"{last.id}.flac"
    assert 5 <= soundfile.info(last.clip.path).duration < 5.2
    clips = [event.clip for event in told.events if event.clip]
    assert set(clips) == {last.clip}


@pytest.fixture
def hanging(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """A disk that hangs until this is set."""
    goes_on = threading.Event()
    write = files.write_atomically

    def hang(path: Path, content: bytes) -> None:
        goes_on.wait(30)
        write(path, content)

    monkeypatch.setattr(store, "write_atomically", hang)
    yield goes_on
    goes_on.set()


def judging(bundle: Bundle, folder: Path) -> tuple[Judgement, Told]:
    """A judgement that has just told of an anomaly; one low score ends it."""
    told, settings = Told(), Evidence(path=str(folder / "clips"), keep_free_bytes=0)
    recorder = Recorder("hum", RATE, settings, ClipStore(settings))
    source = Source(name="hum", bundle="hum.easd", source="mic", decision=Decision(exit=1))
    judgement = Judgement(source, bundle, told, recorder)
    judgement.report("ok", "heard", 0.0)
    recorder.hear(hum(1, 1))
    judgement.decide(100.0, 1.0)
    return judgement, told


def kinds(told: Told) -> list[tuple[str, bool]]:
    return [(event.type, event.clip is not None) for event in told.events]


def test_a_disk_that_hangs_holds_up_neither_scores_nor_commands(
    bundle: Bundle, tmp_path: Path, hanging: threading.Event
) -> None:
    judgement, told = judging(bundle, tmp_path)
    began = time.monotonic()
    judgement.decide(-100.0, 2.0)
    judgement.set_threshold(7.0)
    judgement.decide(100.0, 3.0)
    assert time.monotonic() - began < FINISH_S / 2
    assert told.states[-1].verdict == "anomaly"
    hanging.set()
    judgement.settle()
    assert kinds(told) == [("new", False), ("end", True), ("new", False)]
    assert told.events[1].ts <= told.events[2].ts


def test_a_disk_that_hangs_costs_the_clip_and_no_end(bundle: Bundle, tmp_path: Path, hanging: threading.Event) -> None:
    judgement, told = judging(bundle, tmp_path)
    judgement.decide(-100.0, 2.0)
    judgement.settle()
    assert kinds(told) == [("new", False), ("end", False)]


def test_who_has_ceased_to_listen_has_told_everything(bundle: Bundle, tmp_path: Path, hanging: threading.Event) -> None:
    soundfile.write(tmp_path / "a.wav", np.concatenate([hum(10, 1), hum(10, 2, wrong=True)]), RATE)
    told, settings = Told(), Evidence(path=str(tmp_path / "clips"), after_s=30, keep_free_bytes=0)
    recorder = Recorder("hum", RATE, settings, ClipStore(settings))
    source = Source(name="hum", bundle="hum.easd", source="file:a.wav")
    listener = Listener(source, Files(tmp_path / "a.wav", real_time=False), bundle, told, recorder=recorder)
    listener.start()
    listener.join(30)
    assert not listener.is_alive()
    assert (told.events[-1].type, told.events[-1].reason) == ("end", "the recording has ended")


def test_a_full_disk_costs_the_clip_and_no_alarm(bundle: Bundle, tmp_path: Path) -> None:
    sound = np.concatenate([hum(10, 1), hum(10, 2, wrong=True), hum(20, 3)])
    soundfile.write(tmp_path / "a.wav", sound, RATE)
    told, settings = Told(), Evidence(path=str(tmp_path / "clips"), keep_free_bytes=1 << 60)
    clips = ClipStore(settings)
    recorder = Recorder("hum", RATE, settings, clips)
    source = Source(name="hum", bundle="hum.easd", source="file:a.wav")
    Listener(source, Files(tmp_path / "a.wav", real_time=False), bundle, told, recorder=recorder).run()
    assert [event.type for event in told.events if event.type != "update"] == ["new", "end"]
    assert {event.clip for event in told.events} == {None}
    assert clips.health().lost == 1


def test_the_health_tells_what_the_signal_is_like_and_what_disturbed_it(bundle: Bundle, tmp_path: Path) -> None:
    clipped = np.sign(hum(4, 5)).astype(np.float32)
    sound = np.concatenate([hum(10, 1), np.zeros(RATE), hum(3, 2), np.zeros(8 * RATE), clipped, hum(10, 3) + 0.1])
    soundfile.write(tmp_path / "a.wav", sound.astype(np.float32), RATE)
    healths: list[SourceHealth] = []

    class Asking(Told):
        def state(self, _state: State) -> None:
            healths.append(listener.health())

    source = Source(name="hum", bundle="hum.easd", source="file:a.wav")
    listener = Listener(source, Files(tmp_path / "a.wav", real_time=False), bundle, Asking())
    listener.run()
    health = next(each for each in reversed(healths) if each.level_dbfs is not None)
    assert health.dc_offset == pytest.approx(0.1, abs=0.01)
    assert health.level_dbfs == pytest.approx(10 * np.log10(0.1**2 / 2 + 0.02**2), abs=0.5)
    assert health.clipped_share == 0
    # Nothing is heard once the recording has ended.
    assert (listener.health().level_dbfs, listener.health().dc_offset) == (None, None)
    disturbances = health.disturbances
    assert (disturbances.dropout, disturbances.silent, disturbances.clipped) == (2, 1, 1)
    assert (disturbances.overflow, disturbances.gone, disturbances.stalled) == (0, 0, 0)


def test_a_microphone_that_is_gone_has_no_level(bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    found: list[float | None] = []
    monkeypatch.setattr(listener_module, "RETRY_S", 0.0)

    @contextlib.contextmanager
    def open_capture(_address: Microphone, **_options: Any) -> Iterator[Iterator[Item]]:
        if found:
            found.append(listener.health().level_dbfs)
            listener.stop()
        yield heard()

    def heard() -> Iterator[Item]:
        yield from Track(RATE, RATE).process(hum(3, 1))
        yield Gap(None, "the level is taken")
        found.append(listener.health().level_dbfs)
        raise CaptureError("unplugged")

    monkeypatch.setattr(listener_module, "open_capture", open_capture)
    listener = Listener(Source(name="hum", bundle="hum.easd", source="mic"), Microphone(), bundle, Told())
    listener.run()
    assert found == [pytest.approx(-22.7, abs=0.5), None]


def test_only_what_this_machine_was_too_busy_for_is_an_overflow(
    bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    track = Track(48_000, RATE)
    broken = np.full(4800, np.nan, np.float32)

    @contextlib.contextmanager
    def open_capture(_address: Microphone, **_options: Any) -> Iterator[list[Item]]:
        yield [*track.process(broken), *track.gap(48_000, "no room", overflow=True), Gap(None, "nobody knows why")]
        listener.stop()

    monkeypatch.setattr(listener_module, "open_capture", open_capture)
    listener = Listener(Source(name="hum", bundle="hum.easd", source="mic"), Microphone(), bundle, Told())
    listener.run()
    health = listener.health()
    assert health.frames_dropped == 4800 + 48_000
    assert health.disturbances.overflow == 1
