import django.contrib.postgres.fields
import django.db.models.deletion
import django.db.models.functions.datetime
from django.db import migrations, models

import tom_desc.fields
from tom_desc.partitions import CreateHashPartitionedModel


class Migration(migrations.Migration):
    """What brokers said, and the work lists between ingest, load and reveal."""

    dependencies = [("elasticc2", "0001_sky")]

    operations = [
        migrations.CreateModel(
            name="BrokerClassifier",
            fields=[
                ("classifier_id", models.BigAutoField(primary_key=True, serialize=False)),
                ("brokername", models.CharField(max_length=100)),
                ("brokerversion", models.TextField(null=True)),
                ("classifiername", models.CharField(max_length=200)),
                ("classifierparams", models.TextField(null=True)),
                (
                    "modified",
                    models.DateTimeField(auto_now=True, db_default=django.db.models.functions.datetime.Now()),
                ),
            ],
            options={
                "db_table": "elasticc2_brokerclassifier",
                "constraints": [
                    models.UniqueConstraint(
                        fields=("brokername", "brokerversion", "classifiername", "classifierparams"),
                        name="elasticc2_brokerclassifier_unique",
                        nulls_distinct=False,
                    )
                ],
            },
        ),
        CreateHashPartitionedModel(
            name="BrokerMessage",
            fields=[
                ("brokermessage_id", models.BigAutoField(primary_key=True, serialize=False)),
                ("streammessage_id", models.BigIntegerField(null=True)),
                ("topicname", models.CharField(max_length=200, null=True)),
                ("alert_id", models.BigIntegerField()),
                ("diasource_id", models.BigIntegerField()),
                ("msghdrtimestamp", models.DateTimeField(null=True)),
                (
                    "descingesttimestamp",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), db_index=True),
                ),
                ("elasticcpublishtimestamp", models.DateTimeField(null=True)),
                ("brokeringesttimestamp", models.DateTimeField(null=True)),
                (
                    "classid",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.SmallIntegerField(), size=None
                    ),
                ),
                ("classifier_id", models.BigIntegerField()),
                (
                    "probability",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=tom_desc.fields.Float32Field(), size=None
                    ),
                ),
                ("topicpartition", models.SmallIntegerField(null=True)),
                (
                    "digest",
                    models.GeneratedField(
                        db_persist=True,
                        expression=models.Func(
                            models.Func(
                                models.F("alert_id"),
                                models.F("classifier_id"),
                                models.F("msghdrtimestamp"),
                                models.F("classid"),
                                models.F("probability"),
                                function="ROW",
                            ),
                            models.Value(0),
                            function="hash_record_extended",
                        ),
                        output_field=models.BigIntegerField(),
                    ),
                ),
            ],
            options={
                "db_table": "elasticc2_brokermessage",
                "constraints": [
                    models.UniqueConstraint(
                        fields=("diasource_id", "digest"), name="elasticc2_brokermessage_identity"
                    )
                ],
            },
            partition_by="diasource_id",
            partitions=16,
        ),
        migrations.CreateModel(
            name="BrokerSourceIds",
            fields=[
                ("diasource_id", models.BigIntegerField(primary_key=True, serialize=False)),
            ],
            options={
                "db_table": "elasticc2_brokersourceids",
            },
        ),
        migrations.CreateModel(
            name="BrokerNews",
            fields=[
                ("news_id", models.BigAutoField(primary_key=True, serialize=False)),
                (
                    "diasource_ids",
                    django.contrib.postgres.fields.ArrayField(base_field=models.BigIntegerField(), size=None),
                ),
            ],
            options={
                "db_table": "elasticc2_brokernews",
            },
        ),
        migrations.CreateModel(
            name="LoadNews",
            fields=[
                ("news_id", models.BigAutoField(primary_key=True, serialize=False)),
                (
                    "diaobject_ids",
                    django.contrib.postgres.fields.ArrayField(base_field=models.BigIntegerField(), size=None),
                ),
            ],
            options={
                "db_table": "elasticc2_loadnews",
            },
        ),
        migrations.CreateModel(
            name="UnknownSource",
            fields=[
                ("diasource_id", models.BigIntegerField(primary_key=True, serialize=False)),
                ("since", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
            ],
            options={
                "db_table": "elasticc2_unknownsource",
            },
        ),
        migrations.CreateModel(
            name="ImportPPDBRunning",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("running", models.BooleanField()),
            ],
            options={
                "db_table": "elasticc2_importppdbrunning",
            },
        ),
    ]
