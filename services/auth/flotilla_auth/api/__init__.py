"""HTTP in, domain calls, HTTP out; a file for each resource."""

from flotilla_auth.api import (
    api_keys,
    assignments,
    invitations,
    me,
    organization,
    presences,
    roles,
    sessions,
    sign_in,
    sign_up,
    teams,
    users,
)

ROUTES = (
    sign_up.routes,
    sign_in.routes,
    sessions.routes,
    me.routes,
    users.routes,
    invitations.routes,
    organization.routes,
    roles.routes,
    api_keys.routes,
    teams.routes,
    assignments.routes,
    presences.own_routes,
    presences.routes,
)
