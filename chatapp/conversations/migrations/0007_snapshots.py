"""Words of passages move from each answer into rows that answers share; erasing and salted digests become possible."""

import uuid
from hashlib import sha256

import django.db.models.deletion
from django.db import migrations, models

BATCH = 500


def batches(rows):
    """Yield the rows in order of their keys, a bounded number at a time."""
    last = 0
    while batch := list(rows.filter(pk__gt=last).order_by("pk")[:BATCH]):
        yield batch
        last = batch[-1].pk


def settle(schema_editor):
    # PostgreSQL alters no table while checks of its rows wait for the end of the transaction.
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute("SET CONSTRAINTS ALL IMMEDIATE")


def address_of(passage):
    return sha256(f"{passage.document_ref}\n{passage.text}".encode("utf-8", "surrogatepass")).hexdigest()


def base_of(passage):
    if passage.document is not None:
        return passage.document.knowledge_base_id
    searched = passage.run.knowledge_bases
    return uuid.UUID(searched[0]) if len(searched) == 1 else None


def move_texts(apps, schema_editor):
    passages = apps.get_model("conversations", "ContextPassage").objects
    snapshots = apps.get_model("conversations", "PassageSnapshot").objects
    model = snapshots.model
    rows = passages.select_related("run", "document").only(
        "document_ref", "text", "run__tenant_id", "run__knowledge_bases", "document__knowledge_base_id"
    )
    for batch in batches(rows):
        addresses = {row.pk: address_of(row) for row in batch}
        new = {
            (row.run.tenant_id, addresses[row.pk]): model(
                tenant_id=row.run.tenant_id, document_ref=row.document_ref, address=addresses[row.pk], text=row.text
            )
            for row in batch
        }
        snapshots.bulk_create(new.values(), ignore_conflicts=True)
        found = snapshots.filter(address__in=set(addresses.values())).values_list("tenant_id", "address", "pk")
        known = {(tenant, address): pk for tenant, address, pk in found}
        for row in batch:
            row.snapshot_id, row.base_ref = known[row.run.tenant_id, addresses[row.pk]], base_of(row)
        passages.bulk_update(batch, ["snapshot", "base_ref"], batch_size=100)
    settle(schema_editor)


def put_texts_back(apps, schema_editor):
    passages = apps.get_model("conversations", "ContextPassage").objects
    for batch in batches(passages.select_related("snapshot").only("snapshot__text")):
        for row in batch:
            row.text = row.snapshot.text if row.snapshot is not None else ""
        passages.bulk_update(batch, ["text"], batch_size=100)
    settle(schema_editor)


class Migration(migrations.Migration):
    dependencies = [
        ("conversations", "0006_repair"),
        ("documents", "0004_answer_curve"),
        ("tenants", "0001_initial"),
    ]

    operations = [
        migrations.AddField(
            model_name="answerrun",
            name="erased",
            field=models.DateTimeField(
                blank=True, help_text="When texts of it were erased with their source.", null=True
            ),
        ),
        migrations.AddField(
            model_name="answerrun",
            name="salts",
            field=models.JSONField(
                default=dict,
                help_text="Of the digests in its audit entry, by part; that of an erased part is gone with it.",
            ),
        ),
        migrations.CreateModel(
            name="PassageSnapshot",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("document_ref", models.UUIDField(help_text="The document's id, kept when its row is gone.")),
                ("address", models.CharField(help_text="SHA-256 of document and text.", max_length=64)),
                ("text", models.TextField(blank=True)),
                ("erased", models.DateTimeField(blank=True, null=True)),
                ("created", models.DateTimeField(auto_now_add=True)),
                (
                    "tenant",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="+", to="tenants.tenant"
                    ),
                ),
            ],
            options={
                "indexes": [models.Index(fields=["tenant", "document_ref"], name="snapshot_of_document")],
                "constraints": [models.UniqueConstraint(fields=("tenant", "address"), name="snapshot_once_per_tenant")],
            },
        ),
        migrations.AddField(
            model_name="contextpassage",
            name="base_ref",
            field=models.UUIDField(
                help_text="The knowledge base's id: who may read it may read this when the document is gone.",
                null=True,
            ),
        ),
        migrations.AddField(
            model_name="contextpassage",
            name="snapshot",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.RESTRICT,
                related_name="passages",
                to="conversations.passagesnapshot",
            ),
        ),
        # With a default, so that the way back can add the column to rows that are there.
        migrations.AlterField(model_name="contextpassage", name="text", field=models.TextField(blank=True, default="")),
        migrations.RunPython(move_texts, put_texts_back),
        migrations.RemoveField(model_name="contextpassage", name="text"),
        migrations.CreateModel(
            name="Erasure",
            fields=[
                ("id", models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ("document_ref", models.UUIDField()),
                (
                    "by",
                    models.CharField(
                        blank=True, default="", help_text="Who asked for it, as they were named then.", max_length=254
                    ),
                ),
                ("reason", models.CharField(blank=True, default="", max_length=400)),
                ("created", models.DateTimeField()),
                (
                    "tenant",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="+", to="tenants.tenant"
                    ),
                ),
            ],
            options={
                "indexes": [models.Index(fields=["tenant", "document_ref"], name="erasure_of_document")],
            },
        ),
    ]
