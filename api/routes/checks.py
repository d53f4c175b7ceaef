"""Health checks: what the serving release asks for, and a round of them now."""

from fastapi import APIRouter

from api import schemas
from api.services import Here, TheApp
from paas.threads import in_thread

router = APIRouter(prefix="/v1/apps/{app}/checks", tags=["checks"])


@router.get("")
async def show_checks(app: TheApp, here: Here) -> list[schemas.Check]:
    """The checks of the release that serves."""
    release = await in_thread(here.store.releases.get_by_id, app.current) if app.current else None
    manifest = release.manifest if release else None
    checks = manifest.checks if manifest else {}
    return [
        schemas.Check(
            type=str(name),
            kind=check.kind.value,
            path=check.path,
            attempts=check.attempts,
            interval=check.interval,
            timeout=check.timeout,
        )
        for name, of_type in checks.items()
        for check in of_type
    ]


@router.post("/run")
async def run_checks(app: TheApp, here: Here) -> list[schemas.CheckResult]:
    """Ask every check of every instance once, now; nothing is restarted for it."""
    return [
        schemas.CheckResult(
            instance=result.instance, check=result.check, ok=result.ok, message=result.message
        )
        for result in await here.supervisor.run_checks(app.id)
    ]
