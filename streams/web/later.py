"""Keeps the places of pages that are still to come: their rights hold already.

Who may not see them is refused as ever; who may is told that there is nothing yet.
"""

from http import HTTPStatus
from typing import Final

from fastapi import APIRouter, Depends, HTTPException

from streams.web.rights import AUDIT, RouteRight

PLACES: Final[dict[str, RouteRight]] = {
    "/revision": AUDIT,
    "/adgang": AUDIT,
}
"""Paths of contract section 10 that have no page yet, with their rights."""
router = APIRouter()


def _is_to_come() -> None:
    """Say that the page is not there yet."""
    raise HTTPException(HTTPStatus.NOT_IMPLEMENTED)


for path, right in PLACES.items():
    router.add_api_route(path, _is_to_come, dependencies=[Depends(right)], include_in_schema=False)
