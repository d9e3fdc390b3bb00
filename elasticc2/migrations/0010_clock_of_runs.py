from importlib import import_module

from django.db import migrations

CLOCK = import_module("elasticc2.migrations.0005_clock")

# A run marks in order of time, so that it knows the latest alert of each batch; to look it up would be a
# third of the work of marking.
NOTE_SENT = CLOCK.NOTE_SENT.replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION").replace(
    "BEGIN",
    """BEGIN
    IF current_setting('elasticc2.moves_clock', true) = 'on' THEN
        RETURN NULL;
    END IF;""",
)
NOTE_SENT_ALWAYS = CLOCK.NOTE_SENT.replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION")


class Migration(migrations.Migration):
    """Sessions that move the campaign's clock themselves when they mark alerts need not have it moved."""

    dependencies = [("elasticc2", "0009_sending")]

    operations = [migrations.RunSQL(NOTE_SENT, NOTE_SENT_ALWAYS)]
