import django.contrib.postgres.fields
import django.db.models.deletion
import django.db.models.functions.datetime
from django.conf import settings
from django.db import migrations, models

import tom_desc.fields


class Migration(migrations.Migration):
    """What reveal keeps of each object, and the spectra asked for, planned and taken."""

    dependencies = [migrations.swappable_dependency(settings.AUTH_USER_MODEL), ("elasticc2", "0002_brokers")]

    operations = [
        migrations.CreateModel(
            name="DiaObjectInfo",
            fields=[
                ("id", models.BigAutoField(db_column="_id", primary_key=True, serialize=False)),
                ("filtername", models.TextField()),
                ("firstsource_id", models.BigIntegerField(null=True)),
                ("firstsourceflux", models.FloatField(null=True)),
                ("firstsourcefluxerr", models.FloatField(null=True)),
                ("firstsourcemjd", models.FloatField(null=True)),
                ("maxforcedsource_id", models.BigIntegerField(null=True)),
                ("maxforcedsourceflux", models.FloatField(null=True)),
                ("maxforcedsourcefluxerr", models.FloatField(null=True)),
                ("maxforcedsourcemjd", models.FloatField(null=True)),
                ("latestsource_id", models.BigIntegerField(null=True)),
                ("latestsourceflux", models.FloatField(null=True)),
                ("latestsourcefluxerr", models.FloatField(null=True)),
                ("latestsourcemjd", models.FloatField(null=True)),
                ("latestforcedsource_id", models.BigIntegerField(null=True)),
                ("latestforcedsourceflux", models.FloatField(null=True)),
                ("latestforcedsourcefluxerr", models.FloatField(null=True)),
                ("latestforcedsourcemjd", models.FloatField(null=True)),
                (
                    "diaobject",
                    models.ForeignKey(
                        db_index=False, on_delete=django.db.models.deletion.CASCADE, to="elasticc2.diaobject"
                    ),
                ),
            ],
            options={
                "db_table": "elasticc2_diaobjectinfo",
                "constraints": [
                    models.UniqueConstraint(fields=("diaobject", "filtername"), name="diaobjectinfo_unique")
                ],
            },
        ),
        migrations.CreateModel(
            name="DiaObjectClassification",
            fields=[
                ("id", models.BigAutoField(db_column="_id", primary_key=True, serialize=False)),
                ("latestclass1id", models.SmallIntegerField()),
                ("latestclass2id", models.SmallIntegerField(null=True)),
                ("latestclass3id", models.SmallIntegerField(null=True)),
                ("latestclass4id", models.SmallIntegerField(null=True)),
                ("latestclass1prob", tom_desc.fields.Float32Field()),
                ("latestclass2prob", tom_desc.fields.Float32Field(null=True)),
                ("latestclass3prob", tom_desc.fields.Float32Field(null=True)),
                ("latestclass4prob", tom_desc.fields.Float32Field(null=True)),
                (
                    "classifier",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, to="elasticc2.brokerclassifier"
                    ),
                ),
                (
                    "diaobject",
                    models.ForeignKey(
                        db_index=False, on_delete=django.db.models.deletion.CASCADE, to="elasticc2.diaobject"
                    ),
                ),
            ],
            options={
                "db_table": "elasticc2_diaobjectclassification",
                "constraints": [
                    models.UniqueConstraint(
                        fields=("diaobject", "classifier"), name="diaobjectclassification_unique"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="WantedSpectra",
            fields=[
                ("wantspec_id", models.TextField(primary_key=True, serialize=False)),
                ("wanttime", models.DateTimeField(db_index=True)),
                ("requester", models.TextField(null=True)),
                ("priority", models.IntegerField()),
                (
                    "diaobject",
                    models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to="elasticc2.diaobject"),
                ),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.RESTRICT, to=settings.AUTH_USER_MODEL
                    ),
                ),
            ],
            options={
                "db_table": "elasticc2_wantedspectra",
            },
        ),
        migrations.CreateModel(
            name="PlannedSpectra",
            fields=[
                ("reqspec_id", models.AutoField(primary_key=True, serialize=False)),
                ("facility", models.TextField()),
                ("created_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ("plantime", models.DateTimeField(null=True)),
                ("comment", models.TextField(db_default="", default="")),
                (
                    "diaobject",
                    models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to="elasticc2.diaobject"),
                ),
            ],
            options={
                "db_table": "elasticc2_plannedspectra",
            },
        ),
        migrations.CreateModel(
            name="SpectrumInfo",
            fields=[
                ("specinfo_id", models.AutoField(primary_key=True, serialize=False)),
                ("facility", models.TextField(null=True)),
                ("inserted_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ("mjd", tom_desc.fields.Float32Field(db_index=True)),
                ("z", tom_desc.fields.Float32Field(null=True)),
                ("classid", models.IntegerField(db_index=True, null=True)),
                (
                    "diaobject",
                    models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to="elasticc2.diaobject"),
                ),
            ],
            options={
                "db_table": "elasticc2_spectruminfo",
            },
        ),
    ]
