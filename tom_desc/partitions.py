"""Partitioned tables: making them, keeping their statistics, and mending sequences after an import."""

from typing import Any

from django.db import connection, migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.models import Model, UniqueConstraint

# A parent is analysed again when this share of its rows is new: autovacuum looks at partitions only.
ANALYZE_WHEN_GROWN_BY = 0.1


class CreateHashPartitionedModel(migrations.CreateModel):
    """CreateModel for a table partitioned by hash of one column.

    Django goes on seeing the model's own primary key; the database's is (primary key, partition column),
    because PostgreSQL wants the partition column in every unique key. Partitions are named
    ``<table>_00``, ``<table>_01``, ...
    """

    def __init__(self, *args: Any, partition_by: str, partitions: int, **kwargs: Any) -> None:
        self.partition_by = partition_by
        self.partitions = partitions
        super().__init__(*args, **kwargs)

    def deconstruct(self) -> tuple[str, list[Any], dict[str, Any]]:
        name, args, kwargs = super().deconstruct()
        return name, list(args), kwargs | {"partition_by": self.partition_by, "partitions": self.partitions}

    def database_forwards(
        self, app_label: str, schema_editor: BaseDatabaseSchemaEditor, from_state: Any, to_state: Any
    ) -> None:
        model = to_state.apps.get_model(app_label, self.name)
        if not self.allow_migrate_model(schema_editor.connection.alias, model):
            return
        schema_editor.execute(*self.parent_sql(schema_editor, model))
        for remainder in range(self.partitions):
            schema_editor.execute(
                f"CREATE TABLE {model._meta.db_table}_{remainder:02d} PARTITION OF {model._meta.db_table}"
                f" FOR VALUES WITH (MODULUS {self.partitions}, REMAINDER {remainder})"
            )
        schema_editor.deferred_sql.extend(foreign_keys(schema_editor, model))
        schema_editor.deferred_sql.extend(schema_editor._model_indexes_sql(model))  # type: ignore[attr-defined]

    def parent_sql(
        self, schema_editor: BaseDatabaseSchemaEditor, model: type[Model]
    ) -> tuple[str, list[Any]]:
        """CREATE TABLE ... PARTITION BY HASH, with its parameters."""
        lines: list[str] = []
        params: list[Any] = []
        for field in model._meta.local_fields:
            definition, field_params = schema_editor.column_sql(model, field)
            suffix = field.db_type_suffix(schema_editor.connection) or ""
            lines.append(f'"{field.column}" {str(definition).replace(" PRIMARY KEY", "")} {suffix}')
            params.extend(field_params or [])
        lines.append(f'PRIMARY KEY ("{model._meta.pk.column}", "{self.partition_by}")')
        for constraint in model._meta.constraints:
            assert isinstance(constraint, UniqueConstraint)
            lines.append(str(constraint.constraint_sql(model, schema_editor)))
        body = ",\n  ".join(lines)
        table = model._meta.db_table
        return f'CREATE TABLE "{table}" (\n  {body}\n) PARTITION BY HASH ("{self.partition_by}")', params


def foreign_keys(schema_editor: Any, model: type[Model]) -> list[Any]:
    """ALTER TABLE statements for the model's foreign keys, named as Django names them."""
    return [
        schema_editor._create_fk_sql(model, field, "_fk_%(to_table)s_%(to_column)s")
        for field in model._meta.local_fields
        if field.remote_field and field.db_constraint  # type: ignore[attr-defined]
    ]


GROWN = """
SELECT reltuples, coalesce((SELECT sum(part.reltuples)
                            FROM pg_inherits JOIN pg_class part ON part.oid = inhrelid
                            WHERE inhparent = whole.oid AND part.reltuples > 0), 0)
FROM pg_class whole WHERE oid = %s::regclass"""


def analyze_if_grown(cursor: Any, added: dict[str, int]) -> list[str]:
    """ANALYZE those tables that have grown noticeably: just now, or by what is known of their partitions.

    Parameters
    ----------
    added
        Rows added by table.

    Returns
    -------
    list of str
        The tables analysed.
    """
    grown = []
    for table, rows in added.items():
        cursor.execute(GROWN, (table,))
        known, in_partitions = cursor.fetchone()
        if (rows and rows >= ANALYZE_WHEN_GROWN_BY * known) or (
            in_partitions > (1 + ANALYZE_WHEN_GROWN_BY) * max(known, 0)
        ):
            cursor.execute(f"ANALYZE {table}")
            grown.append(table)
    return grown


SEQUENCES = """
    SELECT pg_get_serial_sequence(c.oid::regclass::text, a.attname), c.oid::regclass::text, a.attname
    FROM pg_class c
    JOIN pg_namespace n ON n.oid = c.relnamespace AND n.nspname = 'public'
    JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
    WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relname LIKE %s
      AND pg_get_serial_sequence(c.oid::regclass::text, a.attname) IS NOT NULL"""


def repair_sequences(prefix: str) -> list[str]:
    """Move each identity sequence of the tables with this prefix past the ids that are there.

    An import brings ids and leaves the sequence at 1; where the table is partitioned, an id given out twice
    would go unnoticed.

    Returns
    -------
    list of str
        The sequences that were behind.
    """
    behind = sequences_behind(prefix)
    with connection.cursor() as cursor:
        for sequence, greatest in behind.items():
            cursor.execute("SELECT setval(%s, %s)", (sequence, greatest))
    return list(behind)


def sequences_behind(prefix: str) -> dict[str, int]:
    """Sequences that would give out an id that is there, with the greatest id there is."""
    behind = {}
    with connection.cursor() as cursor:
        cursor.execute(SEQUENCES, (prefix.replace("_", r"\_") + "%",))
        for sequence, table, column in cursor.fetchall():
            cursor.execute(
                f'SELECT m FROM (SELECT max("{column}") AS m FROM {table}) t,'
                f" (SELECT last_value, is_called FROM {sequence}) s"
                " WHERE m > last_value OR (m = last_value AND NOT is_called)"
            )
            for (greatest,) in cursor.fetchall():
                behind[sequence] = greatest
    return behind
