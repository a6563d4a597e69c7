"""Random-weight models of several architectures, and a character tokenizer for any chat template."""

from functools import cache

import torch
from openelm_like import OpenELMConfig, OpenELMForCausalLM
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers
from transformers import (
    Gemma2Config,
    Gemma2ForCausalLM,
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    MistralConfig,
    MistralForCausalLM,
    OPTConfig,
    OPTForCausalLM,
    Phi3Config,
    Phi3ForCausalLM,
    PreTrainedTokenizerFast,
    Qwen2Config,
    Qwen2ForCausalLM,
    Qwen3Config,
    Qwen3ForCausalLM,
)

SPECIALS = ("<pad>", "<bos>", "<end>", "<unk>", "<system>", "<user>", "<assistant>")
VOCABULARY = (*SPECIALS, *(chr(code) for code in (10, *range(32, 127))))
END = VOCABULARY.index("<end>")
APPENDING = (
    "{% for m in messages %}<{{ m.role }}>{{ m.content }}<end>{% endfor %}"
    "{% if add_generation_prompt %}<assistant>{% endif %}"
)

_SIZES = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4}
_GROUPED = _SIZES | {"intermediate_size": 48, "num_key_value_heads": 2}
_IDS = {"bos_token_id": 1, "eos_token_id": END, "pad_token_id": 0, "vocab_size": len(VOCABULARY)}
_LIMIT = {"max_position_embeddings": 128}
ARCHITECTURES = {
    "llama": (LlamaForCausalLM, LlamaConfig, _GROUPED | _LIMIT),
    "qwen2": (Qwen2ForCausalLM, Qwen2Config, _GROUPED | _LIMIT | {"tie_word_embeddings": True}),
    "qwen3": (Qwen3ForCausalLM, Qwen3Config, _GROUPED | _LIMIT | {"head_dim": 16}),
    "phi3": (Phi3ForCausalLM, Phi3Config, _GROUPED | _LIMIT),
    # Windows shorter than the contexts, so that their layers forget.
    "mistral": (MistralForCausalLM, MistralConfig, _GROUPED | _LIMIT | {"sliding_window": 6}),
    "gemma2": (Gemma2ForCausalLM, Gemma2Config, _GROUPED | _LIMIT | {"head_dim": 8, "sliding_window": 6}),
    "opt": (OPTForCausalLM, OPTConfig, _SIZES | _LIMIT | {"ffn_dim": 48, "word_embed_proj_dim": 32}),
    # Other numbers of heads, and another width, in every layer; the engine has no such model.
    "openelm": (OpenELMForCausalLM, OpenELMConfig, {}),
    "gpt2": (GPT2LMHeadModel, GPT2Config, {"n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 128}),
}
# Heads as small as these are too small for engines.
WIDE = {"hidden_size": 64, "num_attention_heads": 2}
WIDER = {
    "llama": WIDE,
    "qwen2": WIDE,
    "qwen3": WIDE | {"head_dim": 32},
    "phi3": WIDE,
    "mistral": WIDE,
    "gemma2": WIDE | {"head_dim": 32},
    "opt": WIDE | {"word_embed_proj_dim": 64},
    "gpt2": {"n_embd": 64, "n_head": 2},
}


@cache
def character_tokenizer(template=APPENDING):
    inner = Tokenizer(models.WordLevel({word: i for i, word in enumerate(VOCABULARY)}, unk_token="<unk>"))
    inner.pre_tokenizer = pre_tokenizers.Split(Regex(r"[\s\S]"), "isolated")
    inner.decoder = decoders.Fuse()
    inner.add_special_tokens([AddedToken(word, special=True, normalized=False) for word in SPECIALS])
    return PreTrainedTokenizerFast(
        tokenizer_object=inner,
        pad_token="<pad>",
        bos_token="<bos>",
        eos_token="<end>",
        unk_token="<unk>",
        chat_template=template,
    )


def new_model(architecture="llama", seed=0, **changes):
    kind, config, settings = ARCHITECTURES[architecture]
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = kind(config(**settings | _IDS | changes))
        for weight in model.parameters():
            # Far from the usual 0.02, where every next token would be about as likely as any other.
            weight.data.add_(torch.randn_like(weight), alpha=0.15)
    return model.eval()
