"""The org: sessions, REST and SOQL, the Metadata API."""
