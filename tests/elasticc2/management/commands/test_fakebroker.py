"""The command as a process, against a web server of its own."""

import os
import signal
import subprocess
import time

import pytest
from django.core.management import CommandError, call_command

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
    ],
)
def test_arguments_that_make_no_sense_are_refused(arguments, sentence):
    with pytest.raises(CommandError) as refusal:
        call_command("fakebroker", "--rest", "http://127.0.0.1:9", *EVERYTHING, *arguments)
    assert str(refusal.value) == sentence
