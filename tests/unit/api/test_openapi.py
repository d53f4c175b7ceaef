"""The API's description: approved as a whole, and the same as its table for people."""

import json
import re
from pathlib import Path

import pytest
from fastapi.routing import APIRoute, APIWebSocketRoute

from api.app import ROUTES, describe
from tests.golden_file import assert_golden

TABLE = Path(__file__).parents[3] / "docs" / "api.md"
ROW = re.compile(r"^\| (GET|POST|PUT|PATCH|DELETE|WS) \| (\S+?)(?:\?\S*)? \|", re.MULTILINE)


EVERY = [route for module in ROUTES for route in module.router.routes]


def routes() -> set[tuple[str, str]]:
    found = {("WS", route.path) for route in EVERY if isinstance(route, APIWebSocketRoute)}
    for path, operations in describe().openapi()["paths"].items():
        found |= {(method.upper(), path) for method in operations}
    return found


def test_the_openapi_document_is_the_approved_one() -> None:
    assert_golden("openapi.json", json.dumps(describe().openapi(), indent=1, sort_keys=True) + "\n")


def test_every_route_stands_in_the_table_of_the_documentation() -> None:
    assert set(ROW.findall(TABLE.read_text())) == routes()


@pytest.mark.parametrize("route", [route for route in EVERY if isinstance(route, APIRoute)], ids=str)
def test_every_route_says_what_it_does(route: APIRoute) -> None:
    assert route.description
