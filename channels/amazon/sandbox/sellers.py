"""The Sellers API of the mock (model sellers, v1): getMarketplaceParticipations."""

from __future__ import annotations

from flask import Blueprint
from werkzeug.wrappers import Response

from channels.amazon.sandbox.account import Account
from channels.amazon.sandbox.wire import Refused, answer


def blueprint(account: Account) -> Blueprint:
    """The route, over one account."""
    routes = Blueprint("sellers", __name__)

    @routes.get("/sellers/v1/marketplaceParticipations")
    def participations() -> Response:
        if not account.tells_participation:
            raise Refused(403, "Access to requested resource is denied.")
        marketplace = {
            "id": account.marketplace_id,
            "name": "Amazon.com",
            "countryCode": "US",
            "defaultCurrencyCode": "USD",
            "defaultLanguageCode": "en_US",
            "domainName": "www.amazon.com",
        }
        participation = {
            "isParticipating": account.is_participating,
            "hasSuspendedListings": account.has_suspended_listings,
        }
        return answer({"payload": [{"marketplace": marketplace, "participation": participation, "storeName": "Shop"}]})

    return routes
