"""Feature flags: told by auth, kept in memory by every process, asked through OpenFeature.

    if app.known.flags.client.get_boolean_value("quick-replies", False, asking(org, user_id)):

A flag is an organization's or the platform's, of one environment or of any; the nearest says. A flag that nobody made
has the caller's default.
"""

from flotilla.flags.memory import Flag, Flags, asking

__all__ = ["Flag", "Flags", "asking"]
