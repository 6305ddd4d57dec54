"""From the trained network to the two graphs that people run: as few operations as possible, in 8-bit integers.

Each token's vector is scaled by its own largest number before it is rounded to 8 bits. onnxruntime's own dynamic
quantisation takes one scale for all that it multiplies at once, so that a text's scores would depend on its neighbours
in the batch, and one loud token would drown the others.
"""

from __future__ import annotations

import hashlib
import math
import warnings
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn

from listener.model.onnx import OUTPUTS, SHARED, Profile, graph_file
from training.network import FAST_LAYERS, Heads, Network

OPSET = 18
LEVELS = 127  # on either side of zero
SMALL = 1024  # bytes; what is smaller stays in the graph's own file
ALIGNED = 64  # bytes, so that processors read whole lines
MIDDLE = 128  # zero, as the unsigned bytes that processors multiply fastest


class Layer(nn.Module):
    """One transformer layer, without what only training needs."""

    def __init__(self, layer: nn.Module, heads: int) -> None:
        super().__init__()
        attention, output = layer.attention, layer.attention.output
        self.heads = heads
        self.query, self.key, self.value = attention.self.query, attention.self.key, attention.self.value
        with torch.no_grad():  # the scale of the scores, once and for all
            scale = 1 / math.sqrt(self.query.out_features // heads)
            self.query = nn.Linear(*self.query.weight.shape)
            self.query.weight.copy_(attention.self.query.weight * scale)
            self.query.bias.copy_(attention.self.query.bias * scale)
        self.out, self.out_norm = output.dense, output.LayerNorm
        self.wide, self.narrow, self.norm = layer.intermediate.dense, layer.output.dense, layer.output.LayerNorm

    def forward(self, hidden: Tensor, bias: Tensor) -> Tensor:
        batch, length, size = hidden.shape
        apart = (batch, length, self.heads, size // self.heads)
        query = self.query(hidden).reshape(apart).transpose(1, 2)
        key = self.key(hidden).reshape(apart).permute(0, 2, 3, 1)
        value = self.value(hidden).reshape(apart).transpose(1, 2)
        mixed = torch.softmax(query @ key + bias, dim=-1) @ value
        hidden = self.out_norm(hidden + self.out(mixed.transpose(1, 2).reshape(batch, length, size)))
        return self.norm(hidden + self.narrow(nn.functional.gelu(self.wide(hidden))))


class Lean(nn.Module):
    """The network's first `layers` layers and the heads that read them."""

    def __init__(self, network: Network, layers: int, heads: Heads) -> None:
        super().__init__()
        embeddings, config = network.encoder.embeddings, network.encoder.config
        self.words, self.norm = embeddings.word_embeddings, embeddings.LayerNorm
        places = embeddings.position_embeddings.weight + embeddings.token_type_embeddings.weight[0]
        self.places = nn.Parameter(places.detach())
        self.layers = nn.ModuleList(
            Layer(layer, config.num_attention_heads) for layer in list(network.encoder.encoder.layer)[:layers]
        )
        self.heads = heads

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> tuple[Tensor, ...]:
        hidden = self.norm(self.words(input_ids) + self.places[: input_ids.shape[1]])
        present = attention_mask.to(hidden.dtype)
        bias = ((1 - present) * -10_000)[:, None, None, :]
        for layer in self.layers:
            hidden = layer(hidden, bias)
        return tuple(self.heads(hidden, attention_mask))


def graph_of(network: Network, profile: Profile) -> onnx.ModelProto:
    """The network of one profile (`full` or `fast`) as ONNX in 32-bit numbers, for any batch and length."""
    network = network.to("cpu", torch.float32).eval()
    layers = len(network.encoder.encoder.layer) if profile == "full" else FAST_LAYERS
    lean = Lean(network, layers, network.full if profile == "full" else network.fast).eval()
    ids = torch.ones(2, 16, dtype=torch.long)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            lean,
            (ids, torch.ones_like(ids)),
            input_names=["input_ids", "attention_mask"],
            output_names=list(OUTPUTS),
            dynamic_shapes={
                "input_ids": {0: "batch", 1: "length"},
                "attention_mask": {0: "batch", 1: "length"},
            },
            opset_version=OPSET,
        )
    graph = program.model_proto
    for node in graph.graph.node:  # where each operation stood in the source, with the paths of this machine
        node.ClearField("metadata_props")
        node.ClearField("doc_string")
    del graph.graph.value_info[:]
    return graph


def write(graphs: dict[Profile, onnx.ModelProto], folder: Path) -> None:
    """Each profile's graph as a file, with the weights of both in one: what they share is there once."""
    places: dict[bytes, int] = {}
    with (folder / SHARED).open("wb") as shared:
        for profile, graph in graphs.items():
            for tensor in graph.graph.initializer:
                content = numpy_helper.to_array(tensor).tobytes()
                if len(content) < SMALL:
                    continue
                digest = hashlib.sha256(content).digest()
                if digest not in places:
                    shared.write(bytes(-shared.tell() % ALIGNED))
                    places[digest] = shared.tell()
                    shared.write(content)
                tensor.ClearField("raw_data")
                tensor.data_location = TensorProto.EXTERNAL
                del tensor.external_data[:]
                for key, value in (("location", SHARED), ("offset", places[digest]), ("length", len(content))):
                    tensor.external_data.add(key=key, value=str(value))
            (folder / graph_file(profile)).write_bytes(graph.SerializeToString(deterministic=True))


def quantized(model: onnx.ModelProto) -> onnx.ModelProto:
    """The graph with every multiplication by weights, and every table of vectors, in 8-bit integers."""
    return _Quantizer(model).run()


class _Quantizer:
    def __init__(self, model: onnx.ModelProto) -> None:
        self.model = onnx.ModelProto()
        self.model.CopyFrom(model)
        self.weights = {tensor.name: tensor for tensor in self.model.graph.initializer}
        self.nodes: list[onnx.NodeProto] = []
        self.rounded: dict[str, tuple[str, str]] = {}
        self.table: dict[str, str] = {}

    def run(self) -> onnx.ModelProto:
        self._constant("middle", np.array(MIDDLE, np.uint8))
        self._constant("one", np.array(1, np.float32))
        self._constant("levels", np.array(LEVELS, np.float32))
        self._constant("least", np.array(1e-9, np.float32))
        self._constant("last", np.array([-1], np.int64))
        turned = self._transposes()
        for node in self.model.graph.node:
            if node.op_type == "MatMul" and (weight := self._weight(node.input[1], turned)) is not None:
                self._matmul(node, weight)
            elif node.op_type == "Gemm":
                self._gemm(node)
            elif node.op_type == "Gather" and self._is_table(node.input[0]):
                self._gather(node)
            else:
                self.nodes.append(node)
        del self.model.graph.node[:]
        self.model.graph.node.extend(self.nodes)
        self._drop_unused()
        if not any(item.domain == "com.microsoft" for item in self.model.opset_import):
            self.model.opset_import.append(helper.make_opsetid("com.microsoft", 1))
        onnx.checker.check_model(self.model)
        return self.model

    def _constant(self, name: str, value: np.ndarray) -> str:
        self.model.graph.initializer.append(numpy_helper.from_array(value, name))
        return name

    def _add(self, kind: str, inputs: list[str], output: str, **options: object) -> str:
        self.nodes.append(helper.make_node(kind, inputs, [output], name=output, **options))
        return output

    def _transposes(self) -> dict[str, np.ndarray]:
        """Weights that the exporter turns before it multiplies by them."""
        return {
            node.output[0]: numpy_helper.to_array(self.weights[node.input[0]]).T
            for node in self.model.graph.node
            if node.op_type == "Transpose" and node.input[0] in self.weights
        }

    def _weight(self, name: str, turned: dict[str, np.ndarray]) -> np.ndarray | None:
        if name in turned:
            return turned[name]
        return numpy_helper.to_array(self.weights[name]) if name in self.weights else None

    def _is_table(self, name: str) -> bool:
        return (
            name in self.weights
            and self.weights[name].data_type == TensorProto.FLOAT
            and len(self.weights[name].dims) == 2
        )

    def _matmul(self, node: onnx.NodeProto, weight: np.ndarray) -> None:
        product = self._product(node.input[0], weight, node.output[0])
        self.nodes.append(helper.make_node("Mul", [product[0], product[1]], [node.output[0]]))

    def _gemm(self, node: onnx.NodeProto) -> None:
        turned = any(attribute.name == "transB" and attribute.i for attribute in node.attribute)
        weight = numpy_helper.to_array(self.weights[node.input[1]])
        whole, scale = self._product(node.input[0], weight.T if turned else weight, node.output[0])
        scaled = self._add("Mul", [whole, scale], f"{node.output[0]}.scaled")
        self._add("Add", [scaled, node.input[2]], node.output[0])

    def _product(self, entering: str, weight: np.ndarray, name: str) -> tuple[str, str]:
        """The product but for the scale of each row, and that scale."""
        rounded, scale = self._rounded(entering)
        columns = np.abs(weight).max(0).clip(1e-9) / LEVELS
        whole = np.round(weight / columns).astype(np.int8)
        self._constant(f"{name}.weight", whole)
        self._constant(f"{name}.columns", columns.astype(np.float32))
        inputs = [rounded, f"{name}.weight", "one", f"{name}.columns", "middle"]
        return self._add("MatMulIntegerToFloat", inputs, f"{name}.whole", domain="com.microsoft"), scale

    def _rounded(self, entering: str) -> tuple[str, str]:
        """`entering` in bytes, each row by its own scale, and the scales."""
        if entering not in self.rounded:
            size = self._add("Abs", [entering], f"{entering}.size")
            largest = self._add("ReduceMax", [size, "last"], f"{entering}.largest", keepdims=1)
            least = self._add("Max", [largest, "least"], f"{entering}.least")
            scale = self._add("Div", [least, "levels"], f"{entering}.scale")
            spread = self._add("Div", [entering, scale], f"{entering}.spread")
            bytes_ = self._add("QuantizeLinear", [spread, "one", "middle"], f"{entering}.bytes")
            self.rounded[entering] = (bytes_, scale)
        return self.rounded[entering]

    def _gather(self, node: onnx.NodeProto) -> None:
        """A table of vectors in bytes, each vector with its scale."""
        table = numpy_helper.to_array(self.weights[node.input[0]])
        scale = np.abs(table).max(1, keepdims=True).clip(1e-9) / LEVELS
        name = node.output[0]
        self._constant(f"{name}.table", np.round(table / scale).astype(np.int8))
        self._constant(f"{name}.scales", scale.astype(np.float32))
        whole = self._add("Gather", [f"{name}.table", node.input[1]], f"{name}.whole")
        scales = self._add("Gather", [f"{name}.scales", node.input[1]], f"{name}.by")
        number = self._add("Cast", [whole], f"{name}.number", to=TensorProto.FLOAT)
        self._add("Mul", [number, scales], name)

    def _drop_unused(self) -> None:
        """Weights and operations that nothing asks for any more."""
        while True:
            asked = {name for node in self.nodes for name in node.input} | {out.name for out in self.model.graph.output}
            kept = [node for node in self.nodes if asked & set(node.output)]
            if len(kept) == len(self.nodes):
                break
            self.nodes = kept
        del self.model.graph.node[:]
        self.model.graph.node.extend(self.nodes)
        weights = [tensor for tensor in self.model.graph.initializer if tensor.name in asked]
        del self.model.graph.initializer[:]
        self.model.graph.initializer.extend(weights)
