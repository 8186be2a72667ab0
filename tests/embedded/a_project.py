"""
What a team's own tests look like: nothing but the fixtures, and the code under test.
"""

from camunda_ext import ExternalTaskClient, ExternalTaskQuery, Topic
from camunda_ext.testing import Engine


def charge(client: ExternalTaskClient) -> None:
    topics = [Topic("charge", lock_duration=60_000)]
    for task in client.fetch_and_lock("biller", topics, max_tasks=9):
        if task.variables["amount"] > 100:
            client.failure(task.id, "biller", error_message="too much", retries=0)
        else:
            client.complete(task.id, "biller", variables={"paid": True})


def test_small_amounts_are_charged(
    camunda_engine: Engine, camunda_client: ExternalTaskClient
) -> None:
    camunda_engine.create_task("charge", variables={"amount": 50})
    dear = camunda_engine.create_task("charge", variables={"amount": 500})

    charge(camunda_client)

    [failed] = camunda_client.list(ExternalTaskQuery().no_retries_left())
    assert failed.id == dear
