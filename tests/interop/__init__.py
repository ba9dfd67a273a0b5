"""The official Salesforce CLI against the emulator."""
