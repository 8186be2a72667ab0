"""
What the demo needs of an engine besides external tasks, by `ExternalTaskClient.request()`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from urllib3.filepost import encode_multipart_formdata

from camunda_ext import ExternalTaskClient


class Rest:
    """
    Deploy, start, look, and clean up, on any engine.

    Raises:
        CamundaError: From each method, as from the client's.
    """

    def __init__(self, client: ExternalTaskClient) -> None:
        self._ask = client.request

    def deploy(self, name: str, file_name: str, content: bytes) -> tuple[str, list[str]]:
        """
        Deploy one file; return the id of the deployment, and the keys of the processes in it.
        """
        body, content_type = encode_multipart_formdata(
            {"deployment-name": name, "data": (file_name, content, "application/octet-stream")}
        )
        answer = self._ask("POST", "/deployment/create", content=body, content_type=content_type)
        # Engines before 7.6 do not say it.
        processes = answer.get("deployedProcessDefinitions") or {}
        return str(answer["id"]), [str(process["key"]) for process in processes.values()]

    def deployments(self, name: str) -> list[str]:
        """
        The ids of the deployments of this name.
        """
        answer = self._ask("GET", "/deployment", params={"name": name})
        return [str(deployment["id"]) for deployment in answer]

    def delete_deployment(self, deployment_id: str) -> None:
        """
        Delete a deployment with its process instances and their history.
        """
        self._ask("DELETE", "/deployment/{id}", {"id": deployment_id}, params={"cascade": True})

    def variables(self, process_instance_id: str) -> Mapping[str, Mapping[str, Any]]:
        """
        The variables of a process instance by name, typed as on the wire.
        """
        path = "/process-instance/{id}/variables"
        answer: dict[str, dict[str, Any]] = self._ask("GET", path, {"id": process_instance_id})
        return answer

    def user_tasks(self, process_instance_id: str) -> list[str]:
        """
        The names of the user tasks that wait in a process instance.
        """
        params = {"processInstanceId": process_instance_id}
        return [str(task["name"]) for task in self._ask("GET", "/task", params=params)]

    def incidents(self, process_instance_id: str) -> list[Mapping[str, Any]]:
        """
        The incidents of a process instance that are open.
        """
        answer: list[Mapping[str, Any]] = self._ask(
            "GET", "/incident", params={"processInstanceId": process_instance_id}
        )
        return answer

    def delete_historic_batch(self, batch_id: str) -> None:
        """
        Delete what the history knows of a batch.
        """
        self._ask("DELETE", "/history/batch/{id}", {"id": batch_id})
