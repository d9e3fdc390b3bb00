from django.db import migrations

# Where the original's dumps look for it.
SEQUENCES = {
    "elasticc2_brokerclassifier_classifier_id_seq": "elasticc2_brokerclassifier_classifierId_seq",
    "elasticc2_brokermessage_brokermessage_id_seq": "elasticc2_brokermessage_brokerMessageId_seq",
}

# Room beside each row, so that marking an alert sent and renewing a summary stay on their page (HOT).
FILLFACTORS = {
    "elasticc2_ppdbalert": 50,
    "elasticc2_diaobjectinfo": 70,
    "elasticc2_diaobjectclassification": 70,
}


class Migration(migrations.Migration):
    """Sequence names of the original, and room for updates in place."""

    dependencies = [("elasticc2", "0005_clock")]

    operations = [
        *(
            migrations.RunSQL(
                f'ALTER SEQUENCE "{ours}" RENAME TO "{original}"',
                f'ALTER SEQUENCE "{original}" RENAME TO "{ours}"',
            )
            for ours, original in SEQUENCES.items()
        ),
        *(
            migrations.RunSQL(
                f"ALTER TABLE {table} SET (fillfactor = {percent})", f"ALTER TABLE {table} RESET (fillfactor)"
            )
            for table, percent in FILLFACTORS.items()
        ),
    ]
