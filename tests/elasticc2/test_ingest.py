"""Broker messages: each stored once, and each of them news once."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import numpy as np
import pytest
from django.db import IntegrityError, connection, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from elasticc2.ingest import KEY_ORDER, classifier_ids, ingest_stream, key_order, message_columns
from tests.elasticc2.sky import hear, message, rows, value
from tom_desc import bulkcopy
from tom_desc.streams.classifications import Classifications, check

pytestmark = pytest.mark.django_db


def news() -> list[list[int]]:
    return [ids for (ids,) in rows("SELECT diasource_ids FROM elasticc2_brokernews ORDER BY news_id")]


def test_a_message_is_stored_with_all_it_said() -> None:
    stored = hear(message(5, classes=[(2222, 0.25), (112, 0.75)], brokerPublishTimestamp=1_700_000_002_000))
    (row,) = rows(
        "SELECT brokermessage_id, streammessage_id, topicname, topicpartition, alert_id, diasource_id,"
        " classid, probability, msghdrtimestamp::text, elasticcpublishtimestamp::text,"
        " brokeringesttimestamp::text,"
        " descingesttimestamp >= now()"
        " FROM elasticc2_brokermessage"
    )
    assert row == (
        *(stored.first_id, -1, "REST_push", None, 5, 5),
        *([2222, 112], [0.25, 0.75]),
        *("2023-11-14 22:13:22+00", "2023-11-14 22:13:20+00", "2023-11-14 22:13:21+00"),
        True,
    )


def test_the_same_messages_again_are_duplicates_and_no_news() -> None:
    first = hear(message(5), message(6))
    again = hear(message(6), message(5))
    assert (first.loaded, first.duplicates) == (2, 0)
    assert (again.loaded, again.duplicates, again.first_id) == (0, 2, first.first_id + 1)
    assert news() == [[5, 6]]


@pytest.mark.parametrize(
    "change",
    [
        {"brokerPublishTimestamp": 1_700_000_002_000},
        {"classifierParams": "99%"},
        {"classifications": [{"classId": 2222, "probability": 0.5}]},
        {"classifications": [{"classId": 2223, "probability": 1.0}]},
        {"alertId": 50},
    ],
)
def test_another_opinion_is_another_message(change: dict[str, Any]) -> None:
    hear(message(5))
    assert hear(message(5, **change)).loaded == 1


@pytest.mark.parametrize(
    "change", [{"brokerIngestTimestamp": None}, {"elasticcPublishTimestamp": 1_700_000_009_000}]
)
def test_when_the_broker_got_the_alert_is_not_part_of_the_identity(change: dict[str, Any]) -> None:
    hear(message(5))
    assert hear(message(5, **change)).duplicates == 1


def test_in_one_request_a_classifier_speaks_once_on_an_alert() -> None:
    stored = hear(message(5), message(5, classes=[(2223, 1.0)]), message(5, classifierName="Other"))
    assert (stored.loaded, stored.duplicates) == (2, 1)
    said = rows("SELECT classid FROM elasticc2_brokermessage ORDER BY brokermessage_id")
    assert said == [([2222],), ([2222],)]


def test_ids_follow_the_order_of_the_request() -> None:
    hear(message(9), message(3), message(6))
    assert rows("SELECT diasource_id FROM elasticc2_brokermessage ORDER BY brokermessage_id") == [
        (9,),
        (3,),
        (6,),
    ]


def test_classifiers_are_made_once_whatever_is_missing_of_their_name() -> None:
    for _ in range(2):
        hear(message(5), message(5, brokerVersion=None, classifierParams=None), message(5, brokerVersion=""))
    assert value("SELECT count(*) FROM elasticc2_brokerclassifier") == 3
    assert value("SELECT count(DISTINCT classifier_id) FROM elasticc2_brokermessage") == 3


def test_every_source_is_on_the_public_mirror_once() -> None:
    hear(message(5), message(5, classifierName="Other"), message(4))
    hear(message(5, classes=[(2223, 1.0)]))
    assert rows("SELECT diasource_id FROM elasticc2_brokersourceids ORDER BY 1") == [(4,), (5,)]
    assert news() == [[4, 5], [5]]


SMALL = st.builds(
    message,
    st.integers(1, 3),
    classes=st.lists(st.tuples(st.integers(2222, 2223), st.sampled_from([0.25, 0.5])), max_size=2),
    classifierName=st.sampled_from("ab"),
)


@given(st.lists(st.lists(SMALL, min_size=1, max_size=5), min_size=1, max_size=4))
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_batches_said_twice_are_stored_once(batches: list[list[dict[str, Any]]]) -> None:
    for batch in batches:
        hear(*batch)
    before = value("SELECT count(*) FROM elasticc2_brokermessage")
    for batch in batches:
        stored = hear(*batch)
        assert (stored.loaded, stored.duplicates) == (0, len(batch))
    assert value("SELECT count(*) FROM elasticc2_brokermessage") == before


# From a stream

MOMENT_MS = 1_700_000_002_000
# Topic, partition and offset.
Origin = tuple[str, int, int]
Stored = dict[tuple[str, int], int]


def listen(*messages: dict[str, Any], origins: Sequence[Origin] | None = None) -> Stored:
    """Ingest messages of a stream that must all be valid."""
    batch, rejects = check(list(messages))
    assert not rejects
    return stored_of(batch, classifier_ids(batch.classifiers), origins)


def stored_of(batch: Classifications, ids: Any, origins: Sequence[Origin] | None = None) -> Stored:
    topics, partitions, offsets = zip(*(origins or [("heard", 0, k) for k in range(len(batch))]), strict=True)
    with transaction.atomic(), connection.cursor() as cursor:
        return ingest_stream(
            cursor,
            batch,
            ids,
            topics=np.array(topics, "S"),
            partitions=np.array(partitions),
            offsets=np.array(offsets),
        )


def kept() -> list[Any]:
    """All that is stored of messages, but for their ids and when we had them."""
    return rows(
        "SELECT diasource_id, alert_id, topicname, topicpartition, streammessage_id, msghdrtimestamp,"
        " elasticcpublishtimestamp, brokeringesttimestamp, classifier_id, classid, probability"
        " FROM elasticc2_brokermessage ORDER BY diasource_id, classifier_id, msghdrtimestamp, classid"
    )


def test_a_message_of_a_stream_is_stored_with_all_it_said_and_where_it_came_from() -> None:
    spoken = message(5, classes=[(2222, 0.25), (112, 0.75)], brokerPublishTimestamp=MOMENT_MS)
    assert listen(spoken, origins=[("heard", 3, 2**40)]) == {("heard", 3): 1}
    (row,) = rows(
        "SELECT streammessage_id, topicname, topicpartition, alert_id, diasource_id,"
        " classid, probability, msghdrtimestamp::text, elasticcpublishtimestamp::text,"
        " brokeringesttimestamp::text, descingesttimestamp >= now()"
        " FROM elasticc2_brokermessage"
    )
    assert row == (
        *(2**40, "heard", 3, 5, 5),
        *([2222, 112], [0.25, 0.75]),
        *("2023-11-14 22:13:22+00", "2023-11-14 22:13:20+00", "2023-11-14 22:13:21+00"),
        True,
    )
    assert news() == [[5]]
    assert rows("SELECT diasource_id FROM elasticc2_brokersourceids") == [(5,)]


def test_a_stream_heard_again_is_nothing_new() -> None:
    said = [message(source) for source in (9, 5, 7)]
    assert listen(*said) == {("heard", 0): 3}
    before = kept()
    assert listen(*said) == {}
    assert (kept(), news()) == (before, [[5, 7, 9]])


def test_of_a_batch_only_what_is_new_is_stored_and_counted_where_it_came_from() -> None:
    listen(message(5), message(6))
    origins = [("heard", 0, 7), ("heard", 1, 7), ("other", 0, 7), ("other", 0, 8)]
    said = [message(5), message(6), message(7), message(8)]
    assert listen(*said, origins=origins) == {("other", 0): 2}
    assert listen(*said, message(9), origins=[*origins, ("heard", 1, 8)]) == {("heard", 1): 1}
    assert news() == [[5, 6], [7, 8], [9]]
    assert rows("SELECT diasource_id FROM elasticc2_brokersourceids ORDER BY 1") == [
        (k,) for k in range(5, 10)
    ]


def test_more_messages_than_fit_into_a_statement() -> None:
    said = [message(source) for source in range(1, 60)]
    assert listen(*said[:30]) == {("heard", 0): 30}
    for new in (29, 0):
        assert sum(listen(*said, *said).values()) == new
    assert value("SELECT count(*) FROM elasticc2_brokermessage") == 59


def test_a_message_twice_in_a_batch_is_stored_once() -> None:
    for new in (2, 0):
        assert sum(listen(message(5), message(6), message(5)).values()) == new


def test_a_stream_keeps_every_opinion_of_a_classifier_on_an_alert() -> None:
    opinions = [[(2222, 0.5)], [(2222, 0.25)], [(2223, 0.5)], [(2222, 0.5), (2223, 0.5)], []]
    for new in (5, 0):
        assert sum(listen(*(message(5, classes=classes) for classes in opinions)).values()) == new


def test_a_stream_and_rest_share_what_is_the_same() -> None:
    said = message(5, brokerPublishTimestamp=MOMENT_MS)
    listen(said)
    assert hear(said).duplicates == 1
    hear(message(6))
    assert listen(message(6), message(7)) == {("heard", 0): 1}


def test_an_empty_batch_stores_nothing_and_is_no_news() -> None:
    with connection.cursor() as cursor:
        nothing = np.array([], int)
        stored = ingest_stream(
            cursor, check([])[0], {}, topics=np.array([], "S1"), partitions=nothing, offsets=nothing
        )
    assert (stored, news()) == ({}, [])


def test_the_longest_name_that_kafka_allows_is_counted_whole_and_stored_cut() -> None:
    topic = "x" * 249
    for stored in ({(topic, 0): 1}, {}):
        assert listen(message(5), origins=[(topic, 0, 7)]) == stored
    assert listen(message(5), message(6), origins=[(topic, 0, 7), (topic, 0, 8)]) == {(topic, 0): 1}
    assert rows("SELECT DISTINCT topicname FROM elasticc2_brokermessage") == [("x" * 200,)]


def test_a_message_of_many_classes_is_stored_beside_others() -> None:
    long_list = [(classid % 30_000, 0.5) for classid in range(200_000)]
    said = [message(5), message(6, classes=long_list), message(7, classes=[])]
    assert sum(listen(*said).values()) == 3
    assert sum(listen(*said).values()) == 0
    assert rows(
        "SELECT cardinality(classid), classid[2], cardinality(probability) FROM"
        " elasticc2_brokermessage ORDER BY diasource_id"
    ) == [(1, None, 1), (200_000, 1, 200_000), (0, None, 0)]


def test_an_id_that_was_given_out_before_is_an_error_not_a_duplicate() -> None:
    first = hear(message(5)).first_id
    sequence = "pg_get_serial_sequence('elasticc2_brokermessage', 'brokermessage_id')"
    value(f"SELECT setval({sequence}, %s, false)", first)
    with pytest.raises(IntegrityError), transaction.atomic():
        hear(message(5, classes=[(2223, 1.0)]))


def test_whoever_stores_rows_stores_them_in_the_same_order() -> None:
    """COPY gives out ids in the order of the rows."""
    said = [message(source, brokerPublishTimestamp=MOMENT_MS) for source in range(300, 0, -1)]
    listen(*said)
    ordered = rows(f"SELECT brokermessage_id FROM elasticc2_brokermessage ORDER BY {KEY_ORDER}")
    assert ordered == sorted(ordered)
    partitions = rows(
        "SELECT tableoid::regclass::text FROM elasticc2_brokermessage ORDER BY brokermessage_id"
    )
    assert partitions == sorted(partitions)


ROW = st.tuples(
    st.integers(1, 2**63 - 1) | st.integers(1, 3),
    st.integers(1, 2),
    st.sampled_from("ab"),
    st.none() | st.sampled_from([1_700_000_002_000, 1_700_000_003_000]),
)


@given(st.lists(ROW, min_size=1, max_size=20, unique=True))
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_columns_are_ordered_as_sql_orders_rows(keys: list[tuple[int, int, str, int | None]]) -> None:
    said = [
        message(s, alertId=a, classifierName=name, brokerPublishTimestamp=time) for s, a, name, time in keys
    ]
    batch = check(said)[0]
    columns = message_columns(batch, {names: ord(names[2]) for names in batch.classifiers})
    order = key_order(columns)
    assert order is not None
    numbered = columns | {"streammessage_id": np.arange(len(keys))}
    with connection.cursor() as cursor:
        literals = bulkcopy.as_values(cursor, "elasticc2_brokermessage", numbered)
        cursor.execute(f"SELECT streammessage_id FROM {literals} rows ORDER BY {KEY_ORDER}")
        assert cursor.fetchall() == [(row,) for row in order.tolist()]


def test_two_that_store_the_same_messages_wait_for_each_other_never_in_a_ring() -> None:
    """Each takes back what it stored, so that the test leaves nothing behind."""
    said = check([message(source, brokerPublishTimestamp=MOMENT_MS) for source in range(1, 3001)])[0]
    ids = dict.fromkeys(said.classifiers, 1)
    ready = Barrier(2)

    def store(rows: Any) -> int:
        batch = said.take(rows)
        try:
            with transaction.atomic():
                ready.wait()
                stored = sum(stored_of(batch, ids).values())
                transaction.set_rollback(True)
            return stored
        finally:
            connection.close()

    dice = np.random.default_rng(3)
    for _ in range(4):
        with ThreadPoolExecutor(2) as pool:
            both = pool.map(store, [dice.permutation(len(said)), np.arange(len(said))[::-1]])
            assert list(both) == [len(said)] * 2
