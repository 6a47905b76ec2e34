"""An operator with a browser that knows cookies and forms, and nothing of scripts."""

from __future__ import annotations

import re
from html import unescape

import requests

from .serving import TOKEN, Client

NAME = "Mara Lindqvist"


class Operator:
    """Somebody at the page."""

    def __init__(self, service: Client) -> None:
        self.browser = Client(service.url)

    def log_in(self, token: str = TOKEN, name: str = NAME) -> requests.Response:
        return self.browser.post("/login", data={"name": name, "token": token})

    def see(self, path: str) -> str:
        """The page at this address."""
        answer = self.browser.get(path)
        assert answer.status_code == 200, (path, answer.status_code)
        return answer.text

    def csrf(self) -> str:
        """The mark that each form of this session carries."""
        found = re.search(r'name="csrf" value="([^"]+)"', self.see("/"))
        assert found is not None
        return found[1]

    def post(self, path: str, **fields: str) -> requests.Response:
        """A form of the page."""
        return self.browser.post(path, data={"csrf": self.csrf()} | fields)


def words(page: str) -> str:
    """What a page says, without its tags."""
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", page)).split())
