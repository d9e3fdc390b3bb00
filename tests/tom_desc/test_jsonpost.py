"""Answers that are too large to be made in memory first."""

import itertools
import json
import logging
from collections.abc import Iterator

import pytest
from django.http import StreamingHttpResponse

from tom_desc.jsonpost import STREAM_FROM, json_answer
from tom_desc.requestlog import request_id


def test_a_small_answer_in_parts_is_sent_whole() -> None:
    assert json_answer(iter([b"[1", b",2]"])).getvalue() == b"[1,2]"
    assert not json_answer(iter([b"[]"])).streaming


def test_a_large_answer_is_made_while_it_is_sent() -> None:
    made: list[int] = []

    def parts() -> Iterator[bytes]:
        for number in range(10):
            made.append(number)
            yield b" " * STREAM_FROM
        yield json.dumps(made).encode()

    response = json_answer(parts())
    assert isinstance(response, StreamingHttpResponse)
    assert made == [0]
    assert json.loads(b"".join(response)) == list(range(10))


def test_what_goes_wrong_at_once_can_still_be_answered() -> None:
    with pytest.raises(ZeroDivisionError):
        json_answer(1 // 0 for _ in "x")


def test_what_goes_wrong_later_cuts_the_answer_off_and_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    token = request_id.set("abc123")
    response = json_answer(itertools.chain([b" " * STREAM_FROM], (1 // 0 for _ in "x")))
    request_id.reset(token)
    with caplog.at_level(logging.ERROR), pytest.raises(ZeroDivisionError):
        b"".join(response)
    (record,) = caplog.records
    assert record.exc_info is not None
