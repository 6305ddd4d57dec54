"""The network: all-MiniLM-L6-v2 read at two depths, each with every head."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from transformers import BertConfig, BertModel

from listener.types import Intent, Sentiment, Signal

FAST_LAYERS = 3


class Read(NamedTuple):
    """What one depth says: meaning (n, 384) of length 1, sentiment (n, 3), intents (n, 9), signals (n, 7)."""

    embedding: Tensor
    sentiment: Tensor
    intents: Tensor
    signals: Tensor


class Heads(nn.Module):
    """All heads at one depth. They see the first token beside the mean of all, so that the mean can stay close to the
    meaning it was trained for."""

    def __init__(self, size: int, *, own_meaning: bool) -> None:
        super().__init__()
        self.meaning = nn.Linear(size, size) if own_meaning else nn.Identity()
        self.trunk = nn.Linear(2 * size, size)
        self.dropout = nn.Dropout(0.1)
        self.sentiment = nn.Linear(size, len(Sentiment))
        self.intents = nn.Linear(size, len(Intent))
        self.signals = nn.Linear(size, len(Signal))

    def forward(self, hidden: Tensor, attention_mask: Tensor) -> Read:
        weights = attention_mask.unsqueeze(-1).to(hidden.dtype)
        mean = (hidden * weights).sum(1) / weights.sum(1).clamp(min=1)
        seen = self.dropout(nn.functional.gelu(self.trunk(torch.cat([hidden[:, 0], mean], dim=-1))))
        meaning = nn.functional.normalize(self.meaning(mean), dim=-1)
        return Read(meaning, self.sentiment(seen), self.intents(seen), self.signals(seen))


class Network(nn.Module):
    """Tokens in; out come the readings after all six layers and after the first three."""

    def __init__(self, config: BertConfig) -> None:
        super().__init__()
        config.hidden_dropout_prob = config.attention_probs_dropout_prob = 0.0  # a fifth of the time for nothing
        self.encoder = BertModel(config, add_pooling_layer=False)
        self.encoder.set_attn_implementation("eager")
        self.full = Heads(config.hidden_size, own_meaning=False)
        self.fast = Heads(config.hidden_size, own_meaning=True)

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> tuple[Read, Read]:
        """(after six layers, after three)."""
        found = self.encoder(input_ids=input_ids, attention_mask=attention_mask, output_hidden_states=True)
        halfway = found.hidden_states[FAST_LAYERS]
        return self.full(found.last_hidden_state, attention_mask), self.fast(halfway, attention_mask)
