"""A model in the manner of OpenELM, as it comes with a checkpoint: Python code of its own, and layers of unequal width.

transformers has no OpenELM. Its marks are here under the names that Apple's configuration uses: numbers of heads and
widths of the feed-forward network that grow from layer to layer, normed queries and keys, one matrix for words in and
out.

Source: Mehta et al. 2024, "OpenELM: an efficient language model family with open training and inference framework".
"""

import torch
from torch import nn
from torch.nn import functional
from transformers import DynamicCache, GenerationMixin, PretrainedConfig, PreTrainedModel
from transformers.modeling_outputs import BaseModelOutputWithPast, CausalLMOutputWithPast


class OpenELMConfig(PretrainedConfig):
    model_type = "openelm"
    attribute_map = {  # noqa: RUF012
        "num_hidden_layers": "num_transformer_layers",
        "hidden_size": "model_dim",
        "max_position_embeddings": "max_context_length",
    }

    def __init__(
        self,
        vocab_size=32000,
        max_context_length=128,
        model_dim=32,
        head_dim=8,
        num_query_heads=(2, 4),
        num_kv_heads=(1, 2),
        ffn_multipliers=(0.5, 2.0),
        tie_word_embeddings=True,
        **kwargs,
    ):
        self.vocab_size = vocab_size
        self.max_context_length = max_context_length
        self.num_transformer_layers = len(num_query_heads)
        self.model_dim = model_dim
        self.head_dim = head_dim
        self.num_query_heads = list(num_query_heads)
        self.num_kv_heads = list(num_kv_heads)
        self.ffn_multipliers = list(ffn_multipliers)
        super().__init__(tie_word_embeddings=tie_word_embeddings, **kwargs)


def rotated(states, positions):
    """Turn `[B, H, T, D]` states by their `[B, T]` positions."""
    half = states.shape[-1] // 2
    rates = 10_000.0 ** (-torch.arange(half, device=states.device) / half)
    angles = positions[:, None, :, None] * rates
    low, high = states.float().chunk(2, -1)
    cos, sin = angles.cos(), angles.sin()
    return torch.cat([low * cos - high * sin, high * cos + low * sin], -1).to(states.dtype)


class Attention(nn.Module):
    def __init__(self, config, layer):
        super().__init__()
        self.layer, self.size = layer, config.head_dim
        self.queries, self.keys = config.num_query_heads[layer], config.num_kv_heads[layer]
        heads = self.queries + 2 * self.keys
        self.qkv_proj = nn.Linear(config.model_dim, heads * self.size, bias=False)
        self.q_norm, self.k_norm = nn.RMSNorm(self.size, eps=1e-6), nn.RMSNorm(self.size, eps=1e-6)
        self.out_proj = nn.Linear(self.queries * self.size, config.model_dim, bias=False)

    def forward(self, hidden, positions, mask, cache):
        rows, length, _ = hidden.shape
        states = self.qkv_proj(hidden).view(rows, length, -1, self.size).transpose(1, 2)
        query, key, value = states.split([self.queries, self.keys, self.keys], 1)
        query, key = rotated(self.q_norm(query), positions), rotated(self.k_norm(key), positions)
        if cache is not None:
            key, value = cache.update(key, value, self.layer)
        key, value = (x.repeat_interleave(self.queries // self.keys, 1) for x in (key, value))
        mixed = functional.scaled_dot_product_attention(query, key, value, attn_mask=mask)
        return self.out_proj(mixed.transpose(1, 2).reshape(rows, length, -1))


class Layer(nn.Module):
    def __init__(self, config, layer):
        super().__init__()
        width = int(config.ffn_multipliers[layer] * config.model_dim)
        self.attn_norm, self.ffn_norm = nn.RMSNorm(config.model_dim, eps=1e-6), nn.RMSNorm(config.model_dim, eps=1e-6)
        self.attn = Attention(config, layer)
        self.proj_1 = nn.Linear(config.model_dim, 2 * width, bias=False)
        self.proj_2 = nn.Linear(width, config.model_dim, bias=False)

    def forward(self, hidden, positions, mask, cache):
        hidden = hidden + self.attn(self.attn_norm(hidden), positions, mask, cache)
        gate, wide = self.proj_1(self.ffn_norm(hidden)).chunk(2, -1)
        return hidden + self.proj_2(functional.silu(gate) * wide)


class OpenELMPreTrainedModel(PreTrainedModel):
    config_class = OpenELMConfig
    base_model_prefix = "transformer"


class OpenELMModel(OpenELMPreTrainedModel):
    def __init__(self, config):
        super().__init__(config)
        self.token_embeddings = nn.Embedding(config.vocab_size, config.model_dim)
        self.layers = nn.ModuleList(Layer(config, number) for number in range(config.num_transformer_layers))
        self.norm = nn.RMSNorm(config.model_dim, eps=1e-6)
        self.post_init()

    def get_input_embeddings(self):
        return self.token_embeddings

    def forward(
        self, input_ids, attention_mask=None, position_ids=None, past_key_values=None, use_cache=False, **kwargs
    ):
        if use_cache and past_key_values is None:
            past_key_values = DynamicCache(config=self.config)
        past = past_key_values.get_seq_length() if past_key_values is not None else 0
        length = input_ids.shape[1]
        here = past + torch.arange(length, device=input_ids.device)
        if position_ids is None:
            position_ids = here[None].expand(len(input_ids), -1)
        seen = torch.arange(past + length, device=input_ids.device)
        mask = (seen[None] <= here[:, None])[None, None]
        if attention_mask is not None:
            # Padding sees itself, because nothing can be mixed of nothing.
            mask = mask & attention_mask[:, None, None].bool() | (seen[None] == here[:, None])[None, None]
        hidden = self.token_embeddings(input_ids)
        for layer in self.layers:
            hidden = layer(hidden, position_ids, mask, past_key_values)
        return BaseModelOutputWithPast(last_hidden_state=self.norm(hidden), past_key_values=past_key_values)


class OpenELMForCausalLM(OpenELMPreTrainedModel, GenerationMixin):
    _tied_weights_keys = {"lm_head.weight": "transformer.token_embeddings.weight"}  # noqa: RUF012

    def __init__(self, config):
        super().__init__(config)
        self.transformer = OpenELMModel(config)
        self.lm_head = nn.Linear(config.model_dim, config.vocab_size, bias=False)
        self.post_init()

    def get_input_embeddings(self):
        return self.transformer.token_embeddings

    def get_output_embeddings(self):
        return self.lm_head

    def forward(
        self,
        input_ids,
        attention_mask=None,
        position_ids=None,
        past_key_values=None,
        use_cache=False,
        logits_to_keep=0,
        **kwargs,
    ):
        output = self.transformer(input_ids, attention_mask, position_ids, past_key_values, use_cache)
        hidden = output.last_hidden_state
        logits = self.lm_head(hidden[:, -logits_to_keep:] if logits_to_keep else hidden)
        return CausalLMOutputWithPast(logits=logits, past_key_values=output.past_key_values)
