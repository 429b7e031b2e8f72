"""What a role may not do is refused with the same status and code everywhere, and in words that say what it is about."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from chatapp.labelling import services as labelling
from knowledge.errors import NotAllowed
from knowledge.tenants.access import actor_for

pytestmark = pytest.mark.django_db

CHANGE = "Only administrators may change models."
DATA = "Training data is for those who may edit. Ask an administrator of your organisation."
TRAINING = "Training is for those who may edit. Ask an administrator of your organisation."
START = "Only administrators start, stop and go on with training."
ASK = "Your role does not allow that. Ask an owner or an administrator."
RUN = {"dataset_version": str(uuid.uuid4()), "base": str(uuid.uuid4())}
MODEL = {"provider": "openai", "model": "gpt-small"}


@pytest.fixture
def actor(make_user: Callable[..., Any], tenant: Any) -> Callable[[str], Any]:
    return lambda role: actor_for(user_id=make_user(f"{role}@acme.test", tenant=tenant, role=role).pk)


@pytest.mark.parametrize(
    ("role", "path", "body", "words"),
    [
        ("reader", "/training-datasets", None, DATA),
        ("reader", "/training-runs", None, TRAINING),
        ("editor", "/training-runs", RUN, START),
        ("reader", "/fine-tuned-models", None, "Your role does not show fine-tuned models."),
        ("editor", "/model-servers", {"base": str(uuid.uuid4())}, ASK),
        ("editor", "/models", MODEL, CHANGE),
        ("editor", "/budgets", None, "Only administrators see and set budgets."),
        ("editor", "/usage", None, "Only administrators see what models are used for."),
        ("editor", "/assistants", {"name": "Guide"}, "Your role does not allow this."),
    ],
)
def test_the_interface_refuses_in_words(
    make_user: Callable[..., Any], tenant: Any, role: str, path: str, body: Any, words: str
) -> None:
    client = Client()
    client.force_login(make_user("someone@acme.test", tenant=tenant, role=role))
    path = f"/api/v1{path}"
    reply = client.post(path, json.dumps(body), content_type="application/json") if body else client.get(path)
    told = reply.json()
    assert (reply.status_code, told["code"], told["detail"]) == (403, "forbidden", words)


def test_labels_are_for_editors_and_thresholds_for_administrators(actor: Callable[[str], Any]) -> None:
    with pytest.raises(NotAllowed, match=r"^Your role does not allow this\.$"):
        labelling.label_sentence(actor=actor("reader"), run=uuid.uuid4(), index=0, label="supported")
    with pytest.raises(NotAllowed, match=r"^Only administrators change what the check says of everybody's answers\.$"):
        labelling.reset_record(actor=actor("editor"))
