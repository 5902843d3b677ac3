"""Browsers: sessions in cookies that scripts cannot read, and proof that one's own page sent what changes something.

Done here and not by auth: only the gateway reads these cookies, so only it need know how they are made; auth gives
tokens to whoever signs in, and a new way to sign in is one for browsers at once.
"""
