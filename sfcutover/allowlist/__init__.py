"""The allowlist in metadata: ranges, components, phases, packages and plans. No network."""
