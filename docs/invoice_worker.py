import logging
import sys

from camunda_ext import ExternalTaskClient, Worker
from camunda_ext.worker import Task

worker = Worker(ExternalTaskClient("http://localhost:8080/engine-rest"))


@worker.handles("invoice")
def charge(task: Task) -> dict[str, bool]:
    print("charging", task.business_key, task.variables["amount"])
    return {"paid": True}


if __name__ == "__main__":
    logging.basicConfig(level="INFO")
    sys.exit(worker.run())
