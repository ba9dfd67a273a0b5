"""Change the addresses on a Salesforce Refresh Token IP Allowlist, safely."""
