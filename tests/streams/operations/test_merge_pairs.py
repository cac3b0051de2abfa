"""Several pairs of one merge: how they are read, and what is said of each."""

import asyncio

import pytest
from aiokafka.errors import (
    KafkaConnectionError,
    MessageSizeTooLargeError,
    TopicAuthorizationFailedError,
)

from streams.explain.index import IndexInUseError
from streams.kafka.topics import TopicError
from streams.operations import merges
from streams.operations.merge_pairs import (
    MOST_PAIRS,
    Merged,
    MergePair,
    check_pairs,
    pairs_of,
    read_pairs,
)
from streams.operations.merge_past import MergeError
from streams.operations.merges import UnknownMergeError, UnreachedError, one_by_one
from tests.support.merging import merging_settings

FORMER, NEW = "6101901357", "6101901365"
A, B, C, D = ("abcd"[number] * 32 for number in range(4))


@pytest.fixture
def settings(tmp_path):
    return merging_settings(tmp_path)


def test_pairs_are_read_from_lines_of_cprs_and_pseudonyms(settings):
    of = settings.identity().of
    former, new = of(FORMER)[0], of(NEW)[0]
    lines = [f"{FORMER} {NEW}", "", f"610190-1357;{new}\r", f"  {A}\t{B}  ", f"{C},{D}"]
    assert read_pairs((f"{line}\n".encode() for line in lines), settings) == [
        (former, new), (former, new), (A, B), (C, D),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "line", [FORMER, f"{FORMER} {NEW} {NEW}", "3113901357 x", f"{FORMER} {A}b", "\ufffd \x00"]
)
def test_a_line_that_is_no_pair_is_named_by_its_number_alone(settings, line):
    with pytest.raises(MergeError, match=r"1 lines are no pair of numbers \(line 2\)") as said:
        read_pairs([f"{A} {B}".encode(), line.encode()], settings)
    assert FORMER not in str(said.value)


def test_many_wrong_lines_are_counted(settings):
    with pytest.raises(MergeError, match=r"13 lines .* 9, 10 and 3 more"):
        read_pairs([b"x"] * 13, settings)


@pytest.mark.parametrize(
    ("pairs", "words"),
    [
        ([], "no pair on standard input"),
        ([MergePair(A, A)], "the same"),
        ([MergePair(A, B), MergePair(C, D), MergePair(A, B)], "given twice"),
        ([MergePair(A, f"{number:032x}") for number in range(MOST_PAIRS + 1)], "several calls"),
    ],
)
def test_what_cannot_be_asked_for_is_refused_in_a_sentence(pairs, words):
    with pytest.raises(MergeError, match=words):
        check_pairs(pairs)


def test_names_are_taken_two_and_two():
    assert pairs_of([A, B, C, D]) == [(A, B), (C, D)]
    with pytest.raises(MergeError, match="name both"):
        pairs_of([A, B, C])


def ran(pairs, failing):
    """Run pairs of which some fail, and tell which were tried."""
    tried = []

    async def run(pair):
        tried.append(pair)
        if error := failing.get(pair):
            raise error
        return Merged("m", pair.former, pair.to, False, 3)

    return asyncio.run(one_by_one(pairs, run)), tried


def test_a_pair_that_cannot_be_done_stops_no_other():
    pairs = pairs_of([A, B, C, D, B, C])
    found, _ = ran(pairs, {pairs[1]: MergeError("because")})
    assert [each.former for each in found.merged] == [A, B]
    assert found.not_done == [(C, D, "because")]
    assert not found.as_json()["fine"]
    assert found.sentences()[-1] == "pairs done: 2, not done: 1"
    assert f"{C} {D}: not done: because" in found.sentences()


def test_nothing_is_tried_behind_a_pair_for_which_kafka_was_not_reached():
    """Each further pair would wait as long, and say the same."""
    pairs = pairs_of([A, B, C, D, B, C])
    found, tried = ran(pairs, {pairs[1]: UnreachedError("no broker answers")})
    assert tried == pairs[:2]
    assert [each.former for each in found.not_done] == [C, B]
    assert found.not_done[1].why.startswith("not tried")


@pytest.mark.parametrize(
    "error", [IndexInUseError("in use"), TopicError("in use"), OSError("in use")]
)
def test_whatever_ends_a_pair_the_account_of_the_others_is_kept(error):
    pairs = pairs_of([A, B, C, D, B, C])
    found, _ = ran(pairs, {pairs[1]: error})
    assert [each.former for each in found.merged] == [A, B]
    assert found.not_done == [(C, D, "in use")]


def test_of_a_pair_that_kafka_has_not_confirmed_nobody_says_that_nothing_was_written():
    pairs = pairs_of([A, B, C, D, B, C])
    found, tried = ran(pairs, {pairs[1]: UnknownMergeError("not confirmed")})
    assert tried == pairs[:2]
    assert found.unknown == [(C, D, "not confirmed")]
    assert [each.former for each in found.not_done] == [B]
    told = found.as_json()
    assert (told["fine"], [each["former"] for each in told["unknown"]]) == (False, [C])
    assert f"{C} {D}: unknown: not confirmed" in found.sentences()
    assert found.sentences()[-1] == "pairs done: 1, not done: 1, unknown: 1"


@pytest.mark.parametrize(
    ("error", "is_tried"),
    [
        (MessageSizeTooLargeError(), True),
        (KafkaConnectionError(), False),
        (TopicAuthorizationFailedError("refusion.reports"), False),
    ],
)
def test_what_kafka_refuses_of_one_citizen_stops_no_other_pair(
    settings, monkeypatch, error, is_tried
):
    pairs = pairs_of([A, B, C, D])

    async def run(_merging, pair):
        if pair == pairs[0]:
            raise error
        return Merged("m", pair.former, pair.to, False, 3)

    monkeypatch.setattr(merges._Merging, "_run", run)
    found = asyncio.run(_merging_of(settings, pairs))
    assert [each.former for each in found.merged] == [C] * is_tried
    assert found.not_done[0][:2] == pairs[0]
    assert "Kafka" in found.not_done[0].why


async def _merging_of(settings, pairs):
    merging = merges._Merging(settings, lambda *_: None, "because", undo=False)
    return await one_by_one(pairs, merging.run)
