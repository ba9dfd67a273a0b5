"""The Metadata API: a SOAP client, the retriever and the deployer."""
