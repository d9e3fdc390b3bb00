import django.db.models.functions.datetime
from django.db import migrations, models


class Migration(migrations.Migration):
    """Where streams are read to, what became of their messages, and those that are not valid."""

    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="Gap",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("source", models.TextField()),
                ("cluster_id", models.TextField()),
                ("topic", models.TextField()),
                ("topic_id", models.TextField()),
                ("partition", models.IntegerField()),
                ("first_offset", models.BigIntegerField()),
                ("end_offset", models.BigIntegerField(null=True)),
                ("reason", models.TextField()),
                ("noticed", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
            ],
            options={
                "db_table": "streams_gap",
            },
        ),
        migrations.CreateModel(
            name="Ledger",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "source",
                        "cluster_id",
                        "topic",
                        "topic_id",
                        "partition",
                        "night",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("source", models.TextField()),
                ("cluster_id", models.TextField()),
                ("topic", models.TextField()),
                ("topic_id", models.TextField()),
                ("partition", models.IntegerField()),
                ("night", models.DateField()),
                ("seen", models.BigIntegerField(db_default=0, default=0)),
                ("stored", models.BigIntegerField(db_default=0, default=0)),
                ("duplicate", models.BigIntegerField(db_default=0, default=0)),
                ("dead", models.BigIntegerField(db_default=0, default=0)),
            ],
            options={
                "db_table": "streams_ledger",
            },
        ),
        migrations.CreateModel(
            name="Position",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "source",
                        "cluster_id",
                        "consumer_group",
                        "topic",
                        "topic_id",
                        "partition",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("source", models.TextField()),
                ("cluster_id", models.TextField()),
                ("consumer_group", models.TextField()),
                ("topic", models.TextField()),
                ("topic_id", models.TextField()),
                ("partition", models.IntegerField()),
                ("next_offset", models.BigIntegerField()),
                ("epoch", models.BigIntegerField(db_default=0, default=0)),
                ("owner", models.TextField(db_default="", default="")),
                ("updated", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ("end_offset", models.BigIntegerField(null=True)),
                ("message_time", models.DateTimeField(null=True)),
            ],
            options={
                "db_table": "streams_position",
            },
        ),
        migrations.CreateModel(
            name="DeadLetter",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("source", models.TextField()),
                ("cluster_id", models.TextField(db_default="", default="")),
                ("topic", models.TextField()),
                ("topic_id", models.TextField(db_default="", default="")),
                ("partition", models.IntegerField()),
                ("offset", models.BigIntegerField()),
                ("message_time", models.DateTimeField(null=True)),
                ("brokername", models.TextField(null=True)),
                ("reason", models.TextField()),
                ("value", models.BinaryField(null=True)),
                (
                    "received",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), db_index=True),
                ),
            ],
            options={
                "db_table": "streams_deadletter",
                "constraints": [
                    models.UniqueConstraint(
                        fields=("source", "cluster_id", "topic", "topic_id", "partition", "offset"),
                        name="streams_deadletter_position",
                    )
                ],
            },
        ),
    ]
