from typing import Any

from django.db import migrations, models

from elasticc2.taxonomy import CLASSES, EXACT, FLAGS


def fill(apps: Any, schema_editor: Any) -> None:
    """54 rows of gentypeofclassid, 124 of classidofgentype."""
    gentype_of_classid = apps.get_model("elasticc2", "GentypeOfClassId")
    classid_of_gentype = apps.get_model("elasticc2", "ClassIdOfGentype")
    for classid, description, gentypes, match in CLASSES:
        for gentype in gentypes if match == EXACT else (None,):
            gentype_of_classid.objects.create(classid=classid, gentype=gentype, description=description)
        for gentype in gentypes:
            classid_of_gentype.objects.create(
                classid=classid, gentype=gentype, description=description, **FLAGS[match]
            )


class Migration(migrations.Migration):
    """The taxonomy's tables, filled."""

    dependencies = [("elasticc2", "0003_summaries_and_spectra")]

    operations = [
        migrations.CreateModel(
            name="GentypeOfClassId",
            fields=[
                ("id", models.AutoField(primary_key=True, serialize=False)),
                ("classid", models.IntegerField(db_index=True)),
                ("gentype", models.IntegerField(null=True, unique=True)),
                ("description", models.TextField()),
            ],
            options={
                "db_table": "elasticc2_gentypeofclassid",
            },
        ),
        migrations.CreateModel(
            name="ClassIdOfGentype",
            fields=[
                ("id", models.AutoField(primary_key=True, serialize=False)),
                ("gentype", models.IntegerField(db_index=True)),
                ("classid", models.IntegerField(db_index=True)),
                ("exactmatch", models.BooleanField(default=False)),
                ("categorymatch", models.BooleanField(default=False)),
                ("broadmatch", models.BooleanField(default=False)),
                ("generalmatch", models.BooleanField(default=False)),
                ("description", models.TextField()),
            ],
            options={
                "db_table": "elasticc2_classidofgentype",
            },
        ),
        migrations.RunPython(fill, migrations.RunPython.noop),
    ]
