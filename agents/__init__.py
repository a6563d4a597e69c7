"""Those who act in environments: policies that continue tokens, agents that turn them into actions."""
