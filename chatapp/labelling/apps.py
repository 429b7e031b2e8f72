from __future__ import annotations

from django.apps import AppConfig


class LabellingConfig(AppConfig):
    """People say which sentences their sources hold; the verifier's thresholds are set by that."""

    name = "chatapp.labelling"
    label = "labelling"
    verbose_name = "Labels"

    def ready(self) -> None:
        from chatapp.conversations.verifying import use_thresholds
        from chatapp.evaluation.kinds import use_kind
        from chatapp.finetuning.datasets.answers import use_labels
        from chatapp.labelling import deletion_places
        from chatapp.labelling.records import thresholds_of
        from chatapp.labelling.selectors import told_wrong

        use_thresholds(thresholds_of)
        use_labels(told_wrong)
        use_kind("labels", "chatapp.labelling.measuring")
        deletion_places.register_all()
