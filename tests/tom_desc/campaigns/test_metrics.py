"""The campaigns' clocks in /metrics."""

import pytest

from tests.elasticc2.sky import add_object
from tests.tom_desc.campaigns.test_campaign import campaign, mark_sent
from tests.tom_desc.samples import samples
from tests.tom_desc.streams.positions import NOW
from tom_desc.campaigns.metrics import families

pytestmark = pytest.mark.django_db


def test_the_clock_of_each_campaign_is_shown():
    mark_sent(*add_object(1, [(60010.25, "r", 100.0, True)]))
    campaign("--clock", "sent")
    assert samples(families(NOW), "tom_clock_mjd", "campaign") == {("elasticc2",): 60010.25}


def test_a_campaign_without_now_has_no_clock():
    campaign("--clock", "sent")
    assert samples(families(NOW), "tom_clock_mjd", "campaign") == {}
