"""Agents whose model runs elsewhere: any server that speaks the OpenAI chat protocol."""
