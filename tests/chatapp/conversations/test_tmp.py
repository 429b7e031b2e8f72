import pytest, time, cProfile, pstats
pytestmark=[pytest.mark.django_db(transaction=True), pytest.mark.asyncio(loop_scope="session")]
async def test_x(library, make_library, tenant, api, rows, use_model):
    r = await api.get("/api/v1/me"); print(r.status_code, r.content, r.headers)
    def work():
        p=cProfile.Profile(); p.enable(); t=time.time(); make_library(tenant, name="B"); print("lib", time.time()-t); p.disable()
        pstats.Stats(p).sort_stats("cumtime").print_stats(45)
    await rows(work)
