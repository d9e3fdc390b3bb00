from django.db import migrations

# Appended and never updated, so that writers of the same objects do not wait for each other; in pieces, so
# that renewing them needs no long transaction. Names are qualified because pg_restore runs with an empty
# search_path.
APPEND = """
    INSERT INTO public.elasticc2_staleobjects (diaobject_ids)
    SELECT array_agg(diaobject_id ORDER BY diaobject_id)
    FROM (SELECT diaobject_id, (row_number() OVER (ORDER BY diaobject_id) - 1) / 5000 AS piece
          FROM ({ids}) ids) pieces
    GROUP BY piece"""
CHANGED = "SELECT DISTINCT diaobject_id FROM changed WHERE diaobject_id IS NOT NULL"
ALL = "SELECT diaobject_id FROM public.elasticc2_diaobject"

# Reveal renews what it touches in the same transaction, and says so in a setting. What somebody else has in
# hand is left to him: being noted it is not trusted, and waiting for each other might end in a ring.
NOTE_CHANGED = f"""
CREATE FUNCTION elasticc2_note_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF current_setting('elasticc2.renewing', true) = 'yes' THEN
        RETURN NULL;
    END IF;
    {APPEND.format(ids=CHANGED)};
    DELETE FROM public.elasticc2_packedlightcurve WHERE diaobject_id IN (
        SELECT p.diaobject_id
        FROM public.elasticc2_packedlightcurve p JOIN ({CHANGED}) ids USING (diaobject_id)
        FOR UPDATE OF p SKIP LOCKED);
    RETURN NULL;
END $$"""
NOTE_EMPTIED = f"""
CREATE FUNCTION elasticc2_note_emptied() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    {APPEND.format(ids=ALL)};
    DELETE FROM public.elasticc2_packedlightcurve;
    RETURN NULL;
END $$"""

# A function for one table of changed rows serves inserts, deletions, and either side of an update.
INSERTED = {"inserted": ("INSERT", "REFERENCING NEW TABLE AS changed", "changed")}
TRIGGERS = INSERTED | {
    "deleted": ("DELETE", "REFERENCING OLD TABLE AS changed", "changed"),
    "updated_from": ("UPDATE", "REFERENCING OLD TABLE AS changed", "changed"),
    "updated_to": ("UPDATE", "REFERENCING NEW TABLE AS changed", "changed"),
    "emptied": ("TRUNCATE", "", "emptied"),
}
TABLES = {"diaobject": INSERTED, "diasource": TRIGGERS, "diaforcedsource": TRIGGERS}
TRIGGER = """
CREATE TRIGGER elasticc2_{table}_{name} AFTER {event} ON elasticc2_{table} {rows}
FOR EACH STATEMENT EXECUTE FUNCTION elasticc2_note_{what}()"""


class Migration(migrations.Migration):
    """Triggers that note whose photometry changed, so that nothing kept of it is trusted."""

    dependencies = [("elasticc2", "0007_kept_light_curves")]

    operations = [
        migrations.RunSQL(NOTE_CHANGED, "DROP FUNCTION elasticc2_note_changed()"),
        migrations.RunSQL(NOTE_EMPTIED, "DROP FUNCTION elasticc2_note_emptied()"),
        *(
            migrations.RunSQL(
                TRIGGER.format(table=table, name=name, event=event, rows=rows, what=what),
                f"DROP TRIGGER elasticc2_{table}_{name} ON elasticc2_{table}",
            )
            for table, triggers in TABLES.items()
            for name, (event, rows, what) in triggers.items()
        ),
        # What was there before has no summary yet: the next reveal makes them.
        migrations.RunSQL(APPEND.format(ids=ALL), migrations.RunSQL.noop),
    ]
