from __future__ import annotations
import time
import pytest

pytestmark = pytest.mark.django_db(transaction=True)

async def test_ask(library, use_model, owner, open_chat, rows, scripted_model):
    t=time.time()
    await rows(use_model, library.tenant, "scripted-cite")
    chat = await open_chat(owner)
    for e in await chat.ask("When must visitors register?", client_id="a1"):
        print(e)
    print("took", time.time()-t)
    from chatapp.conversations.models import AnswerRun
    from chatapp.conversations import selectors
    print(await rows(lambda: selectors.run_detail(AnswerRun.objects.get())))
