"""Documents as the API gives them, made with what a test cares about."""

NOW = "2026-09-13T10:13:12.000000+00:00"


def app(**over: object) -> dict[str, object]:
    """An App."""
    return {
        "id": "a1",
        "name": "shop",
        "url": "http://shop.localhost:8080",
        "created_at": "2026-09-13T08:00:00.000000+00:00",
        "release": 42,
        "commit": "3f2c1abf0c3b3c6c1a2f0e9d8c7b6a5f4e3d2c1b",
        "domains": ["shop.localhost"],
        "formation": {"web": 2, "worker": 1},
        "instances": 3,
        "repository": "mini::shop",
        **over,
    }


def server(**over: object) -> dict[str, object]:
    """A Server."""
    return {
        "version": "0.1.0",
        "home": "/home/me/.local/share/mini",
        "home_id": "0123456789abcdef",
        "engine": "process",
        "socket": "/home/me/.local/share/mini/run/control.sock",
        "api": "127.0.0.1:8600",
        "http": "127.0.0.1:8080",
        "https": "127.0.0.1:8443",
        "pids": {"control": 100, "router": [101], "logs": 102},
        "started_at": "2026-09-13T10:00:00.000000+00:00",
        "apps": 2,
        "instances": 5,
        **over,
    }


def deployment(**over: object) -> dict[str, object]:
    """A Deployment that has succeeded."""
    return {
        "id": "d1",
        "app": "shop",
        "kind": "push",
        "state": "succeeded",
        "code": "",
        "exit_code": 0,
        "reason": "",
        "changed": True,
        "build": "b1",
        "release": 42,
        "serving": 42,
        "url": "http://shop.localhost:8080",
        "actor": "me",
        "created_at": "2026-09-13T10:13:00.000000+00:00",
        "ended_at": "2026-09-13T10:13:10.000000+00:00",
        **over,
    }


def line(sequence: int, text: str, *, kind: str = "output") -> dict[str, object]:
    """An OutputLine."""
    return {"sequence": sequence, "at": NOW, "kind": kind, "text": text}


def release(version: int, **over: object) -> dict[str, object]:
    """A Release."""
    return {
        "version": version,
        "kind": "deploy",
        "description": "Deploy 3f2c1ab",
        "commit": "3f2c1abf0c3b3c6c1a2f0e9d8c7b6a5f4e3d2c1b",
        "build": "b1",
        "status": "succeeded",
        "reason": "",
        "current": False,
        "actor": "me",
        "created_at": "2026-09-13T10:11:12.000000+00:00",
        "config_keys": ["DEBUG"],
        "process_types": {"web": "gunicorn shop.wsgi"},
        "origin": version,
        "rollback_target": True,
        "url": None,
        **over,
    }


def instance(name: str, **over: object) -> dict[str, object]:
    """An Instance that is up."""
    return {
        "name": name,
        "id": "i1",
        "type": name.partition(".")[0],
        "state": "up",
        "release": 42,
        "pid": 4711,
        "container": None,
        "port": 20001,
        "restarts": 0,
        "exit": None,
        "retry_in": None,
        "cause": "deploy v42",
        "since": "2026-09-13T10:11:14.000000+00:00",
        "command": "gunicorn shop.wsgi",
        "one_off": False,
        **over,
    }


def log_line(sequence: int, text: str, **over: object) -> dict[str, object]:
    """A LogLine."""
    return {
        "sequence": sequence,
        "at": "2026-09-13T10:11:20.551000+00:00",
        "source": "app",
        "instance": "web.1",
        "release": 42,
        "text": text,
        **over,
    }


def domain(host: str, **over: object) -> dict[str, object]:
    """A Domain that was added, without a certificate."""
    return {"host": host, "created_at": NOW, "url": f"http://{host}:8080", "tls": None, **over}


def route(host: str, **over: object) -> dict[str, object]:
    """A Route of shop with nothing behind it."""
    return {"host": host, "app": "shop", "backends": [], "tls": False, "maintenance": False, **over}
