"""
Credentials: what a client takes for ``auth``.
"""

from camunda_ext._http.credentials import Auth, Basic, Bearer
from camunda_ext._http.oauth2 import OAuth2ClientCredentials

__all__ = ["Auth", "Basic", "Bearer", "OAuth2ClientCredentials"]
