"""Train the bundled model: python -m training.train --help. Needs no GPU; uses one where there is one.

lexicon + tokenizer | teacher's meanings | mixed batches | network.pt
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

from training import data, vocabulary
from training.data import INTENTS, Example
from training.network import Network

BASE_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
MAX_TOKENS = 64  # enough for posts, and half the time; the product reads 128
PUBLIC_WEIGHT = 0.3  # how much a public text says about intents, next to a line of our own corpus
SENTIMENT_WEIGHT = {"corpus": 1.0, "goemotions": 0.5, "xed": 0.3}  # subtitles were labelled through a translation
POOL = 8  # batches drawn together and sorted by length, so that little is padded
MEANING_WEIGHT = 2.0


@dataclass(frozen=True, kw_only=True)
class Sample:
    """One text to learn from, with the meaning (a vector) it should have where the teacher knows it."""

    example: Example
    meaning: np.ndarray | None = None


def main() -> int:
    """Train and write `network.pt` and `tokenizer.json` into --out."""
    options = arguments()
    seed(options.seed)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    started = time.monotonic()
    lexicon = vocabulary.inflected(vocabulary.read_lexicon(options.lexicon))
    parts = data.split(data.corpus(options.corpus))
    public = choose(data.public(options.data), options.public, options.seed)
    spanish = [e.text for e in parts["train"] + data.public(options.data) if e.language == "es"]
    network, tokenizer = extended(options.base, options.out, lexicon, spanish)
    teacher, teacher_tokenizer = load_teacher(options.base)
    say(started, f"{device}; {len(tokenizer)} tokens; {len(parts['train'])} corpus and {len(public)} public texts")

    ours, theirs, switcher = prepare(options, parts["train"], public, lexicon, (teacher, teacher_tokenizer, device))
    say(started, "the teacher is done")
    train(
        network,
        tokenizer,
        ours=ours,
        theirs=theirs,
        switcher=switcher,
        options=options,
        device=device,
        started=started,
    )
    used = Counter(sample.example.source for sample in ours + theirs)
    used["lexicon"] = len(vocabulary.read_lexicon(options.lexicon))
    (options.out / "used.json").write_text(json.dumps(used), encoding="utf-8")
    torch.save({key: value.cpu() for key, value in network.state_dict().items()}, options.out / "network.pt")
    return 0


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--base", type=Path, required=True, help="folder with all-MiniLM-L6-v2")
    parser.add_argument("--data", type=Path, required=True, help="folder with the public data sets")
    parser.add_argument("--corpus", type=Path, default=Path("training/corpus"))
    parser.add_argument("--lexicon", type=Path, default=Path("training/lexicon/es-en.tsv"))
    parser.add_argument("--out", type=Path, required=True, help="folder for network.pt and tokenizer.json")
    parser.add_argument("--steps", type=int, default=1200)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--public", type=int, default=14_000, help="how many public texts to use")
    parser.add_argument("--ours", type=float, default=0.5, help="share of the corpus in a batch")
    parser.add_argument("--rate", type=float, default=1.5e-4)
    parser.add_argument("--seed", type=int, default=20)
    return parser.parse_args()


def seed(number: int) -> None:
    """Make every draw repeatable."""
    random.seed(number)
    np.random.seed(number)
    torch.manual_seed(number)


def say(started: float, sentence: str) -> None:
    """One line of progress."""
    print(f"{time.monotonic() - started:7.1f} s  {sentence}", flush=True)


def choose(examples: list[Example], count: int, number: int) -> list[Example]:
    """`count` of the public examples, all of the small sources and a fair draw from the large ones."""
    share = {"goemotions": 0.50, "xed": 0.34, "bitext": 0.05, "banking77": 0.04, "clinc150": 0.04, "nlupp": 0.05}
    chosen: list[Example] = [e for e in examples if e.source == "tatoeba"]
    draw = random.Random(number)
    for source, part in share.items():
        pool = [e for e in examples if e.source == source]
        chosen += draw.sample(pool, min(len(pool), int(count * part)))
    return chosen


# --- the network and its teacher --------------------------------------------------------------------------------------


def extended(
    base: Path, out: Path, lexicon: dict[str, list[str]], spanish: list[str]
) -> tuple[Network, PreTrainedTokenizerFast]:
    """The network with the larger vocabulary, and its tokenizer, whose file is written to `out`."""
    weights = checked_weights(base)
    text = (base / "tokenizer.json").read_text(encoding="utf-8")
    old = tokenizer_of(base / "tokenizer.json")
    known = old.get_vocab()
    added = vocabulary.new_words(spanish, lexicon, known)
    out.mkdir(parents=True, exist_ok=True)
    (out / "tokenizer.json").write_text(vocabulary.extend(text, added), encoding="utf-8")

    config = BertConfig.from_pretrained(base)
    config.vocab_size = len(known) + len(added)
    network = Network(config)
    vectors = weights["embeddings.word_embeddings.weight"]
    starts = [
        vectors[old(" ".join(lexicon.get(word, [word])), add_special_tokens=False)["input_ids"]].mean(0)
        for word in added
    ]
    weights["embeddings.word_embeddings.weight"] = torch.cat([vectors, torch.stack(starts)]) if starts else vectors
    missing = network.encoder.load_state_dict(weights, strict=False).missing_keys
    if missing:
        raise SystemExit(f"the base model lacks {missing}")
    return network, tokenizer_of(out / "tokenizer.json")


def checked_weights(base: Path) -> dict[str, Tensor]:
    """The base model's weights, refused unless they are exactly the ones this was developed with."""
    path = base / "model.safetensors"
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != BASE_SHA256:
        raise SystemExit(f"{path} has sha256 {found}, not {BASE_SHA256}")
    weights = load_file(path)
    return {key: value for key, value in weights.items() if not key.startswith("pooler") and "position_ids" not in key}


def tokenizer_of(path: Path) -> PreTrainedTokenizerFast:
    """The tokenizer in that file."""
    tokenizer = PreTrainedTokenizerFast(tokenizer_file=str(path), pad_token="[PAD]", unk_token="[UNK]")
    tokenizer.backend_tokenizer.no_padding()
    tokenizer.backend_tokenizer.no_truncation()
    return tokenizer


def load_teacher(base: Path) -> tuple[BertModel, PreTrainedTokenizerFast]:
    """The English model as it came."""
    teacher = BertModel(BertConfig.from_pretrained(base), add_pooling_layer=False)
    teacher.load_state_dict(checked_weights(base), strict=False)
    return teacher.eval(), tokenizer_of(base / "tokenizer.json")


@torch.no_grad()
def meanings(texts: list[str], teacher: BertModel, tokenizer: PreTrainedTokenizerFast, device: str) -> np.ndarray:
    """What the teacher makes of English texts: vectors of length 1."""
    teacher.to(device)
    out = np.zeros((len(texts), teacher.config.hidden_size), np.float32)
    order = sorted(range(len(texts)), key=lambda row: len(texts[row]))
    for start in range(0, len(order), 64):
        rows = order[start : start + 64]
        ids, mask = tensors([texts[row] for row in rows], tokenizer, device)
        with torch.autocast(device, dtype=torch.bfloat16):
            hidden = teacher(input_ids=ids, attention_mask=mask).last_hidden_state.float()
        weights = mask.unsqueeze(-1).float()
        mean = (hidden * weights).sum(1) / weights.sum(1)
        out[rows] = nn.functional.normalize(mean, dim=-1).cpu().numpy()
    return out


def tensors(texts: list[str], tokenizer: PreTrainedTokenizerFast, device: str) -> tuple[Tensor, Tensor]:
    """Token ids and mask, padded to a multiple of 8."""
    encoded = tokenizer(
        texts, truncation=True, max_length=MAX_TOKENS, padding=True, pad_to_multiple_of=8, return_tensors="pt"
    )
    return encoded["input_ids"].to(device), encoded["attention_mask"].to(device)


# --- what a batch holds -----------------------------------------------------------------------------------------------


class Switcher:
    """Writes English half in Spanish, word by word, as CoSDA-ML does (Qin et al., 2020): the label stays."""

    def __init__(self, lexicon: dict[str, list[str]], draw: random.Random) -> None:
        self._draw = draw
        self._spanish: dict[str, list[str]] = {}
        for spanish, english in lexicon.items():
            if len(english) == 1:
                self._spanish.setdefault(english[0], []).append(spanish)

    def __call__(self, text: str) -> str:
        """The text with most of the words we have a translation for in Spanish."""
        how_much = self._draw.uniform(0.4, 1.0)
        return " ".join(self._word(word, how_much) for word in text.split())

    def _word(self, word: str, how_much: float) -> str:
        core = word.strip(".,;:!?¿¡\"'()").casefold()
        choices = self._spanish.get(core)
        if not choices or self._draw.random() > how_much:
            return word
        return word.casefold().replace(core, self._draw.choice(choices))


def prepare(
    options: argparse.Namespace,
    ours: list[Example],
    public: list[Example],
    lexicon: dict[str, list[str]],
    teaching: tuple[BertModel, PreTrainedTokenizerFast, str],
) -> tuple[list[Sample], list[Sample], Switcher]:
    """Both halves of a batch with the teacher's meanings, and the switcher."""
    teacher, tokenizer, device = teaching
    pairs = dict(data.tatoeba_pairs(options.data))
    everything = ours + public
    english = [
        pairs.get(e.text) if e.source == "tatoeba" else e.text if e.language == "en" else None for e in everything
    ]
    known = [row for row, text in enumerate(english) if text]
    vectors = meanings([english[row] or "" for row in known], teacher, tokenizer, device)
    found = dict(zip(known, vectors, strict=True))
    samples = [Sample(example=e, meaning=found.get(row)) for row, e in enumerate(everything)]
    base_lexicon = vocabulary.read_lexicon(options.lexicon)
    switcher = Switcher(base_lexicon | lexicon, random.Random(options.seed))
    return samples[: len(ours)], samples[len(ours) :], switcher


def endless(samples: list[Sample], number: int) -> Iterator[Sample]:
    """Every sample in a new order, again and again."""
    draw = random.Random(number)
    while True:
        for row in draw.sample(range(len(samples)), len(samples)):
            yield samples[row]


def losses(network: Network, batch: list[Sample], inputs: tuple[Tensor, Tensor], device: str) -> Tensor:
    """How wrong the network is about one batch: sentiment, intents and meaning, each over what is known."""
    with torch.autocast(device, dtype=torch.bfloat16):
        embedding, sentiment, intents = network(*inputs)
    embedding, sentiment, intents = embedding.float(), sentiment.float(), intents.float()
    wanted = torch.zeros_like(sentiment)
    weight = torch.zeros(len(batch), device=device)
    intent_wanted, intent_weight = torch.zeros_like(intents), torch.zeros_like(intents)
    meaning, meant = torch.zeros_like(embedding), torch.zeros(len(batch), device=device)
    for row, sample in enumerate(batch):
        example, trusted = sample.example, sample.example.source == "corpus"
        if example.sentiment is not None:
            wanted[row] = torch.tensor(example.sentiment)
            weight[row] = SENTIMENT_WEIGHT[example.source]
        for intent, value in example.intents.items():
            intent_wanted[row, INTENTS.index(intent)] = value
            intent_weight[row, INTENTS.index(intent)] = 1.0 if trusted else PUBLIC_WEIGHT
        if sample.meaning is not None:
            meaning[row] = torch.from_numpy(sample.meaning)
            meant[row] = 1.0
    feeling = -(wanted * sentiment.log_softmax(-1)).sum(-1)
    wish = nn.functional.binary_cross_entropy_with_logits(intents, intent_wanted, reduction="none")
    distance = 1 - (embedding * meaning).sum(-1)
    return (
        (feeling * weight).sum() / weight.sum().clamp(min=1)
        + (wish * intent_weight).sum() / intent_weight.sum().clamp(min=1) * 3
        + MEANING_WEIGHT * (distance * meant).sum() / meant.sum().clamp(min=1)
    )


def train(
    network: Network,
    tokenizer: PreTrainedTokenizerFast,
    *,
    ours: list[Sample],
    theirs: list[Sample],
    switcher: Switcher,
    options: argparse.Namespace,
    device: str,
    started: float,
) -> None:
    """Train in place. English texts of the public half are written half in Spanish every other time."""
    network.to(device).train()
    words = network.encoder.embeddings.word_embeddings
    words.sparse = True  # a batch touches a few hundred of the vocabulary's words
    heads = [*network.sentiment.parameters(), *network.intents.parameters()]
    body = [weight for weight in network.encoder.parameters() if weight is not words.weight]
    dense = torch.optim.AdamW(
        [{"params": body, "lr": options.rate}, {"params": heads, "lr": options.rate * 10}],
        weight_decay=0.01,
        fused=True,
    )
    sparse = torch.optim.SparseAdam([words.weight], lr=options.rate * 3)
    warmup = max(1, options.steps // 20)
    pace = partial(speed, warmup=warmup, steps=options.steps)
    schedules = [torch.optim.lr_scheduler.LambdaLR(optimizer, pace) for optimizer in (dense, sparse)]
    running = 0.0
    for step, (batch, texts) in enumerate(batches(ours, theirs, switcher, options)):
        loss = losses(network, batch, tensors(texts, tokenizer, device), device)
        network.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_([*body, *heads], 1.0)
        dense.step()
        sparse.step()
        for schedule in schedules:
            schedule.step()
        running = loss.item() if step == 0 else 0.95 * running + 0.05 * loss.item()
        if step % 25 == 0 or step == options.steps - 1:
            say(started, f"step {step} of {options.steps}: loss {running:.3f}")


def speed(step: int, *, warmup: int, steps: int) -> float:
    """The share of the learning rate at a step: up over the warm-up, then down in a straight line."""
    return min((step + 1) / warmup, max(0.02, (steps - step) / steps))


def batches(
    ours: list[Sample], theirs: list[Sample], switcher: Switcher, options: argparse.Namespace
) -> Iterator[tuple[list[Sample], list[str]]]:
    """`--steps` batches of texts of about one length, with the wordings to learn from."""
    draw = random.Random(options.seed)
    first, second = endless(ours, options.seed), endless(theirs, options.seed + 1)
    many = int(options.batch * options.ours * POOL)
    left = options.steps
    while left > 0:
        pool = [next(first) for _ in range(many)] + [next(second) for _ in range(options.batch * POOL - many)]
        worded = [(sample, varied(sample.example, switcher, draw)) for sample in pool]
        worded.sort(key=lambda pair: len(pair[1]) + draw.random())
        starts = list(range(0, len(worded), options.batch))
        draw.shuffle(starts)
        for start in starts[:left]:
            chunk = worded[start : start + options.batch]
            yield [sample for sample, _ in chunk], [text for _, text in chunk]
        left -= len(starts)


def varied(example: Example, switcher: Switcher, draw: random.Random) -> str:
    """The text, or a wording of it with the same label: half in Spanish, without its question marks, in capitals."""
    text = example.text
    if example.language == "en" and draw.random() < (0.25 if example.source == "corpus" else 0.5):
        text = switcher(text)
    if draw.random() < 0.1:
        text = text.replace("¿", "").replace("¡", "").rstrip(".!?")
    return text


if __name__ == "__main__":
    sys.exit(main())
