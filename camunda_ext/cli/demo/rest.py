"""
What the demo needs of an engine besides external tasks; the client leaves that to others.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from ipaddress import ip_address
from typing import Any, Final
from urllib.parse import quote, urlsplit

import requests
from requests.utils import get_environ_proxies

from camunda_ext import errors
from camunda_ext.auth import Auth, to_auth

#: For the connection and for the answer, in seconds.
_TIMEOUT: Final = (3.0, 30.0)


class Rest:
    """
    Deploy, start, look, and clean up, on any engine, by plain requests.

    Raises:
        CamundaError: From each method, as from the client's.
    """

    def __init__(self, url: str, auth: Auth = None) -> None:
        self._base = url.rstrip("/")
        self._session = requests.Session()
        # As the client does it: a netrc entry would replace the credentials.
        self._session.trust_env = False
        self._session.auth = to_auth(auth)
        self._session.proxies = {} if _is_loopback(url) else get_environ_proxies(url)
        bundle = os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE")
        self._session.verify = bundle or True

    def close(self) -> None:
        """
        Close the connections.
        """
        self._session.close()

    def deploy(self, name: str, file_name: str, content: bytes) -> tuple[str, list[str]]:
        """
        Deploy one file; give the id of the deployment, and the keys of the processes in it.
        """
        answer = self._ask(
            "POST",
            "/deployment/create",
            data={"deployment-name": name},
            files={"data": (file_name, content, "application/octet-stream")},
        )
        # Engines before 7.6 do not say it.
        processes = answer.get("deployedProcessDefinitions") or {}
        return str(answer["id"]), [str(one["key"]) for one in processes.values()]

    def deployments(self, name: str) -> list[str]:
        """
        Give the ids of the deployments of this name.
        """
        return [str(one["id"]) for one in self._ask("GET", "/deployment", params={"name": name})]

    def delete_deployment(self, deployment_id: str) -> None:
        """
        Delete a deployment with its process instances and their history.
        """
        self._ask("DELETE", f"/deployment/{_segment(deployment_id)}", params={"cascade": "true"})

    def start(self, process_key: str, business_key: str, variables: Mapping[str, Any]) -> str:
        """
        Start a process instance and give its id; the variables are typed as on the wire.
        """
        answer = self._ask(
            "POST",
            f"/process-definition/key/{_segment(process_key)}/start",
            json={"businessKey": business_key, "variables": variables},
        )
        return str(answer["id"])

    def variables(self, process_instance_id: str) -> Mapping[str, Mapping[str, Any]]:
        """
        Give the variables of a process instance by name, typed as on the wire.
        """
        path = f"/process-instance/{_segment(process_instance_id)}/variables"
        answer: dict[str, dict[str, Any]] = self._ask("GET", path)
        return answer

    def user_tasks(self, process_instance_id: str) -> list[str]:
        """
        Give the names of the user tasks that wait in a process instance.
        """
        params = {"processInstanceId": process_instance_id}
        return [str(one["name"]) for one in self._ask("GET", "/task", params=params)]

    def incidents(self, process_instance_id: str) -> list[Mapping[str, Any]]:
        """
        Give the incidents of a process instance that are open.
        """
        answer: list[Mapping[str, Any]] = self._ask(
            "GET", "/incident", params={"processInstanceId": process_instance_id}
        )
        return answer

    def delete_historic_batch(self, batch_id: str) -> None:
        """
        Delete what the history knows of a batch.
        """
        self._ask("DELETE", f"/history/batch/{_segment(batch_id)}")

    def _ask(self, method: str, path: str, **sent: Any) -> Any:
        doubt = None if method == "GET" else "It may have happened: look at the engine."
        call = errors.Call(operation="demo", method=method, url=self._base + path, doubt=doubt)
        try:
            # Not where a redirect leads: the credentials are for this engine.
            response = self._session.request(
                method, call.url, timeout=_TIMEOUT, allow_redirects=False, **sent
            )
        except requests.RequestException as error:
            failure: errors.CamundaError = errors.no_answer(call, type(error).__name__)
        else:
            if response.status_code == 204:
                return None
            try:
                if response.status_code == 200:
                    return response.json()
                reason = ""
            except requests.JSONDecodeError:
                reason = "JSON was due"
            failure = errors.from_response(call, response.status_code, response.content, reason)
        # Raised out here, so that it has no context: one would hold the request and its secrets.
        raise failure


def _segment(text: str) -> str:
    return quote(text, safe="")


def _is_loopback(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"
