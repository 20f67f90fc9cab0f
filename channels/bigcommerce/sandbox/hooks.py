"""The sandbox's webhook endpoints: each API account sees its own hooks only."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, jsonify, request
from werkzeug.wrappers import Response

from channels.bigcommerce.sandbox.answers import Refused, body_of, envelope, only, page_of, problem
from channels.bigcommerce.sandbox.store import Store
from channels.bigcommerce.sandbox.world import Hook

MOST_ROWS = 250
MOST_PER_SCOPE = 10


def hooks(store: Store) -> Blueprint:
    """The routes below ``/v3/hooks``."""
    routes = Blueprint("hooks", __name__)

    @routes.get("")
    def list_hooks() -> Response:
        only(request, "page", "limit", "is_active", "scope", "destination")
        args = request.args
        found = [
            hook
            for hook in _mine(store)
            if ("is_active" not in args or hook.is_active == (args["is_active"] in ("true", "1")))
            and ("scope" not in args or hook.scope == args["scope"])
            and ("destination" not in args or hook.destination == args["destination"])
        ]
        rows, meta = page_of(request, found, most=MOST_ROWS, at_most=store.switches.page_rows)
        return jsonify({"data": [_shown(store, hook) for hook in rows], "meta": meta})

    @routes.post("")
    def create_hook() -> Response:
        body = body_of(request)
        missing = {name: "error.path.missing." for name in ("scope", "destination") if not body.get(name)}
        if missing:
            raise Refused(problem(422, "JSON data is missing or invalid", missing))
        same = [hook for hook in _mine(store) if hook.scope == body["scope"]]
        if any(hook.destination == body["destination"] for hook in same):
            raise Refused(problem(409, "A hook with this scope and destination exists already"))
        if len(same) >= MOST_PER_SCOPE:
            raise Refused(problem(422, f"There are {MOST_PER_SCOPE} hooks of this scope already"))
        now = int(store.clock())
        hook = Hook(
            store.new_id("hook"),
            body["scope"],
            body["destination"],
            body.get("headers"),
            body.get("is_active", True),
            now,
            now,
            store.client_id,
        )
        store.hooks[hook.id] = hook
        return jsonify(envelope(_shown(store, hook)))

    @routes.get("/<int:hook_id>")
    def get_hook(hook_id: int) -> Response:
        return jsonify(envelope(_shown(store, _known(store, hook_id))))

    @routes.put("/<int:hook_id>")
    def put_hook(hook_id: int) -> Response:
        hook, body = _known(store, hook_id), body_of(request)
        for name in ("scope", "destination", "headers", "is_active"):
            if name in body:
                setattr(hook, name, body[name])
        hook.updated_at = int(store.clock())
        return jsonify(envelope(_shown(store, hook)))

    @routes.delete("/<int:hook_id>")
    def delete_hook(hook_id: int) -> Response:
        hook = _known(store, hook_id)
        del store.hooks[hook.id]
        return jsonify(envelope(_shown(store, hook)))

    return routes


def _mine(store: Store) -> list[Hook]:
    return [hook for hook in store.hooks.values() if hook.client_id == store.client_id]


def _known(store: Store, hook_id: int) -> Hook:
    for hook in _mine(store):
        if hook.id == hook_id:
            return hook
    raise Refused(problem(404, f"Webhook with id [{hook_id}] not found"))


def _shown(store: Store, hook: Hook) -> dict[str, Any]:
    return {
        "id": hook.id,
        "client_id": hook.client_id,
        "store_hash": store.store_hash,
        "scope": hook.scope,
        "destination": hook.destination,
        "headers": hook.headers,
        "is_active": hook.is_active,
        "created_at": hook.created_at,
        "updated_at": hook.updated_at,
    }
