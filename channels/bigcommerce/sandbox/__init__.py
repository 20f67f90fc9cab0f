"""A BigCommerce store in memory, over real HTTP: for the demo, for tests, and for those without a trial store.

::

    with sandbox() as shop:
        shop.store.add("MUG-RED", 12)
        shop.store.sell("MUG-RED", 2)
        print(shop.url, shop.store.levels(), shop.requests)

Point the settings at it: ``api_url = shop.url``, ``store_hash = "sandbox"``, ``access_token = "sandbox-token"``.
"""

from __future__ import annotations

from channels.bigcommerce.sandbox.app import Sandbox, create_app, sandbox
from channels.bigcommerce.sandbox.store import OutOfStock, Store

__all__ = ["OutOfStock", "Sandbox", "Store", "create_app", "sandbox"]
