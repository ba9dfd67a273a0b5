"""What comes back from the Metadata API's address: a whole answer to the operation, or nothing.

zeep reads leniently, so that an org newer than the WSDL can be read. Left to itself it
would make half an answer, or a page of a proxy, into a result with most fields missing.
"""

from __future__ import annotations

from collections.abc import Mapping

import requests
from lxml import etree
from zeep.transports import Transport

_ENVELOPE = "http://schemas.xmlsoap.org/soap/envelope/"
_FAULT = f"{{{_ENVELOPE}}}Fault"
_OK = 200


class UnusableAnswerError(Exception):
    """Something else than the Metadata API answered; the message completes "answered with"."""


class StrictTransport(Transport):
    """Lets only well-formed answers through: a fault, or the response to the operation sent."""

    def __init__(self, session: requests.Session) -> None:
        Transport.__init__(self, session=session)

    def post_xml(
        self, address: str, envelope: etree._Element, headers: Mapping[str, str]
    ) -> requests.Response:
        """Send the envelope. Raises UnusableAnswerError for any other answer."""
        response: requests.Response = Transport.post_xml(self, address, envelope, headers)
        expected = f"{_content(envelope)}Response"
        try:
            found = _content(_parse(response.content))
        except (etree.XMLSyntaxError, ValueError) as error:
            raise UnusableAnswerError(_described(response)) from error
        if found != _FAULT and (found != expected or response.status_code != _OK):
            raise UnusableAnswerError(_described(response))
        return response


def _parse(content: bytes) -> etree._Element:
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, remove_comments=True
    )
    root = etree.fromstring(content, parser)
    if root.getroottree().docinfo.internalDTD is not None:
        raise ValueError("an envelope has no DTD")
    return root


def _content(envelope: etree._Element) -> str:
    """The tag of what stands in the body. Raises ValueError if nothing does."""
    body = envelope.find(f"{{{_ENVELOPE}}}Body")
    if envelope.tag != f"{{{_ENVELOPE}}}Envelope" or body is None or not len(body):
        raise ValueError("no SOAP envelope")
    return str(body[0].tag)


def _described(response: requests.Response) -> str:
    if response.status_code != _OK:
        return f"HTTP {response.status_code}"
    return "something that is no Metadata API answer"
