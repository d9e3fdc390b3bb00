"""Keys, partitions and columns of the tables, as migrations make them."""

from typing import Any

import pytest
from django.db import connection, migrations, models
from django.db.migrations.state import ProjectState
from django.db.utils import IntegrityError

from tests import original
from tests.localtom import LocalTom
from tom_desc.partitions import CreateHashPartitionedModel, analyze_if_grown, repair_sequences

pytestmark = pytest.mark.django_db

# Partitioned table: column that says where a row belongs, and the rest of the primary key before it.
PARTITIONED = {
    "brokermessage": ("diasource_id", "brokermessage_id"),
    "diaforcedsource": ("diaobject_id", "diaforcedsource_id"),
    "ppdbdiaforcedsource": ("diaobject_id", "diaforcedsource_id"),
    "trainingdiaforcedsource": ("diaobject_id", "diaforcedsource_id"),
}
PARTITIONS = 16


def rows(query: str, *parameters: Any) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(query, parameters or None)
        return list(cursor.fetchall()) if cursor.description else []


def values(query: str, *parameters: Any) -> list[Any]:
    return [row[0] for row in rows(query, *parameters)]


def constraints(table: str, kind: str) -> set[str]:
    """Definitions of the constraints of a table: p(rimary), u(nique), f(oreign)."""
    query = (
        "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = %s::regclass AND contype = %s"
    )
    return set(values(query, f"elasticc2_{table}", kind))


def indexes(table: str) -> set[str]:
    """The columns of each index of a table."""
    query = "SELECT indexdef FROM pg_indexes WHERE tablename = %s"
    return {definition[definition.index("(") + 1 : -1] for definition in values(query, f"elasticc2_{table}")}


@pytest.mark.parametrize("table", PARTITIONED)
def test_a_partitioned_table_has_sixteen_partitions_by_hash(table: str) -> None:
    query = """
        SELECT c.relname, pg_get_expr(c.relpartbound, c.oid)
        FROM pg_inherits JOIN pg_class c ON c.oid = inhrelid WHERE inhparent = %s::regclass ORDER BY 1"""
    assert rows(query, f"elasticc2_{table}") == [
        (f"elasticc2_{table}_{k:02d}", f"FOR VALUES WITH (modulus {PARTITIONS}, remainder {k})")
        for k in range(PARTITIONS)
    ]
    (key,) = values("SELECT pg_get_partkeydef(%s::regclass)", f"elasticc2_{table}")
    assert key == f"HASH ({PARTITIONED[table][0]})"


def test_nothing_else_is_partitioned() -> None:
    query = "SELECT relname FROM pg_class WHERE relkind = 'p' AND relname LIKE 'elasticc2%'"
    assert set(values(query)) == {f"elasticc2_{table}" for table in PARTITIONED}


@pytest.mark.parametrize("table", original.COLUMNS)
def test_the_primary_key_is_the_documented_one_and_the_partition_column(table: str) -> None:
    key = [original.primary_key(table), *PARTITIONED.get(table, ())[:1]]
    assert constraints(table, "p") == {f"PRIMARY KEY ({', '.join(key)})"}


def test_a_broker_message_is_one_of_its_source_and_digest() -> None:
    assert constraints("brokermessage", "u") == {"UNIQUE (diasource_id, digest)"}
    assert constraints("brokermessage", "f") == set()


def test_a_classifier_is_one_of_its_four_names_with_nulls_equal() -> None:
    names = "brokername, brokerversion, classifiername, classifierparams"
    assert constraints("brokerclassifier", "u") == {f"UNIQUE NULLS NOT DISTINCT ({names})"}


FOREIGN_KEYS = {
    **original.DUMPED,
    "trainingdiasource": {"diaobject_id": "trainingdiaobject"},
    "trainingdiaforcedsource": {"diaobject_id": "trainingdiaobject"},
    "trainingalert": {"diaobject_id": "trainingdiaobject", "diasource_id": "trainingdiasource"},
    "trainingdiaobjecttruth": {"diaobject_id": "trainingdiaobject"},
    "diaobjectclassification": {"diaobject_id": "diaobject", "classifier_id": "brokerclassifier"},
    "diaobjectoftarget": {"diaobject_id": "diaobject"},
}


@pytest.mark.parametrize("table", FOREIGN_KEYS)
def test_foreign_keys_are_deferred(table: str) -> None:
    assert constraints(table, "f") == {
        f"FOREIGN KEY ({column}) REFERENCES elasticc2_{parent}({original.primary_key(parent)})"
        " DEFERRABLE INITIALLY DEFERRED"
        for column, parent in FOREIGN_KEYS[table].items()
    }


@pytest.mark.parametrize("table", ["diaforcedsource", "ppdbdiaforcedsource", "trainingdiaforcedsource"])
def test_forced_photometry_is_found_by_object_and_time_in_every_partition(table: str) -> None:
    expected = {"diaforcedsource_id, diaobject_id", "diaobject_id, midpointtai"}
    assert indexes(table) == expected
    assert indexes(f"{table}_00") == indexes(f"{table}_15") == expected


def test_broker_messages_have_no_index_that_nobody_reads() -> None:
    expected = {"brokermessage_id, diasource_id", "diasource_id, digest", "descingesttimestamp"}
    assert indexes("brokermessage") == indexes("brokermessage_07") == expected


COLUMNS = """
    SELECT column_name, data_type, udt_name, character_maximum_length, is_nullable
    FROM information_schema.columns WHERE table_schema = %s AND table_name = %s ORDER BY ordinal_position"""


@pytest.mark.parametrize("table", original.COLUMNS)
def test_every_documented_column_is_there_in_its_order(table: str) -> None:
    rows("CREATE SCHEMA original")
    rows("SET LOCAL search_path = original, public")
    rows(original.create_table(table))
    documented = rows(COLUMNS, "original", f"elasticc2_{table}")
    names = original.columns(table)
    ours = [row for row in rows(COLUMNS, "public", f"elasticc2_{table}") if row[0] in names]
    assert ours == documented


def test_columns_of_our_own_need_no_value() -> None:
    query = """
        SELECT column_name FROM information_schema.columns
        WHERE table_schema = 'public' AND table_name = %s AND is_nullable = 'NO'
          AND column_default IS NULL AND is_identity = 'NO' AND is_generated = 'NEVER'"""
    for table in original.COLUMNS:
        assert set(values(query, f"elasticc2_{table}")) <= set(original.columns(table))


@pytest.mark.parametrize("table", original.SEQUENCES)
def test_sequences_have_the_names_of_the_original(table: str) -> None:
    (name,) = values(
        "SELECT pg_get_serial_sequence(%s, %s)", f"elasticc2_{table}", original.primary_key(table)
    )
    assert name.replace('"', "") == f"public.{original.SEQUENCES[table]}"


class Reading(models.Model):
    """A table to make."""

    reading_id = models.BigAutoField(primary_key=True)
    station_id = models.BigIntegerField()
    what = models.TextField(null=True)

    class Meta:
        app_label = "partitions_test"
        db_table = "partitions_reading"


READING = CreateHashPartitionedModel(
    name="Reading",
    fields=[(field.name, field.clone()) for field in Reading._meta.local_fields],
    options={
        "db_table": "partitions_reading",
        "indexes": [models.Index(fields=["what"], name="partitions_reading_what")],
        "constraints": [
            models.UniqueConstraint(fields=["station_id", "what"], name="partitions_reading_once")
        ],
    },
    partition_by="station_id",
    partitions=3,
)


def make_reading() -> tuple[ProjectState, ProjectState]:
    before = ProjectState()
    after = before.clone()
    READING.state_forwards("partitions_test", after)
    with connection.schema_editor(atomic=False) as editor:
        READING.database_forwards("partitions_test", editor, before, after)
    return before, after


def test_an_operation_makes_the_table_that_its_model_describes() -> None:
    make_reading()
    rows("INSERT INTO partitions_reading (station_id, what) SELECT k, 'a' FROM generate_series(1, 50) k")
    assert values("SELECT max(reading_id) FROM partitions_reading") == [50]
    assert len(values("SELECT DISTINCT tableoid FROM partitions_reading")) == 3
    query = "SELECT indexname FROM pg_indexes WHERE tablename = 'partitions_reading' ORDER BY 1"
    assert values(query) == ["partitions_reading_once", "partitions_reading_pkey", "partitions_reading_what"]
    with pytest.raises(IntegrityError):
        rows("INSERT INTO partitions_reading (station_id, what) VALUES (1, 'a')")


def test_an_operation_backwards_leaves_nothing() -> None:
    before, after = make_reading()
    with connection.schema_editor(atomic=False) as editor:
        READING.database_backwards("partitions_test", editor, after, before)
    assert values("SELECT relname FROM pg_class WHERE relname LIKE 'partitions_reading%'") == []


def test_an_operation_can_be_written_to_a_migration() -> None:
    name, args, kwargs = READING.deconstruct()
    again = CreateHashPartitionedModel(*args, **kwargs)
    assert name == "CreateHashPartitionedModel"
    assert isinstance(again, migrations.CreateModel)
    assert (again.partition_by, again.partitions) == ("station_id", 3)
    assert again.deconstruct() == (name, args, kwargs)


def fill(first: int, last: int) -> int:
    rows("INSERT INTO partitions_reading (station_id) SELECT generate_series(%s, %s)", first, last)
    return last - first + 1


def grown(added: int) -> list[str]:
    with connection.cursor() as cursor:
        return analyze_if_grown(cursor, {"partitions_reading": added})


def estimate() -> Any:
    return values("SELECT reltuples FROM pg_class WHERE relname = 'partitions_reading'")[0]


def test_a_table_is_analysed_once_a_tenth_of_it_is_new() -> None:
    make_reading()
    assert grown(0) == []
    assert grown(fill(1, 100)) == ["partitions_reading"]
    assert estimate() == 100
    assert grown(fill(101, 109)) == []
    assert estimate() == 100
    assert grown(fill(110, 120)) == ["partitions_reading"]
    assert estimate() == 120


def test_a_sequence_that_is_behind_is_moved_past_the_ids() -> None:
    make_reading()
    rows("INSERT INTO partitions_reading (reading_id, station_id) VALUES (7, 1), (41, 2)")
    assert repair_sequences("partitions_") == ["public.partitions_reading_reading_id_seq"]
    assert values("INSERT INTO partitions_reading (station_id) VALUES (3) RETURNING reading_id") == [42]


def test_a_sequence_that_is_not_behind_stays() -> None:
    make_reading()
    assert repair_sequences("partitions_") == []
    fill(1, 5)
    rows("DELETE FROM partitions_reading WHERE reading_id > 3")
    assert repair_sequences("partitions_") == []
    assert values("INSERT INTO partitions_reading (station_id) VALUES (3) RETURNING reading_id") == [6]


def test_a_sequence_never_used_is_moved_past_an_id_of_one() -> None:
    make_reading()
    rows("INSERT INTO partitions_reading (reading_id, station_id) VALUES (1, 1)")
    assert repair_sequences("partitions_") == ["public.partitions_reading_reading_id_seq"]
    assert values("INSERT INTO partitions_reading (station_id) VALUES (3) RETURNING reading_id") == [2]


def test_only_sequences_of_the_prefix_are_repaired() -> None:
    make_reading()
    rows("INSERT INTO partitions_reading (reading_id, station_id) VALUES (7, 1)")
    assert repair_sequences("partitions.") == repair_sequences("elasticc2_") == []


SCHEMA = """
    SELECT c.relnamespace::regnamespace::text, c.relname, a.attnum, a.attname,
           format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attidentity::text, a.attgenerated::text,
           pg_get_expr(d.adbin, d.adrelid)
    FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND attnum > 0
    LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
    WHERE c.relname LIKE 'elasticc2%' AND c.relkind IN ('r', 'p', 'v', 'i', 'I', 'S')
    ORDER BY 1, 2, 3"""
DEPENDENT = """
    SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid)
    FROM pg_constraint WHERE conrelid::regclass::text LIKE 'elasticc2%'
    UNION ALL
    SELECT tgrelid::regclass::text, tgname, pg_get_triggerdef(oid)
    FROM pg_trigger WHERE NOT tgisinternal AND tgrelid::regclass::text LIKE 'elasticc2%'
    ORDER BY 1, 2, 3"""


@pytest.mark.full
def test_migrations_can_be_undone_and_done_again(tom: LocalTom) -> None:
    before = tom.sql(SCHEMA), tom.sql(DEPENDENT)
    tom.manage("migrate", "--verbosity", 0, "elasticc2", "zero")
    assert tom.sql(SCHEMA) == []
    assert tom.one("SELECT count(*) FROM pg_proc WHERE proname LIKE 'elasticc2%'") == 0
    tom.manage("migrate", "--verbosity", 0)
    tom.manage("bootstrap")
    assert (tom.sql(SCHEMA), tom.sql(DEPENDENT)) == before
