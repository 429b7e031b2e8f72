from django.db import migrations, models


def analysed_as_english(apps, schema_editor):
    """Every document so far was analysed as English; what a generation holds must be searched that way."""
    apps.get_model("documents", "IndexGeneration").objects.update(languages=["en"])


class Migration(migrations.Migration):
    dependencies = [
        ("documents", "0002_failed_for_good"),
    ]

    operations = [
        migrations.AddField(
            model_name="documentversion",
            name="language",
            field=models.CharField(
                blank=True, default="", help_text="ISO 639 code; empty when it could not be told.", max_length=8
            ),
        ),
        migrations.AddField(
            model_name="indexgeneration",
            name="languages",
            field=models.JSONField(default=list),
        ),
        migrations.RunPython(analysed_as_english, migrations.RunPython.noop),
    ]
