"""
A Django project with one view, which asks an engine; for uvicorn.
"""

from __future__ import annotations

import os

from django.conf import settings  # type: ignore[import-untyped]
from django.core.asgi import get_asgi_application  # type: ignore[import-untyped]
from django.http import (  # type: ignore[import-untyped]
    HttpRequest,
    HttpResponse,
)
from django.urls import path  # type: ignore[import-untyped]

from camunda_ext import ExternalTaskClient

client = ExternalTaskClient(os.environ["ENGINE_URL"])


def tasks(request: HttpRequest) -> HttpResponse:
    """
    Tell how many tasks there are; Django runs it in a thread of its own for each request.
    """
    return HttpResponse(str(client.count()))


urlpatterns = [path("", tasks)]
settings.configure(ROOT_URLCONF=__name__, ALLOWED_HOSTS=["127.0.0.1"], DEBUG=False)
application = get_asgi_application()
