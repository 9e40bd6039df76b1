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
