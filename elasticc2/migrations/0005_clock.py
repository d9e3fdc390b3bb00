from django.db import migrations

from tom_desc.mjd import TAI_MINUS_UTC_S, UNIX_EPOCH_MJD

# The campaign's row is made here, so that there is always exactly one. Its unit is that of every database of
# the original; a load into empty tables may choose another.
CAMPAIGN = "INSERT INTO campaigns_campaign (name, zeropoint, flux_unit) VALUES ('elasticc2', 31.4, 'nJy')"
NO_CAMPAIGN = "DELETE FROM campaigns_campaign WHERE name = 'elasticc2'"

LOCK_FLAG = "INSERT INTO elasticc2_importppdbrunning (running) VALUES (false)"
NO_LOCK_FLAG = "DELETE FROM elasticc2_importppdbrunning"

# One row: now in survey time (MJD TAI), and up to when PPDB rows may be seen by all.
CLOCK = f"""
CREATE VIEW elasticc2_clock AS
SELECT mjd_now, ended, CASE WHEN ended THEN 'Infinity' ELSE mjd_now END AS visible_until
FROM (SELECT ended,
             CASE clock
               WHEN 'sent' THEN coalesce(sent_mjd, (SELECT min(midpointtai) FROM elasticc2_ppdbdiasource))
               ELSE {UNIX_EPOCH_MJD} + (extract(epoch FROM now())::float8 + {TAI_MINUS_UTC_S}) / 86400
             END AS mjd_now
      FROM campaigns_campaign
      WHERE name = 'elasticc2') c"""

# Whoever marks alerts sent, a command or a restored dump, moves the clock; it never looks at old rows.
# Names are qualified because pg_restore runs with an empty search_path.
NOTE_SENT = """
CREATE FUNCTION elasticc2_note_sent() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    latest float8;
BEGIN
    SELECT max(s.midpointtai) INTO latest
    FROM marked JOIN public.elasticc2_ppdbdiasource s USING (diasource_id)
    WHERE marked.alertsenttimestamp IS NOT NULL;
    UPDATE public.campaigns_campaign SET sent_mjd = latest
    WHERE name = 'elasticc2' AND latest > coalesce(sent_mjd, '-Infinity');
    RETURN NULL;
END $$"""
# Alerts may come before their sources. Planned anew each time: a plan made while there was no alert would
# read all alerts for each file of a load.
NOTE_SENT_BEFORE = """
CREATE FUNCTION elasticc2_note_sent_before() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    latest float8;
BEGIN
    EXECUTE 'SELECT max(added.midpointtai) FROM added JOIN public.elasticc2_ppdbalert a USING (diasource_id)'
            ' WHERE a.alertsenttimestamp IS NOT NULL' INTO latest;
    UPDATE public.campaigns_campaign SET sent_mjd = latest
    WHERE name = 'elasticc2' AND latest > coalesce(sent_mjd, '-Infinity');
    RETURN NULL;
END $$"""
TRIGGER_BEFORE = """
CREATE TRIGGER elasticc2_note_sent_before AFTER INSERT ON elasticc2_ppdbdiasource
REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION elasticc2_note_sent_before()"""
DROP_TRIGGER_BEFORE = "DROP TRIGGER elasticc2_note_sent_before ON elasticc2_ppdbdiasource"

TRIGGER = """
CREATE TRIGGER elasticc2_note_sent_{event} AFTER {event} ON elasticc2_ppdbalert
REFERENCING NEW TABLE AS marked FOR EACH STATEMENT EXECUTE FUNCTION elasticc2_note_sent()"""
DROP_TRIGGER = "DROP TRIGGER elasticc2_note_sent_{event} ON elasticc2_ppdbalert"


class Migration(migrations.Migration):
    """The campaign's clock, and what keeps it."""

    dependencies = [("elasticc2", "0004_taxonomy"), ("campaigns", "0001_campaign")]

    operations = [
        migrations.RunSQL(CAMPAIGN, NO_CAMPAIGN),
        migrations.RunSQL(LOCK_FLAG, NO_LOCK_FLAG),
        migrations.RunSQL(CLOCK, "DROP VIEW elasticc2_clock"),
        migrations.RunSQL(NOTE_SENT, "DROP FUNCTION elasticc2_note_sent()"),
        *(
            migrations.RunSQL(TRIGGER.format(event=event), DROP_TRIGGER.format(event=event))
            for event in ("INSERT", "UPDATE")
        ),
        migrations.RunSQL(NOTE_SENT_BEFORE, "DROP FUNCTION elasticc2_note_sent_before()"),
        migrations.RunSQL(TRIGGER_BEFORE, DROP_TRIGGER_BEFORE),
    ]
