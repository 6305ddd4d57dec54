"""The network: all-MiniLM-L6-v2 with two linear heads, and how it leaves training as one ONNX graph."""

from __future__ import annotations

import warnings
from pathlib import Path

import torch
from torch import Tensor, nn
from transformers import BertConfig, BertModel

from listener.types import Intent, Sentiment


class Network(nn.Module):
    """Tokens in; out come a meaning (mean of the tokens, length 1) and the two heads' outputs.

    The heads also see the first token, so that the mean can stay close to the meaning it was trained for.
    """

    def __init__(self, config: BertConfig) -> None:
        super().__init__()
        self.encoder = BertModel(config, add_pooling_layer=False)
        self.dropout = nn.Dropout(0.1)
        self.sentiment = nn.Linear(2 * config.hidden_size, len(Sentiment))
        self.intents = nn.Linear(2 * config.hidden_size, len(Intent))

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """embedding (n, 384), sentiment (n, 3), intents (n, 9)."""
        hidden = self.encoder(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        weights = attention_mask.unsqueeze(-1).to(hidden.dtype)
        mean = (hidden * weights).sum(1) / weights.sum(1).clamp(min=1)
        both = self.dropout(torch.cat([hidden[:, 0], mean], dim=-1))
        return nn.functional.normalize(mean, dim=-1), self.sentiment(both), self.intents(both)


def export(network: Network, path: Path) -> None:
    """Write the network as ONNX with inputs of any batch and length."""
    network = network.to("cpu", torch.float32).eval()
    network.encoder.set_attn_implementation("eager")
    ids = torch.ones(2, 16, dtype=torch.long)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            network,
            (ids, torch.ones_like(ids)),
            path,
            input_names=["input_ids", "attention_mask"],
            output_names=["sentence_embedding", "sentiment", "intents"],
            dynamic_shapes={
                "input_ids": {0: "batch", 1: "length"},
                "attention_mask": {0: "batch", 1: "length"},
            },
            opset_version=18,
            external_data=False,
        )
