"""Train the bundled model: python -m training.train --help. Needs no GPU; uses one where there is one.

lexicon + tokenizer | the base model's meanings | mixed batches | model.safetensors
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from sklearn.metrics import f1_score
from torch import Tensor, nn
from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

from training import data, vocabulary
from training.batches import PHASES, Phase, Sample, Wanted, batches, wanted
from training.data import Example
from training.network import Network, Read
from training.wording import Switcher

BASE_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
WEIGHTS, TOKENIZER, USED, MEANINGS = "model.safetensors", "tokenizer.json", "used.json", "meanings.npz"
RUN = "run.json"  # what --out was begun with
MAX_TOKENS = 64  # enough for posts, and half the time; the product reads 128
NEARNESS = 0.05  # the temperature at which a translation must find its original among a batch's texts
LOOK = 300  # steps between two looks at the validation posts


def main() -> int:
    """Train and write `model.safetensors`, `tokenizer.json` and `used.json` into --out."""
    options = arguments()
    seed(options.seed)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    started = time.monotonic()
    lexicon = vocabulary.inflected(vocabulary.read_lexicon(options.lexicon))
    examples = gathered(options)
    claim(options.out, run_of(examples, options))
    spanish = [example.text for example in examples if example.language == "es"]
    network, tokenizer = extended(options, lexicon, spanish)
    say(started, f"{device}; {len(tokenizer)} tokens; {dict(Counter(e.source for e in examples))}")
    meant = meanings(options, sorted({e.english for e in examples if e.english}), device)
    say(started, f"the teacher knows {len(meant)} meanings")
    samples = [Sample(example=example, meaning=meant.get(example.english)) for example in examples]
    lexicon = vocabulary.read_lexicon(options.lexicon) | lexicon

    def look() -> str:
        return " ".join(f"{language} {seen(network, tokenizer, options, language):.3f}" for language in ("en", "es"))

    ends = []
    for number, phase in enumerate(PHASES, options.seed):
        end = options.out / f"{phase.name}.safetensors"
        if not end.exists():  # a run that was broken off goes on after its last whole phase
            seed(number)  # and draws what it would have drawn
            drawn = batches(samples, Switcher(lexicon, random.Random(number)), phase, number)
            train(network, tokenizer, drawn, phase=phase, device=device, say=partial(say, started), look=look)
            state = {key: value.cpu().contiguous() for key, value in network.state_dict().items()}
            put(end, partial(save_file, state))
        ends.append(load_file(end))
        network.load_state_dict(ends[-1])
    mixed = {key: sum(end[key] for end in ends) / len(ends) for key in ends[0]}
    put(options.out / WEIGHTS, partial(save_file, mixed))
    used = Counter(f"{e.source} {e.language}" for e in examples)
    (options.out / USED).write_text(json.dumps(used, indent=1), encoding="utf-8")
    return 0


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--base", type=Path, required=True, help="folder with all-MiniLM-L6-v2")
    parser.add_argument("--data", type=Path, required=True, help="folder with the public data sets")
    parser.add_argument("--translated", type=Path, required=True, help="what training.translate wrote")
    parser.add_argument("--corpus", type=Path, default=Path("training/corpus"))
    parser.add_argument("--lexicon", type=Path, default=Path("training/lexicon/es-en.tsv"))
    parser.add_argument("--out", type=Path, required=True, help="folder for what is learned; empty for a new run")
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


def gathered(options: argparse.Namespace) -> list[Example]:
    """Every example to learn from: public ones, those again in Spanish, pairs, and the corpus's training part."""
    public = data.public(options.data)
    ours = data.meant(data.split(data.corpus(options.corpus))["train"], options.translated)
    return [*ours, *public, *data.translated(public, options.translated), *data.pairs(options.corpus)]


# --- the folder for what is learned ---------------------------------------------------------------------------------


def run_of(examples: list[Example], options: argparse.Namespace) -> dict[str, str | int]:
    """What makes one run another: what is learned from (as a SHA-256), the seed, and the phases."""
    learned = hashlib.sha256("\n".join(sorted(map(repr, examples))).encode())
    learned.update(options.lexicon.read_bytes())
    return {"learned_from": learned.hexdigest(), "seed": options.seed, "phases": repr(PHASES)}


def claim(out: Path, run: dict[str, str | int]) -> None:
    """Make `out` this run's folder; raises SystemExit where it is another's. A cache of meanings is anyone's."""
    path = out / RUN
    if path.exists():
        ours = path.read_text(encoding="utf-8") == json.dumps(run, indent=1)
    else:
        ours = not any([*out.glob("*.safetensors"), *out.glob(TOKENIZER)])
    if not ours:
        raise SystemExit(f"{out} holds another run; name an empty folder")
    out.mkdir(parents=True, exist_ok=True)
    put(path, lambda part: part.write_text(json.dumps(run, indent=1), encoding="utf-8"))


def put(path: Path, write: Callable[[Path], object]) -> None:
    """Have `write` fill a file beside `path` and rename it, so that half a file never counts as one."""
    part = path.with_name(f"{path.name}.part")
    write(part)
    part.replace(path)


# --- the network and its teacher --------------------------------------------------------------------------------------


def extended(
    options: argparse.Namespace, lexicon: dict[str, list[str]], spanish: list[str]
) -> tuple[Network, PreTrainedTokenizerFast]:
    """The base network with a larger vocabulary, and its tokenizer, whose file is written to --out."""
    weights = first_weights(options.base)
    old = tokenizer_of(options.base / TOKENIZER)
    known = old.get_vocab()
    if not (options.out / TOKENIZER).exists():  # a run that goes on keeps the words it began with
        added = vocabulary.new_words(spanish, lexicon, known)
        text = vocabulary.extend((options.base / TOKENIZER).read_text(encoding="utf-8"), added)
        put(options.out / TOKENIZER, lambda part: part.write_text(text, encoding="utf-8"))
    tokenizer = tokenizer_of(options.out / TOKENIZER)
    added = tokenizer.convert_ids_to_tokens(range(len(known), len(tokenizer)))

    config = BertConfig.from_pretrained(options.base)
    config.vocab_size = len(known) + len(added)
    network = Network(config)
    table = "encoder.embeddings.word_embeddings.weight"
    starts = [
        weights[table][old(" ".join(lexicon.get(word, [word])), add_special_tokens=False)["input_ids"]].mean(0)
        for word in added
    ]
    weights[table] = torch.cat([weights[table], torch.stack(starts)]) if starts else weights[table]
    missing = [key for key in network.load_state_dict(weights, strict=False).missing_keys if key.startswith("encoder")]
    if missing:
        raise SystemExit(f"{options.base} lacks {missing}")
    return network, tokenizer


def first_weights(base: Path) -> dict[str, Tensor]:
    """The base model's weights, refused unless they are exactly the ones this was developed with."""
    path = base / WEIGHTS
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != BASE_SHA256:
        raise SystemExit(f"{path} has sha256 {found}, not {BASE_SHA256}")
    weights = load_file(path)
    return {
        f"encoder.{key}": value for key, value in weights.items() if "pooler" not in key and "position_ids" not in key
    }


def tokenizer_of(path: Path) -> PreTrainedTokenizerFast:
    """The tokenizer in that file."""
    tokenizer = PreTrainedTokenizerFast(tokenizer_file=str(path), pad_token="[PAD]", unk_token="[UNK]")
    tokenizer.backend_tokenizer.no_padding()
    tokenizer.backend_tokenizer.no_truncation()
    return tokenizer


@torch.no_grad()
def meanings(options: argparse.Namespace, texts: list[str], device: str) -> dict[str, np.ndarray]:
    """What the base model, as it came, makes of English texts: vectors of length 1. Kept in --out for the next run."""
    kept = options.out / MEANINGS
    found: dict[str, np.ndarray] = {}
    if kept.exists():
        with np.load(kept) as file:
            found = dict(zip(file["texts"].tolist(), file["vectors"], strict=True))
    teacher = BertModel(BertConfig.from_pretrained(options.base), add_pooling_layer=False).eval().to(device)
    plain = {key.removeprefix("encoder."): value for key, value in first_weights(options.base).items()}
    teacher.load_state_dict(plain, strict=False)
    tokenizer = tokenizer_of(options.base / TOKENIZER)
    order = sorted((text for text in texts if text not in found), key=len)
    for first in range(0, len(order), 128):
        some = order[first : first + 128]
        ids, mask = tensors(some, tokenizer, device)
        with torch.autocast(device, dtype=torch.bfloat16):
            hidden = teacher(input_ids=ids, attention_mask=mask).last_hidden_state.float()
        weights = mask.unsqueeze(-1).float()
        mean = (hidden * weights).sum(1) / weights.sum(1)
        found.update(zip(some, nn.functional.normalize(mean, dim=-1).cpu().numpy(), strict=True))
    put(kept, partial(keep, found))
    return found


def keep(found: dict[str, np.ndarray], path: Path) -> None:
    """Write vectors and their texts."""
    with path.open("wb") as file:  # given a name, numpy would add .npz to it
        np.savez(file, texts=np.array(list(found)), vectors=np.stack(list(found.values())))


def tensors(texts: list[str], tokenizer: PreTrainedTokenizerFast, device: str) -> tuple[Tensor, Tensor]:
    """Token ids and mask, padded to the longest."""
    encoded = tokenizer(texts, truncation=True, max_length=MAX_TOKENS, padding=True, return_tensors="pt")
    return encoded["input_ids"].to(device), encoded["attention_mask"].to(device)


# --- learning ---------------------------------------------------------------------------------------------------------


def loss(read: Read, answer: Wanted, meaning: float) -> Tensor:
    """How wrong one depth's reading of a batch is: sentiment, intents, signals and meaning, each over what is known."""
    embedding, sentiment, intents, signals = (out.float() for out in read)
    feeling = -(answer.sentiment * sentiment.log_softmax(-1)).sum(-1)
    wish = nn.functional.binary_cross_entropy_with_logits(intents, answer.intents, reduction="none")
    mark = nn.functional.binary_cross_entropy_with_logits(signals, answer.signals, reduction="none")
    distance = 1 - (embedding * answer.meaning).sum(-1)
    total = (
        mean(feeling, answer.sentiment_weight)
        + 3 * mean(wish, answer.intents_weight)
        + 3 * mean(mark, answer.signals_weight)
        + 2 * meaning * mean(distance, answer.meant)
    )
    if answer.foreign.sum() > 1:
        originals = answer.meaning[answer.meant > 0]
        nearness = embedding[answer.foreign] @ originals.T / NEARNESS
        own = torch.nonzero(answer.foreign[answer.meant > 0]).squeeze(1)
        total = total + 0.3 * meaning * nn.functional.cross_entropy(nearness, own)
    return total


def mean(each: Tensor, weight: Tensor) -> Tensor:
    """The mean by weight; 0 where nothing is known."""
    return (each * weight).sum() / weight.sum().clamp(min=1)


def train(
    network: Network,
    tokenizer: PreTrainedTokenizerFast,
    drawn: Iterator[tuple[list[Sample], list[str]]],
    *,
    phase: Phase,
    device: str,
    say: Callable[[str], None],
    look: Callable[[], str],
) -> None:
    """Train in place."""
    network.to(device).train()
    words = network.encoder.embeddings.word_embeddings
    words.sparse = True  # a batch touches a few hundred of the vocabulary's words
    heads = [*network.full.parameters(), *network.fast.parameters()]
    body = [weight for weight in network.encoder.parameters() if weight is not words.weight]
    dense = torch.optim.AdamW(
        [{"params": body, "lr": phase.rate}, {"params": heads, "lr": phase.rate * 5}], weight_decay=0.01, fused=True
    )
    sparse = torch.optim.SparseAdam([words.weight], lr=phase.rate * 3)
    pace = partial(speed, warmup=phase.steps // 20, steps=phase.steps)
    schedules = [torch.optim.lr_scheduler.LambdaLR(optimizer, pace) for optimizer in (dense, sparse)]
    running = 0.0
    for step, (batch, texts) in enumerate(drawn):
        answer = wanted(batch, network.encoder.config.hidden_size, device)
        with torch.autocast(device, dtype=torch.bfloat16):
            full, fast = network(*tensors(texts, tokenizer, device))
        wrong = loss(full, answer, phase.meaning) + 0.5 * loss(fast, answer, phase.meaning)
        network.zero_grad(set_to_none=True)
        wrong.backward()
        nn.utils.clip_grad_norm_([*body, *heads], 1.0)
        dense.step()
        sparse.step()
        for schedule in schedules:
            schedule.step()
        running = wrong.item() if step == 0 else 0.98 * running + 0.02 * wrong.item()
        if step % 50 == 0 or step == phase.steps - 1:
            told = f"; {look()}" if step % LOOK == 0 or step == phase.steps - 1 else ""
            say(f"step {step} of {phase.steps}: loss {running:.3f}{told}")


def speed(step: int, *, warmup: int, steps: int) -> float:
    """The share of the learning rate at a step: up over the warm-up, then down in a straight line."""
    return min((step + 1) / warmup, max(0.02, (steps - step) / steps))


@torch.no_grad()
def seen(network: Network, tokenizer: PreTrainedTokenizerFast, options: argparse.Namespace, language: str) -> float:
    """Sentiment's macro-F1 on the validation posts of one language, which nothing is trained on."""
    network.eval()
    posts = data.xlm_t(options.data, language)
    device = next(network.parameters()).device.type
    guesses: list[int] = []
    for first in range(0, len(posts), 64):
        full, _ = network(*tensors([post.text for post in posts[first : first + 64]], tokenizer, device))
        guesses += full.sentiment.argmax(-1).tolist()
    network.train()
    return float(f1_score([int(np.argmax(post.sentiment)) for post in posts], guesses, average="macro"))


if __name__ == "__main__":
    sys.exit(main())
