from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("conversations", "0007_snapshots"),
    ]

    operations = [
        migrations.AddField(
            model_name="contextpassage",
            name="closed",
            field=models.BooleanField(
                default=False,
                help_text="Its knowledge base was another organisation's when it was deleted: nobody here reads it.",
            ),
        ),
    ]
