"""Third-party clients against the emulator: the Salesforce CLI, jsforce, CumulusCI and zeep."""
