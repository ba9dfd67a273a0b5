"""How traffic leaves and redeems: egress, tokens, the switch command and checks."""
