import django.contrib.postgres.fields
import django.db.models.deletion
from django.db import migrations, models

import tom_desc.fields

TABLES = ("elasticc2_packedlightcurve", "elasticc2_objectsummary")

# The database's own cascade: who deletes an object by SQL need not know of these tables.
CASCADE = """
ALTER TABLE {table} ADD CONSTRAINT {table}_of_object FOREIGN KEY (diaobject_id)
REFERENCES elasticc2_diaobject ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED"""
NO_CASCADE = "ALTER TABLE {table} DROP CONSTRAINT {table}_of_object"

# A light curve of up to 400 points stays in its page, beside room for its next version (HOT).
STORAGE = """
ALTER TABLE elasticc2_packedlightcurve
    SET (fillfactor = 70, toast_tuple_target = 8160),
    ALTER mjd SET STORAGE MAIN, ALTER band SET STORAGE MAIN,
    ALTER flux SET STORAGE MAIN, ALTER fluxerr SET STORAGE MAIN"""
SUMMARY_STORAGE = "ALTER TABLE elasticc2_objectsummary SET (fillfactor = 70)"


def one_an_object() -> models.OneToOneField:
    """A primary key that names an object; the constraint is made below."""
    return models.OneToOneField(
        db_constraint=False,
        on_delete=django.db.models.deletion.CASCADE,
        primary_key=True,
        serialize=False,
        to="elasticc2.diaobject",
    )


class Migration(migrations.Migration):
    """One row an object: its packed light curve, and a summary to search by."""

    dependencies = [("elasticc2", "0006_storage")]

    operations = [
        migrations.CreateModel(
            name="PackedLightCurve",
            fields=[
                ("diaobject", one_an_object()),
                ("n", models.IntegerField()),
                ("mjd", models.BinaryField()),
                ("band", models.BinaryField()),
                ("flux", models.BinaryField()),
                ("fluxerr", models.BinaryField()),
            ],
            options={"db_table": "elasticc2_packedlightcurve"},
        ),
        migrations.CreateModel(
            name="ObjectSummary",
            fields=[
                ("diaobject", one_an_object()),
                ("n_sources", models.IntegerField()),
                ("n_forced", models.IntegerField()),
                ("first_mjd", models.FloatField(null=True)),
                ("latest_mjd", models.FloatField(null=True)),
                ("latest_band", models.TextField(null=True)),
                ("latest_flux", tom_desc.fields.Float32Field(null=True)),
                ("latest_fluxerr", tom_desc.fields.Float32Field(null=True)),
                ("peak_mjd", models.FloatField(null=True)),
                ("peak_band", models.TextField(null=True)),
                ("peak_flux", tom_desc.fields.Float32Field(null=True)),
                ("peak_fluxerr", tom_desc.fields.Float32Field(null=True)),
            ],
            options={
                "db_table": "elasticc2_objectsummary",
                "indexes": [models.Index(fields=["latest_mjd"], name="e2_objectsummary_latest")],
            },
        ),
        migrations.CreateModel(
            name="StaleObjects",
            fields=[
                ("news_id", models.BigAutoField(primary_key=True, serialize=False)),
                (
                    "diaobject_ids",
                    django.contrib.postgres.fields.ArrayField(base_field=models.BigIntegerField(), size=None),
                ),
            ],
            options={"db_table": "elasticc2_staleobjects"},
        ),
        migrations.AddField(
            model_name="diaobjectclassification",
            name="probia",
            field=tom_desc.fields.Float32Field(null=True),
        ),
        *(migrations.RunSQL(CASCADE.format(table=table), NO_CASCADE.format(table=table)) for table in TABLES),
        migrations.RunSQL(STORAGE, migrations.RunSQL.noop),
        migrations.RunSQL(SUMMARY_STORAGE, migrations.RunSQL.noop),
    ]
