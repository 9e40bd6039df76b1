from __future__ import annotations

from edge_asd.publish.board import Board, Notice

NOW = float("-inf")


def taken(board: Board, now: float) -> list[bytes]:
    out = []
    while notice := board.take(now):
        out.append(notice.payload)
    return out


def test_the_newest_of_each_topic_is_taken_once_in_order() -> None:
    board = Board()
    for topic, payload in (("a", b"1"), ("b", b"2"), ("a", b"3")):
        board.put(Notice(topic, payload, 1, NOW))
    assert taken(board, 0) == [b"3", b"2"]
    assert taken(board, 0) == []


def test_a_notice_waits_until_it_is_due_unless_it_is_hurried() -> None:
    board = Board()
    board.put(Notice("a", b"1", 1, 5.0))
    assert (taken(board, 4), board.next_due()) == ([], 5.0)
    assert taken(board, 5) == [b"1"]
    assert board.next_due() == float("inf")
    board.put(Notice("a", b"2", 1, 9.0))
    board.hurry()
    assert taken(board, 5) == [b"2"]


def test_all_are_sent_again_after_a_renewal() -> None:
    board = Board()
    board.put(Notice("a", b"1", 1, NOW))
    board.put(Notice("b", b"2", 0, 9.0))
    assert taken(board, 0) == [b"1"]
    board.renew()
    assert taken(board, 0) == [b"1", b"2"]


def test_what_takes_a_topic_down_is_sent_again_until_it_has_arrived() -> None:
    board = Board()
    for topic, payload in (("a", b""), ("b", b"2"), ("c", b"")):
        board.put(Notice(topic, payload, 1, 0.0))
    board.renew()
    assert taken(board, 0.0) == [b"", b"2", b""]
    board.put(Notice("c", b"3", 1, 0.0))
    for topic in ("a", "b", "c", "an answer's"):
        board.taken_down(topic)
    board.renew()
    assert taken(board, 0.0) == [b"2", b"3"]


def test_a_change_of_kind_is_not_passed_over() -> None:
    board = Board()
    for payload, due, kind in ((b"1", 0, "normal"), (b"2", 9, "normal"), (b"3", 1, "anomaly"), (b"4", 2, "normal")):
        board.put(Notice("a", payload, 1, due, kind))
    board.put(Notice("b", b"5", 1, 0))
    assert (board.next_due(), taken(board, 1)) == (0, [b"2", b"3", b"5"])
    assert taken(board, 2) == [b"4"]


def test_what_is_not_due_gives_way_to_a_change() -> None:
    board = Board()
    board.put(Notice("a", b"1", 1, 9, "normal"))
    board.put(Notice("a", b"2", 1, 1, "anomaly"))
    assert taken(board, 9) == [b"2"]


def test_only_the_newest_is_left_after_a_renewal() -> None:
    board = Board()
    board.put(Notice("a", b"5", 1, 1, "normal"))
    board.put(Notice("a", b"6", 1, 3, "anomaly"))
    board.put(Notice("a", b"7", 1, 4, "normal"))
    board.renew()
    assert taken(board, 0) == [b"7"]


def test_what_changes_without_end_does_not_pile_up() -> None:
    board = Board()
    for index in range(1000):
        board.put(Notice("a", b"%d" % index, 1, 0, str(index)))
    assert taken(board, 0) == [b"%d" % index for index in range(992, 1000)]


def test_when_a_notice_is_due_can_be_said_as_it_is_put() -> None:
    board = Board()
    board.put(Notice("a", b"1", 1, NOW), lambda: 5.0)
    assert (taken(board, 4), taken(board, 5)) == ([], [b"1"])
