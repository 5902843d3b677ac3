"""Rate limits: GCRA in Redis, one round trip that also says whether the session was revoked."""
