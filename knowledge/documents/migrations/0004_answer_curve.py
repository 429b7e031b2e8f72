from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("documents", "0003_languages"),
    ]

    operations = [
        migrations.AddField(
            model_name="knowledgebase",
            name="answer_curve",
            field=models.JSONField(
                blank=True,
                editable=False,
                help_text="How the chance of an answer reads here (`manage.py calibrate`).",
                null=True,
            ),
        ),
    ]
