"""Every table of this app; each room keeps its own in ``models`` of its package."""

from __future__ import annotations

from chatapp.finetuning.datasets.build_models import BuildFile, DatasetBuild
from chatapp.finetuning.datasets.models import (
    DatasetVersion,
    KeptOutQuestion,
    RowSource,
    TrainingDataset,
    TrainingRow,
)
from chatapp.finetuning.registry.models import FineTunedModel, ModelVersion, RegistryEvent
from chatapp.finetuning.serving.models import ModelServer
from chatapp.finetuning.training.models import BaseModel, TrainingPoint, TrainingRun, TrainingSample

__all__ = [
    "BaseModel",
    "BuildFile",
    "DatasetBuild",
    "DatasetVersion",
    "FineTunedModel",
    "KeptOutQuestion",
    "ModelServer",
    "ModelVersion",
    "RegistryEvent",
    "RowSource",
    "TrainingDataset",
    "TrainingPoint",
    "TrainingRow",
    "TrainingRun",
    "TrainingSample",
]
