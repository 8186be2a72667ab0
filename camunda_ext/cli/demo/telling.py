"""
What the page says: the steps in order, and the result of each.
"""

from __future__ import annotations

import json
import signal
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from urllib.parse import urlencode

from camunda_ext import Auth, CamundaError, ExternalTask
from camunda_ext.cli.demo.page import Page
from camunda_ext.cli.demo.story import FETCHED, ORDERS, Story
from camunda_ext.worker import BpmnError, Completed, Failure, Handled


def tell(page: Page, url: str, auth: Auth = None, *, place: str) -> bool:
    """
    Tell the story on the engine of this URL, and clean up behind it, whatever happens.

    Args:
        place: Where it takes place, in words.

    Returns:
        Whether all is as it was before.

    Raises:
        CamundaError: The engine cannot be reached, or refuses.
    """
    story = Story(url, auth)
    page.title("camunda_ext: external tasks of Camunda 7, from Python")
    page.say(
        f"A story of three orders, on {place}. The names of all that it makes end in "
        f"{story.suffix}; nothing else there is looked at or changed, and all is deleted at the "
        "end."
    )
    try:
        _tell_of_queries(page, story)
        _tell_of_work(page, story)
        _tell_of_bulk(page, story)
    finally:
        with held(signal.SIGINT, signal.SIGTERM):
            is_clean = _clean_up(page, story)
    return is_clean


def _tell_of_queries(page: Page, story: Story) -> None:
    page.step(story.meet)
    page.say(f"Version {story.ping.version} at {story.url}")
    page.say(f"It answered in {story.ping.milliseconds:.0f} ms.")

    story.deploy()
    page.step(story.start)
    page.figure("""
                   ┌── charge the card    priority 50 ──┐
        placed ────┤                                    ├──── pack ──── shipped
                   └── reserve the stock  priority 10 ──┘
    """)
    rows = [(key, ORDERS[key], instance) for key, instance in story.instances.items()]
    page.table(("order", "amount", "process instance"), rows)

    page.step(story.look)
    _show_tasks(page, story.tasks)

    page.step(story.compare)
    # In lines that fit in half of a narrow terminal.
    query_string = urlencode(story.params).replace("&", "\n&").replace("%2C", "\n  %2C")
    page.side_by_side(
        ("POST /external-task", json.dumps(story.body, indent=2)),
        (
            "GET /external-task",
            f"ValueError: {story.no_room}\n\nWith the first one alone:\n\n?{query_string}",
        ),
    )
    page.say(f"By GET, in that simpler order, came the same {len(story.same_tasks)} tasks.")

    page.step(story.count)
    page.say(f"{story.total} tasks, {story.urgent} of them urgent; {story.failed} have failed.")


def _tell_of_work(page: Page, story: Story) -> None:
    page.step(story.fetch)
    if len(story.locked) != FETCHED:
        raise CamundaError(f"{len(story.locked)} tasks were fetched instead of {FETCHED}")
    page.table(
        ("order", "topic", "priority", "amount", "currency", "team"),
        (
            (
                task.business_key,
                task.topic_name,
                task.priority,
                task.variables.get("amount"),
                task.variables.get("currency"),
                task.extension_properties.get("team"),
            )
            for task in story.locked
        ),
    )

    page.step(story.complete)
    ids = {"id": story.paid.process_instance_id}
    variables = story.client.request("GET", "/process-instance/{id}/variables", ids)
    page.say(f"The variables of {story.paid.business_key}, as the engine has them now:")
    page.table(
        ("name", "type", "value"),
        (
            (name, variable.get("type"), json.dumps(variable.get("value")))
            for name, variable in sorted(variables.items())
        ),
    )

    page.step(story.intrude)
    page.say(f"{type(story.refused).__name__}: {story.refused.message}")
    page.say(f"Locked by: {story.refused.worker_id}")
    page.say(f"Hint: {story.refused.hint}")

    page.step(story.work)
    _show_handled(page, story.handled)
    params = {"processInstanceId": story.instances["order-18"]}
    for user_task in story.client.request("GET", "/task", params=params):
        page.say(f"Somebody has to: {user_task['name']}")
    page.table(
        ("incident", "activity", "message"),
        (
            [incident.get(name) for name in ("incidentType", "activityId", "incidentMessage")]
            for incident in story.incidents()
        ),
    )


def _tell_of_bulk(page: Page, story: Story) -> None:
    # Interrupted halfway, nobody would know the batch, and it could not be deleted.
    with held(signal.SIGINT, signal.SIGTERM):
        page.step(story.give_retries)
    page.table(("batch", "jobs"), [(story.batch.id, story.batch.total_jobs)])

    page.step(story.follow, waiting="The engine works on the batch")
    page.say(f"{story.result}")
    _show_tasks(page, story.tasks)
    page.say(f"Open incidents: {len(story.incidents())}")

    page.step(story.work_again)
    _show_handled(page, story.handled)
    page.say(f"External tasks left: {story.left}")


def _clean_up(page: Page, story: Story) -> bool:
    deleted, problems = story.clean_up()
    if deleted or problems:
        page.rule()
    if deleted:
        page.say(f"Cleaned up. Deleted: {', '.join(deleted)}.")
    for problem in problems:
        page.say(f"Not cleaned up, look for {story.suffix}: {problem}", "red")
    return not problems


def _show_tasks(page: Page, tasks: Iterable[ExternalTask]) -> None:
    page.table(
        ("order", "topic", "priority", "worker", "retries"),
        (
            (task.business_key, task.topic_name, task.priority, task.worker_id, task.retries)
            for task in tasks
        ),
    )


def _show_handled(page: Page, handled: Iterable[Handled]) -> None:
    page.table(
        ("order", "topic", "reported", "with"),
        ((one.task.business_key, one.task.topic_name, *_in_words(one.outcome)) for one in handled),
    )


def _in_words(outcome: object) -> tuple[str, str | None]:
    said = None
    match outcome:
        case Completed():
            said = json.dumps(outcome.variables)
        case BpmnError():
            said = outcome.error_code
        case Failure():
            said = outcome.error_message
    return type(outcome).__name__, said


@contextmanager
def held(*numbers: signal.Signals) -> Iterator[None]:
    """
    Hold signals until the block is done; then the first one has its effect.
    """
    arrived: list[int] = []
    before = {
        number: signal.signal(number, lambda arriving, _: arrived.append(arriving))
        for number in numbers
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        if arrived:
            signal.raise_signal(arrived[0])
