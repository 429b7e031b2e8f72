from __future__ import annotations

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("documents", "0008_job_order")]

    operations = [
        migrations.AlterField(
            model_name="indexjob",
            name="kind",
            field=models.CharField(
                choices=[
                    ("build", "Build"),
                    ("collect", "Remove"),
                    ("upkeep", "Upkeep"),
                    ("reconcile", "Compare with the database"),
                ],
                max_length=10,
            ),
        ),
    ]
