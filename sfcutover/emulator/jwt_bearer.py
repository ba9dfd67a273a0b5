"""The key pair that the app has for the JWT bearer flow, and checking assertions with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

_KEY_BITS = 2048
_PUBLIC_EXPONENT = 65537
_LEEWAY_SECONDS = 180


class BadAssertionError(Exception):
    """The assertion is refused; the message is the error_description."""


class JwtKey:
    """An RSA key, made when it is first needed: making one takes a tenth of a second."""

    @cached_property
    def _private_key(self) -> RSAPrivateKey:
        from cryptography.hazmat.primitives.asymmetric import rsa

        return rsa.generate_private_key(_PUBLIC_EXPONENT, _KEY_BITS)

    def private_pem(self) -> bytes:
        """The private key for the client, PKCS #8 without a password."""
        from cryptography.hazmat.primitives.serialization import (
            Encoding,
            NoEncryption,
            PrivateFormat,
        )

        return self._private_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())

    def verify(self, assertion: str, audiences: Sequence[str]) -> Mapping[str, object]:
        """The claims of an RS256 assertion; BadAssertionError says what is wrong with it."""
        import jwt

        try:
            claims: dict[str, object] = jwt.decode(
                assertion,
                self._private_key.public_key(),
                algorithms=["RS256"],
                audience=list(audiences),
                leeway=_LEEWAY_SECONDS,
                options={"require": ["iss", "sub", "aud", "exp"]},
            )
        except jwt.InvalidAudienceError as error:
            raise BadAssertionError("audience is invalid") from error
        except jwt.ExpiredSignatureError as error:
            raise BadAssertionError("assertion is expired") from error
        except jwt.InvalidTokenError as error:
            raise BadAssertionError("invalid assertion") from error
        return claims
