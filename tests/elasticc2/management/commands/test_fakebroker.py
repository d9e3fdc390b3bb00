"""The command as a process, against a web server of its own or a real Kafka."""

import os
import random
import signal
import subprocess
import time

import pytest
from django.core.management import CommandError, call_command

from tests.elasticc2.test_kafkabroker import alert, answered
from tests.kafkalog import KafkaLog, topic_name
from tests.localtom import CHECKOUT, manage

SENT = "SELECT count(*) FROM elasticc2_ppdbalert WHERE alertsenttimestamp IS NOT NULL"
MESSAGES = "SELECT count(*) FROM elasticc2_brokermessage"
EVERYTHING = ("--through-day", "70000")


@pytest.fixture
def kilonovae(tom, real_survey_directories):
    """A TOM with one of the real models: 47 objects, 142 alerts."""
    (directory,) = [path for path in real_survey_directories if "KN_K17" in path.name]
    tom.manage("load_snana_fits", "--ppdb", "--do", "-d", directory)
    return tom


def run(tom, *arguments):
    """The command to its end: its exit status and all that it said."""
    done = subprocess.run(
        manage("fakebroker", *arguments),
        env={**os.environ, **tom.settings},
        cwd=CHECKOUT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    return done.returncode, done.stdout


@pytest.mark.full
def test_it_answers_and_says_so_in_one_line(kilonovae):
    status, said = run(kilonovae, "--rest", kilonovae.url, *EVERYTHING)
    assert (status, said) == (0, "answered 142 alerts, 284 messages, 284 stored, 0 duplicates\n")
    status, said = run(kilonovae, "--rest", kilonovae.url, *EVERYTHING)
    assert (status, said) == (0, "answered 0 alerts, 0 messages, 0 stored, 0 duplicates\n")
    assert (kilonovae.one(SENT), kilonovae.one(MESSAGES)) == (142, 284)


@pytest.mark.full
def test_a_refusal_is_quoted_and_nothing_is_marked(kilonovae):
    kilonovae.sql(
        "INSERT INTO accounts_brokeraccount (user_id, brokername)"
        " SELECT id, 'SomebodyElse' FROM auth_user WHERE username = 'apibroker'"
    )
    status, said = run(kilonovae, "--rest", kilonovae.url, *EVERYTHING)
    assert status == 1
    assert "answered 400: message 0: brokerName 'FakeBroker' is not one of this account's brokers" in said
    assert "answered 0 alerts" in said
    assert (kilonovae.one(SENT), kilonovae.one(MESSAGES)) == (0, 0)


@pytest.mark.full
def test_sigterm_finishes_the_batch_in_hand(kilonovae):
    process = kilonovae.start("fakebroker", "--rest", kilonovae.url, *EVERYTHING, "--batch", 1)
    while not kilonovae.one(SENT):
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal.SIGTERM)
    assert process.wait() == 128 + signal.SIGTERM
    sent = kilonovae.one(SENT)
    assert 0 < sent < 142
    assert kilonovae.one(MESSAGES) == 2 * sent


@pytest.mark.full
def test_a_wrong_password_is_said(tom):
    status, said = run(tom, "--rest", tom.url, *EVERYTHING, "--password", "wrong")
    assert status == 1
    assert "wrong user name or password for apibroker" in said


def test_without_a_server_it_fails():
    with pytest.raises(CommandError, match=r"^cannot log in at http://127\.0\.0\.1:9: "):
        call_command("fakebroker", "--rest", "http://127.0.0.1:9", *EVERYTHING)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--classifiers", "nugent,oracle"), "no classifier oracle; there are nugent, random, api"),
        (("--classifiers", "nugent,api"), "api answers alerts that were sent already; run it by itself"),
        (("--batch", "0"), "--batch must be at least 1"),
        (("--dest", "127.0.0.1:9"), "give either --rest, or --source and --dest"),
    ],
)
def test_arguments_that_make_no_sense_are_refused(arguments, sentence):
    with pytest.raises(CommandError) as refusal:
        call_command("fakebroker", "--rest", "http://127.0.0.1:9", *EVERYTHING, *arguments)
    assert str(refusal.value) == sentence


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--rest", "http://127.0.0.1:9"), "--rest needs --through-day"),
        (("--source", "127.0.0.1:9"), "give --rest URL, or --source and --dest (default: $KAFKA_SERVER)"),
        ((), "give --rest URL, or --source and --dest (default: $KAFKA_SERVER)"),
        (("--source", "a", "--dest", "b", "--classifiers", "api"), "api answers over REST only"),
    ],
)
def test_what_is_missing_is_said(monkeypatch, arguments, sentence):
    monkeypatch.delenv("KAFKA_SERVER", raising=False)
    with pytest.raises(CommandError) as refusal:
        call_command("fakebroker", *arguments)
    assert str(refusal.value) == sentence


ALERTS = 1000


@pytest.fixture
def between(kafka):
    """Alerts on two topics, and the command's arguments to answer them."""
    log = KafkaLog(kafka)
    topics = [log.make(topic_name("wfd"), partitions=2), log.make(topic_name("ddf-full"))]
    log.put(topics[0], [alert(1 + i) for i in range(ALERTS - 100)])
    log.put(topics[1], [alert(ALERTS - 99 + i) for i in range(100)])
    return log, [
        *("--source", kafka, "--dest", kafka, "--source-topics", *topics),
        *("--dest-topic", topic_name("classifications"), "--group", topic_name("group")),
    ]


def answered_by(arguments, log):
    return answered(log, arguments[arguments.index("--dest-topic") + 1])


def start(arguments):
    return subprocess.Popen(
        manage("fakebroker", *arguments),
        env=dict(os.environ),
        cwd=CHECKOUT,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )


@pytest.mark.full
def test_it_answers_what_is_on_the_topics_once_and_says_so(between):
    log, arguments = between
    for done in (ALERTS, 0):
        process = start([*arguments, "--once"])
        assert process.communicate()[0] == f"answered {done} alerts, {2 * done} messages, 0 unreadable\n"
        assert process.returncode == 0
    assert answered_by(arguments, log) == list(range(1, ALERTS + 1))


@pytest.mark.full
def test_it_goes_on_until_sigterm_and_then_finishes_its_batch(between):
    log, arguments = between
    process = start([*arguments, "--batch", "20"])
    while not answered_by(arguments, log):
        assert process.poll() is None
    process.send_signal(signal.SIGTERM)
    said, _ = process.communicate()
    assert process.returncode == 0
    before = len(answered_by(arguments, log))
    assert said == f"answered {before} alerts, {2 * before} messages, 0 unreadable\n"
    start([*arguments, "--once"]).communicate()
    assert answered_by(arguments, log) == list(range(1, ALERTS + 1))


@pytest.mark.full
def test_sigterm_before_all_was_answered_once_is_a_failure(between):
    log, arguments = between
    process = start([*arguments, "--batch", "1", "--once"])
    while not answered_by(arguments, log):
        assert process.poll() is None
    process.send_signal(signal.SIGTERM)
    assert process.wait() == 128 + signal.SIGTERM


@pytest.mark.full
def test_a_killed_broker_neither_loses_nor_repeats_an_answer(between):
    """Five times, each after some more answers and at a moment of chance."""
    log, arguments = between
    for part in range(1, 6):
        process = start([*arguments, "--batch", "7"])
        while len(answered_by(arguments, log)) < part * 50:
            assert process.poll() is None
        time.sleep(random.random() / 5)
        process.kill()
        process.wait()
    assert len(answered_by(arguments, log)) < ALERTS
    start([*arguments, "--once"]).communicate()
    assert answered_by(arguments, log) == list(range(1, ALERTS + 1))
