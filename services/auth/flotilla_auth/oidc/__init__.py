"""Signing in with an account elsewhere: OpenID Connect's authorization code flow, with PKCE, state and nonce."""
