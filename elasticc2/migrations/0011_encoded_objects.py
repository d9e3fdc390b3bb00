import django.db.models.deletion
from django.db import migrations, models

TABLE = "elasticc2_ppdbencodedobject"
COLUMNS = (
    "record",
    "source_ids",
    "source_mjds",
    "source_offsets",
    "source_records",
    "forced_mjds",
    "forced_offsets",
    "forced_records",
)
# The database's own cascade: who deletes an object by SQL need not know of this table.
CASCADE = f"""
ALTER TABLE {TABLE} ADD CONSTRAINT {TABLE}_of_object FOREIGN KEY (diaobject_id)
REFERENCES elasticc2_ppdbdiaobject ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED"""
NO_CASCADE = f"ALTER TABLE {TABLE} DROP CONSTRAINT {TABLE}_of_object"
# An object of some 150 points stays in its page.
STORAGE = f"""
ALTER TABLE {TABLE} SET (toast_tuple_target = 8160),
    {", ".join(f"ALTER {name} SET STORAGE MAIN" for name in COLUMNS)}"""

# Who encodes an object holds it: what is kept of it meanwhile is there to be deleted once it can be shared.
# Names are qualified because pg_restore runs with an empty search_path.
FORGET = f"""
CREATE FUNCTION elasticc2_forget_encoded() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM FROM public.elasticc2_ppdbdiaobject
    WHERE diaobject_id IN (OLD.diaobject_id, NEW.diaobject_id) FOR KEY SHARE;
    DELETE FROM public.{TABLE} WHERE diaobject_id IN (OLD.diaobject_id, NEW.diaobject_id);
    RETURN NULL;
END $$"""
FORGET_ALL = f"""
CREATE FUNCTION elasticc2_forget_all_encoded() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM public.{TABLE};
    RETURN NULL;
END $$"""

# Rows, not statements: with a table of changed rows, COPY into a partitioned table takes row by row.
CHANGED = """
CREATE TRIGGER elasticc2_forget_encoded AFTER {events} ON {table} FOR EACH ROW
WHEN (current_setting('elasticc2.nothing_is_kept', true) IS DISTINCT FROM 'on')
EXECUTE FUNCTION elasticc2_forget_encoded()"""
EMPTIED = """
CREATE TRIGGER elasticc2_forget_all_encoded AFTER TRUNCATE ON {table}
FOR EACH STATEMENT EXECUTE FUNCTION elasticc2_forget_all_encoded()"""
PHOTOMETRY = ("elasticc2_ppdbdiasource", "elasticc2_ppdbdiaforcedsource")


def changed(table: str, events: str) -> migrations.RunSQL:
    return migrations.RunSQL(
        CHANGED.format(table=table, events=events), f"DROP TRIGGER elasticc2_forget_encoded ON {table}"
    )


def emptied(table: str) -> migrations.RunSQL:
    return migrations.RunSQL(
        EMPTIED.format(table=table), f"DROP TRIGGER elasticc2_forget_all_encoded ON {table}"
    )


class Migration(migrations.Migration):
    """One row an object of the PPDB, encoded for alerts; triggers delete it when it is true no more."""

    dependencies = [("elasticc2", "0010_clock_of_runs")]

    operations = [
        migrations.CreateModel(
            name="PPDBEncodedObject",
            fields=[
                (
                    "diaobject",
                    models.OneToOneField(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        serialize=False,
                        to="elasticc2.ppdbdiaobject",
                    ),
                ),
                ("isddf", models.BooleanField()),
                *((name, models.BinaryField()) for name in COLUMNS),
            ],
            options={"db_table": TABLE},
        ),
        migrations.RunSQL(CASCADE, NO_CASCADE),
        migrations.RunSQL(STORAGE, migrations.RunSQL.noop),
        migrations.RunSQL(FORGET, "DROP FUNCTION elasticc2_forget_encoded()"),
        migrations.RunSQL(FORGET_ALL, "DROP FUNCTION elasticc2_forget_all_encoded()"),
        changed("elasticc2_ppdbdiaobject", "UPDATE"),
        *(changed(table, "INSERT OR UPDATE OR DELETE") for table in PHOTOMETRY),
        *(emptied(table) for table in PHOTOMETRY),
    ]
