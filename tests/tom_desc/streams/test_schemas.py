import json

import pytest

from tom_desc.streams.schemas import ALERT, BROKER_CLASSIFICATION, path, schema

RECORDS = ("alert", "diaObject", "diaSource", "diaForcedSource", "brokerClassification")


def fields(record):
    return json.loads(path(f"elasticc.v0_9_1.{record}").read_text())["fields"]


def test_an_alert_has_its_parts_in_order():
    assert [field["name"] for field in schema(ALERT)["fields"]] == [
        "alertId",
        "diaSource",
        "prvDiaSources",
        "prvDiaForcedSources",
        "diaObject",
    ]


def test_the_record_of_a_broker_keeps_its_misspelt_name():
    assert schema(BROKER_CLASSIFICATION)["name"] == "elasticc.v0_9_1.brokerClassfication"


@pytest.mark.parametrize("record", RECORDS)
def test_every_field_is_documented(record):
    assert all(field["doc"].endswith(".") for field in fields(record))


@pytest.mark.parametrize("record", RECORDS)
def test_null_is_the_first_branch_of_every_union(record):
    unions = [field["type"] for field in fields(record) if isinstance(field["type"], list)]
    assert all(union[0] == "null" and len(union) == 2 for union in unions)


def test_a_field_that_may_be_null_is_null_by_default_but_for_two():
    without_default = {
        field["name"]
        for record in RECORDS
        for field in fields(record)
        if isinstance(field["type"], list) and "default" not in field
    }
    assert without_default == {"simVersion", "brokerIngestTimestamp"}


def test_a_diaobject_has_72_fields():
    assert len(fields("diaObject")) == 72


def test_an_unknown_schema_is_refused_by_name():
    with pytest.raises(FileNotFoundError, match=r"elasticc\.v0_8\.alert"):
        schema("elasticc.v0_8.alert")
