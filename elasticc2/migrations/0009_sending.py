import django.db.models.deletion
import django.db.models.functions.datetime
from django.db import migrations, models


class Migration(migrations.Migration):
    """Runs of sending and their batches."""

    dependencies = [
        ("elasticc2", "0008_stale_objects"),
    ]

    operations = [
        migrations.CreateModel(
            name="SendRun",
            fields=[
                ("sendrun_id", models.BigAutoField(primary_key=True, serialize=False)),
                ("from_mjd", models.FloatField(null=True)),
                ("through_mjd", models.FloatField()),
                ("started", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ("updated", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ("finished", models.DateTimeField(null=True)),
                ("last_confirmed_mjd", models.FloatField(null=True)),
                ("resend", models.BooleanField(db_default=False, default=False)),
                ("server", models.TextField()),
                ("cluster_id", models.TextField(db_default="", default="")),
                ("wfd_topic", models.TextField()),
                ("ddf_full_topic", models.TextField()),
                ("ddf_limited_topic", models.TextField()),
                ("alerts_to_send", models.BigIntegerField(db_default=0, default=0)),
                ("alerts_sent", models.BigIntegerField(db_default=0, default=0)),
                ("slice_ends", models.JSONField(null=True)),
                ("failure", models.TextField(null=True)),
            ],
            options={
                "db_table": "elasticc2_sendrun",
            },
        ),
        migrations.CreateModel(
            name="SendBatch",
            fields=[
                ("sendbatch_id", models.BigAutoField(primary_key=True, serialize=False)),
                ("night", models.IntegerField()),
                ("sent", models.DateTimeField(db_index=True)),
                ("alerts", models.IntegerField()),
                ("messages", models.IntegerField()),
                ("bytes", models.BigIntegerField(db_default=0, default=0)),
                ("first_mjd", models.FloatField()),
                ("last_mjd", models.FloatField()),
                (
                    "sendrun",
                    models.ForeignKey(
                        null=True, on_delete=django.db.models.deletion.SET_NULL, to="elasticc2.sendrun"
                    ),
                ),
            ],
            options={
                "db_table": "elasticc2_sendbatch",
            },
        ),
    ]
