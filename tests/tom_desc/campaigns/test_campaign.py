"""The campaign's clock and state, and the command that shows and sets them."""

from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from elasticc2.campaign import ELASTICC2
from tests.elasticc2.sky import add_object
from tom_desc.campaigns.clock import now
from tom_desc.campaigns.models import Campaign

pytestmark = pytest.mark.django_db

POINTS = [(60000.0, "g", 30.0, True), (60010.0, "g", 90.0, True), (60020.0, "g", 90.0, True)]


def mark_sent(*alerts: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE elasticc2_ppdbalert SET alertsenttimestamp = now() WHERE alert_id = ANY(%s)",
            (list(alerts),),
        )


def campaign(*arguments: str, **options: Any) -> None:
    call_command("campaign", "elasticc2", *arguments, **options)


def test_the_clock_is_the_wall_until_said_otherwise() -> None:
    row = Campaign.objects.get(name="elasticc2")
    assert (row.clock, row.ended, row.zeropoint, row.flux_unit) == ("wall", False, 31.4, "nJy")
    mjd = now(ELASTICC2).mjd
    assert mjd is not None and 61000 < mjd < 90000


def test_the_sent_clock_stands_at_the_latest_sent_alert() -> None:
    campaign("--clock", "sent")
    assert now(ELASTICC2).mjd is None
    first, second, third = add_object(7, POINTS)
    assert now(ELASTICC2).mjd == 60000.0
    mark_sent(first, second)
    assert now(ELASTICC2).mjd == 60010.0
    mark_sent(first)
    assert now(ELASTICC2).mjd == 60010.0
    mark_sent(third)
    assert now(ELASTICC2).mjd == 60020.0


def test_alerts_that_arrive_marked_as_from_a_dump_move_the_clock() -> None:
    campaign("--clock", "sent")
    add_object(7, POINTS)
    with connection.cursor() as cursor:
        cursor.execute("CREATE TEMPORARY TABLE dumped AS SELECT * FROM elasticc2_ppdbalert")
        cursor.execute("DELETE FROM elasticc2_ppdbalert")
        cursor.execute(
            "INSERT INTO elasticc2_ppdbalert (alert_id, alertsenttimestamp, diaobject_id, diasource_id)"
            " SELECT alert_id, now(), diaobject_id, diasource_id FROM dumped"
        )
    assert now(ELASTICC2).mjd == 60020.0


def test_setting_the_sent_clock_counts_all_alerts_again() -> None:
    first, _, third = add_object(7, POINTS)
    mark_sent(first, third)
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE elasticc2_ppdbalert SET alertsenttimestamp = NULL WHERE alert_id = %s", (third,)
        )
    campaign("--clock", "sent")
    assert now(ELASTICC2).mjd == 60000.0


def test_setting_one_thing_leaves_the_others(capsys: pytest.CaptureFixture[str]) -> None:
    campaign("--clock", "sent")
    campaign("--ended", "yes")
    row = Campaign.objects.get(name="elasticc2")
    assert (row.clock, row.ended) == ("sent", True)
    campaign("--ended", "no", "--clock", "wall")
    assert "ended      no" in capsys.readouterr().out


def test_an_unknown_campaign_is_refused() -> None:
    with pytest.raises(CommandError, match="invalid choice: 'elasticc9'"):
        call_command("campaign", "elasticc9")


def test_users_are_kept_from_the_future_and_admins_are_not(django_user_model: Any) -> None:
    make = django_user_model.objects
    user, root = make.create_user("user"), make.create_superuser("root")
    campaign("--clock", "sent")
    add_object(7, POINTS)
    clock = now(ELASTICC2)
    assert (clock.hidden_after(user), clock.hidden_after(root)) == (60000.0, None)
    assert (clock.shows_truth_to(user), clock.shows_truth_to(root)) == (False, True)
    campaign("--ended", "yes")
    assert now(ELASTICC2).hidden_after(user) is None
