"""Which features are on, as one service sees it: asked through OpenFeature, from memory."""

from pydantic import BaseModel

from flotilla.http.routes import Routes
from flotilla.http.work import CurrentApp, Who


class FeaturesOut(BaseModel):
    """Features that somebody said something of."""

    features: dict[str, bool]


def feature_routes(service: str) -> Routes:
    """The route of one service."""
    routes = Routes(f"/v1/features/{service}", tag="feature flags")

    @routes.get("", permission="profile:read")
    async def read_features(app: CurrentApp, who: Who) -> FeaturesOut:
        """Whether each feature is on for who asks, in this environment."""
        flags = app.known.flags
        keys = flags.keys(who.org)
        return FeaturesOut(features={key: flags.is_on(key, who.org, who.user_id) for key in keys})

    return routes
