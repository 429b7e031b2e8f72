"""Rights on the passages of a deleted knowledge base: they stay as they were when it went."""

from __future__ import annotations

from django.db.models.signals import pre_delete
from django.dispatch import receiver

from chatapp.conversations.models import ContextPassage
from knowledge.documents.models import KnowledgeBase


@receiver(pre_delete, sender=KnowledgeBase)
def _on_deleted(*, instance: KnowledgeBase, **_: object) -> None:
    """Close what answers of other organisations read in it: once it is gone, nothing tells whose it was."""
    read = ContextPassage.objects.filter(base_ref=instance.pk)
    read.exclude(run__tenant=instance.tenant_id).update(closed=True)
